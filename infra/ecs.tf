locals {
  seed_memory = { api = var.api_memory, workers = var.workers_memory }

  memory = { for name, service in var.services : name => coalesce(service.memory, lookup(local.seed_memory, name, null), 512) }

  # Which memory sizes Fargate offers for a CPU size, in MiB.
  fargate_memory = {
    "256"   = [512, 1024, 2048]
    "512"   = range(1024, 4097, 1024)
    "1024"  = range(2048, 8193, 1024)
    "2048"  = range(4096, 16385, 1024)
    "4096"  = range(8192, 30721, 1024)
    "8192"  = range(16384, 61441, 4096)
    "16384" = range(32768, 122881, 8192)
  }

  # Those that ECS knows (KernelCapabilities in its API reference).
  linux_capabilities = [
    "ALL", "AUDIT_CONTROL", "AUDIT_WRITE", "BLOCK_SUSPEND", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL",
    "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM",
  ]

  # All secrets, unless the service names the ones it wants.
  service_secrets = { for name, service in var.services : name => sort(service.secrets == null ? local.known_secrets : service.secrets) }

  # A start period of 0 is none, and AWS does not give it back.
  health_checks = {
    for name, service in var.services : name => merge(
      {
        command  = service.health_check.command
        interval = service.health_check.interval
        timeout  = service.health_check.timeout
        retries  = service.health_check.retries
      },
      service.health_check.start_period == 0 ? {} : { startPeriod = service.health_check.start_period },
    ) if service.health_check != null
  }

  # Sorted lists and no empty keys: the definition that AWS gives back must read the same, or each plan would propose a
  # new revision.
  container_definitions = {
    for name, service in var.services : name => merge(
      {
        name         = name
        image        = "${aws_ecr_repository.service[name].repository_url}:latest"
        essential    = true
        stopTimeout  = service.stop_timeout
        environment  = [for key in sort(keys(service.environment)) : { name = key, value = service.environment[key] }]
        secrets      = [for key in local.service_secrets[name] : { name = key, valueFrom = lookup(local.secret_arns, key, "unknown") }]
        portMappings = service.port == null ? [] : [{ containerPort = service.port, hostPort = service.port, protocol = "tcp" }]
        logConfiguration = {
          logDriver = "awslogs"
          options = {
            "awslogs-group"         = aws_cloudwatch_log_group.service[name].name
            "awslogs-region"        = var.region
            "awslogs-stream-prefix" = name
          }
        }
      },
      length(service.command) == 0 ? {} : { command = service.command },
      service.health_check == null ? {} : { healthCheck = local.health_checks[name] },
      service.user == "" ? {} : { user = service.user },
      service.readonly_root_filesystem ? { readonlyRootFilesystem = true } : {},
      length(service.drop_capabilities) == 0 ? {} : { linuxParameters = { capabilities = { drop = sort(service.drop_capabilities) } } },
    )
  }
}

resource "aws_ecs_cluster" "main" {
  name = local.names.cluster

  # What commands (ECS Exec) write may be anything that the container knows: nothing of it is kept. CloudTrail has who ran which. It is here
  # with execute_command off, too: the provider does not take a configuration away.
  configuration {
    execute_command_configuration {
      logging = "NONE"
    }
  }
}

# What the services should look like. A release copies the newest of these, puts its images in by digest and registers
# the result in the family without -template: so a change here reaches the running service at the next release, and no
# release ever makes a plan dirty.
resource "aws_ecs_task_definition" "template" {
  for_each = var.services

  family                   = "${local.name}-${each.key}-template"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = tostring(each.value.cpu)
  memory                   = tostring(local.memory[each.key])
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.container_definitions[each.key]])

  # A revision cannot be changed, only followed by another. The old ones stay readable.
  skip_destroy = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = each.value.architecture
  }

  dynamic "ephemeral_storage" {
    for_each = each.value.ephemeral_storage == null ? [] : [each.value.ephemeral_storage]

    content {
      size_in_gib = ephemeral_storage.value
    }
  }

  tags = {
    "atena:template" = "true"
    "atena:service"  = each.key
  }

  lifecycle {
    precondition {
      condition     = contains(keys(local.fargate_memory), tostring(each.value.cpu))
      error_message = "Fargate has no CPU size ${each.value.cpu} (service ${each.key}). It offers 256, 512, 1024, 2048, 4096, 8192 and 16384."
    }

    precondition {
      condition     = !contains(keys(local.fargate_memory), tostring(each.value.cpu)) || contains(lookup(local.fargate_memory, tostring(each.value.cpu), []), local.memory[each.key])
      error_message = "Fargate does not offer ${local.memory[each.key]} MiB with CPU ${each.value.cpu} (service ${each.key}), only ${join(", ", lookup(local.fargate_memory, tostring(each.value.cpu), []))}."
    }

    precondition {
      condition     = length(setsubtract(each.value.drop_capabilities, local.linux_capabilities)) == 0
      error_message = "ECS knows no Linux capability ${join(", ", setsubtract(each.value.drop_capabilities, local.linux_capabilities))} (drop_capabilities of service ${each.key}). Write ALL, or names without CAP_, such as NET_RAW."
    }

    precondition {
      condition     = length(setsubtract(local.service_secrets[each.key], local.known_secrets)) == 0
      error_message = "Service ${each.key} wants secrets that this environment does not have: ${join(", ", setsubtract(local.service_secrets[each.key], local.known_secrets))}. It has ${join(", ", local.known_secrets)}."
    }
  }
}

resource "aws_ecs_service" "service" {
  for_each = var.services

  name            = "${local.name}-${each.key}"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.template[each.key].arn
  launch_type     = "FARGATE"

  # The first release raises it: until then there is no image to run.
  desired_count = 0

  deployment_minimum_healthy_percent = each.value.minimum_healthy_percent
  deployment_maximum_percent         = each.value.maximum_percent
  health_check_grace_period_seconds  = each.value.port == null ? null : coalesce(each.value.health_check_grace_period, 60)
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  enable_execute_command             = var.execute_command
  wait_for_steady_state              = false

  deployment_circuit_breaker {
    enable   = each.value.circuit_breaker.enable
    rollback = coalesce(each.value.circuit_breaker.rollback, each.value.circuit_breaker.enable)
  }

  network_configuration {
    subnets          = [for zone in local.zone_names : aws_subnet.private[zone].id]
    security_groups  = [aws_security_group.ecs.id]
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = each.value.port == null ? [] : [each.value.port]

    content {
      target_group_arn = aws_lb_target_group.service[each.key].arn
      container_name   = each.key
      container_port   = load_balancer.value
    }
  }

  # ECS creates no service on a target group that no listener or rule forwards to. The policy goes after the service when
  # both are destroyed: stopping tasks still write their last log lines.
  depends_on = [
    aws_lb_listener.http, aws_lb_listener.https, aws_lb_listener_rule.service,
    aws_iam_role_policy.execution, aws_iam_role_policy.execute_command,
  ]

  lifecycle {
    # Releases own what runs, and how often.
    ignore_changes = [task_definition, desired_count]
  }
}
