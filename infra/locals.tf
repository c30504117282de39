locals {
  name = "${var.project}-${var.stage}"

  # Of what is named in more than one place. Modules know the same names (plugins/module_utils/core/resource_names.py), and roles (roles/environment/vars).
  names = {
    cluster        = "${local.name}-cluster"
    database       = "${local.name}-db"
    redis          = "${local.name}-redis"
    load_balancer  = "${local.name}-alb"
    nat_gateway    = "${local.name}-nat"
    execution_role = "${local.name}-ecs-execution"
    task_role      = "${local.name}-ecs-task"
  }

  # Sorted, so that "the first zone" is the same one for ever: moving the NAT gateway replaces it.
  zone_names = sort(keys(var.zones))

  arn_prefix = "arn:${data.aws_partition.current.partition}"
  arn_scope  = "${var.region}:${data.aws_caller_identity.current.account_id}"

  # As what KMS sees Parameter Store: documented with amazonaws.com, and in other partitions with their own suffix. One of them is a string,
  # as it always was, so that no policy is written anew for it.
  ssm_hosts   = distinct([for suffix in ["amazonaws.com", data.aws_partition.current.dns_suffix] : "ssm.${var.region}.${suffix}"])
  ssm_service = try(one(local.ssm_hosts), local.ssm_hosts)

  # Those that the load balancer forwards to: one gets what no rule names (variables.tf), the others the requests of their rule.
  web_services     = { for name, service in var.services : name => service if service.port != null }
  default_services = { for name, service in local.web_services : name => service if service.listener_rule == null }
  routed_services  = { for name, service in local.web_services : name => service if service.listener_rule != null }

  has_load_balancer = local.power_on && length(local.web_services) > 0
}
