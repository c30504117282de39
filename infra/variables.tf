# What the collection passes has no default here: it is written once, in the defaults of the role `environment`.

variable "project" {
  description = "Name of the application. With the stage it starts every resource's name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.project)) && !endswith(var.project, "-") && !strcontains(var.project, "--")
    error_message = "project must be 1 to 16 lower-case letters, digits and single hyphens, and start with a letter."
  }
}

variable "stage" {
  description = "Which of the application's environments this is, such as prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,11}$", var.stage)) && !endswith(var.stage, "-") && !strcontains(var.stage, "--")
    error_message = "stage must be 1 to 12 lower-case letters, digits and single hyphens."
  }
}

variable "region" {
  description = "AWS region of the environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region must look like us-east-1."
  }
}

variable "s3_use_path_style" {
  description = "Address buckets as host/bucket instead of bucket.host, as an endpoint other than AWS's own may need."
  type        = bool
}

variable "tags" {
  description = "Tags of every resource, beside Project, Stage and ManagedBy."
  type        = map(string)

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "tags must not start with aws:, which AWS keeps for itself."
  }
}

variable "state_bucket" {
  description = "Bucket of the Terraform state. The gates are stored there too."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "state_bucket must be the name of an S3 bucket."
  }
}

variable "gates_key" {
  description = "Key of the object that holds the gates, such as atena/prod/gates.json."
  type        = string

  validation {
    condition     = length(var.gates_key) > 0 && !startswith(var.gates_key, "/")
    error_message = "gates_key must be an object's key, without a leading slash."
  }
}

variable "ssm_path" {
  description = "Path under which this environment's parameters live, such as /atena/prod."
  type        = string

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.-]+)+$", var.ssm_path)) && !can(regex("^/(aws|ssm)(/|$)", lower(var.ssm_path)))
    error_message = "ssm_path must look like /atena/prod: a leading slash, none at the end, and not below /aws or /ssm."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 28, false)
    error_message = "vpc_cidr must be an IPv4 block between /16 and /28, such as 10.0.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones, each with the addresses of its public and its private subnet."
  type = map(object({
    public_cidr  = string
    private_cidr = string
  }))

  validation {
    condition     = length(var.zones) >= 2
    error_message = "zones must name two availability zones or more: a load balancer and a database subnet group each need two."
  }

  validation {
    condition     = alltrue([for zone in values(var.zones) : can(cidrnetmask(zone.public_cidr)) && can(cidrnetmask(zone.private_cidr))])
    error_message = "Each zone's public_cidr and private_cidr must be an IPv4 block, such as 10.0.1.0/24."
  }

  validation {
    condition     = length(distinct(flatten([for zone in values(var.zones) : [zone.public_cidr, zone.private_cidr]]))) == 2 * length(var.zones)
    error_message = "No two subnets may have the same addresses."
  }
}

variable "services" {
  description = "The ECS services by name. Those with a port are reached through the load balancer: one gets every request that no listener_rule of another names. health_check is the container's own."
  type = map(object({
    cpu               = number
    memory            = optional(number)
    port              = optional(number)
    health_check_path = optional(string, "/")
    listener_rule = optional(object({
      priority = number
      hosts    = optional(list(string), [])
      paths    = optional(list(string), [])
    }))
    stop_timeout = optional(number, 120)
    architecture = optional(string, "X86_64")
    environment  = optional(map(string), {})
    secrets      = optional(list(string))
    command      = optional(list(string), [])
    health_check = optional(object({
      command      = list(string)
      interval     = optional(number, 30)
      timeout      = optional(number, 5)
      retries      = optional(number, 3)
      start_period = optional(number, 0)
    }))
    user                     = optional(string, "")
    readonly_root_filesystem = optional(bool, false)
    drop_capabilities        = optional(list(string), [])
    ephemeral_storage        = optional(number)
    minimum_healthy_percent  = optional(number, 100)
    maximum_percent          = optional(number, 200)
    circuit_breaker = optional(object({
      enable   = optional(bool, true)
      rollback = optional(bool)
    }), {})
    health_check_grace_period = optional(number)
  }))

  validation {
    condition     = length(var.services) > 0 && alltrue([for name in keys(var.services) : can(regex("^[a-z][a-z0-9-]{0,19}$", name))])
    error_message = "services must name one service or more, each with up to 20 lower-case letters, digits and hyphens."
  }

  validation {
    condition     = length([for service in values(var.services) : service if service.port != null && service.listener_rule == null]) <= 1
    error_message = "More than one service has a port and no listener_rule: ${join(", ", [for name, service in var.services : name if service.port != null && service.listener_rule == null])}. The load balancer sends the requests that no rule names to one of them. Give all but that one a listener_rule, such as {priority = 10, paths = [\"/admin\", \"/admin/*\"]}."
  }

  validation {
    condition     = length([for service in values(var.services) : service if service.listener_rule != null]) == 0 || anytrue([for service in values(var.services) : service.port != null && service.listener_rule == null])
    error_message = "No service gets the requests that no listener_rule names (${join(", ", [for name, service in var.services : name if service.listener_rule != null])} each have one). Leave it out of one service with a port."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.listener_rule == null || service.port != null])
    error_message = "These services have a listener_rule and no port: ${join(", ", [for name, service in var.services : name if service.listener_rule != null && service.port == null])}. Add the port that the container listens on, or remove the rule."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.listener_rule == null || try(length(service.listener_rule.hosts) + length(service.listener_rule.paths) > 0, false)])
    error_message = "These services have a listener_rule with neither hosts nor paths: ${join(", ", [for name, service in var.services : name if service.listener_rule != null && try(length(service.listener_rule.hosts) + length(service.listener_rule.paths) == 0, true)])}. Name the host names or the path patterns of their requests."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.listener_rule == null || try(length(service.listener_rule.hosts) + length(service.listener_rule.paths) <= 5, false)])
    error_message = "A listener rule has five values at most. These have more hosts and paths together: ${join(", ", [for name, service in var.services : name if try(length(service.listener_rule.hosts) + length(service.listener_rule.paths) > 5, false)])}. Use a wildcard, such as /admin/*."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.listener_rule == null || try(service.listener_rule.priority >= 1 && service.listener_rule.priority <= 50000 && floor(service.listener_rule.priority) == service.listener_rule.priority, false)])
    error_message = "The priority of a listener_rule must be a whole number between 1 and 50000; it is not for ${join(", ", [for name, service in var.services : name if service.listener_rule != null && !try(service.listener_rule.priority >= 1 && service.listener_rule.priority <= 50000 && floor(service.listener_rule.priority) == service.listener_rule.priority, false)])}."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : !try(length(service.listener_rule.hosts) == 0 && anytrue([for path in service.listener_rule.paths : contains(["*", "/*"], path)]), false)])
    error_message = "The listener_rule of ${join(", ", [for name, service in var.services : name if try(length(service.listener_rule.hosts) == 0 && anytrue([for path in service.listener_rule.paths : contains(["*", "/*"], path)]), false)])} takes every request, so that no other service gets one. Leave the rule out to make this service the one that gets what no rule names."
  }

  validation {
    condition     = length(distinct([for service in values(var.services) : service.listener_rule.priority if service.listener_rule != null])) == length([for service in values(var.services) : service if service.listener_rule != null])
    error_message = "No two listener rules may have the same priority: ${join(", ", [for name, service in var.services : "${name} has ${service.listener_rule.priority}" if service.listener_rule != null])}. The lowest number is evaluated first."
  }

  validation {
    condition     = length(distinct([for service in values(var.services) : jsonencode([sort(service.listener_rule.hosts), sort(service.listener_rule.paths)]) if service.listener_rule != null])) == length([for service in values(var.services) : service if service.listener_rule != null])
    error_message = "Two services have the same hosts and paths in their listener_rule, so that one of them would never get a request: ${join(", ", [for name, service in var.services : name if try(length([for other in values(var.services) : other if try(jsonencode([sort(other.listener_rule.hosts), sort(other.listener_rule.paths)]), "") == jsonencode([sort(service.listener_rule.hosts), sort(service.listener_rule.paths)])]) > 1, false)])}."
  }

  validation {
    condition     = alltrue(flatten([for service in values(var.services) : [for path in service.listener_rule.paths : can(regex("^[/*][A-Za-z0-9_.$/~\"'@:+*?&-]{0,127}$", path))] if service.listener_rule != null]))
    error_message = "A path of a listener_rule must begin with / or *, and may have up to 128 letters, digits and _ - . $ / ~ \" ' @ : + & with the wildcards * and ?: such as /admin/*."
  }

  validation {
    condition     = alltrue(flatten([for service in values(var.services) : [for host in service.listener_rule.hosts : can(regex("^[A-Za-z0-9.*?-]{1,128}$", host)) && strcontains(host, ".")] if service.listener_rule != null]))
    error_message = "A host of a listener_rule must be a host name of letters, digits, hyphens and dots with the wildcards * and ?, without scheme or port: such as admin.example.com."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.port == null || try(service.port >= 1 && service.port <= 65535, false)])
    error_message = "A service's port must be between 1 and 65535."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : startswith(service.health_check_path, "/")])
    error_message = "A service's health_check_path must start with a slash."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.stop_timeout >= 2 && service.stop_timeout <= 120])
    error_message = "A service's stop_timeout must be between 2 and 120 seconds: Fargate waits no longer."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : contains(["X86_64", "ARM64"], service.architecture)])
    error_message = "A service's architecture must be X86_64 or ARM64."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) : service.health_check == null || try(
        contains(["CMD", "CMD-SHELL"], service.health_check.command[0]) && length(service.health_check.command) >= 2, false
      )
    ])
    error_message = "A service's health_check.command must be a list that begins with CMD or CMD-SHELL, such as [CMD-SHELL, \"test -e /tmp/alive\"]."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) : service.health_check == null || try(
        service.health_check.interval >= 5 && service.health_check.interval <= 300
        && service.health_check.timeout >= 2 && service.health_check.timeout <= 60
        && service.health_check.retries >= 1 && service.health_check.retries <= 10
        && service.health_check.start_period >= 0 && service.health_check.start_period <= 300, false
      )
    ])
    error_message = "ECS wants of a service's health_check: interval 5 to 300 s, timeout 2 to 60 s, retries 1 to 10, start_period 0 to 300 s."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.user == "" || can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$", service.user))])
    error_message = "A service's user must be a user, or user:group, each a name or a number: such as node or \"1000:1000\"."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.ephemeral_storage == null || try(service.ephemeral_storage >= 21 && service.ephemeral_storage <= 200 && floor(service.ephemeral_storage) == service.ephemeral_storage, false)])
    error_message = "A service's ephemeral_storage must be a whole number of GiB between 21 and 200: Fargate gives 20 without it, and no more than 200."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.minimum_healthy_percent >= 0 && service.minimum_healthy_percent <= 100 && service.maximum_percent >= 100 && service.maximum_percent <= 1000])
    error_message = "A service's minimum_healthy_percent must be between 0 and 100, its maximum_percent between 100 and 1000."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.minimum_healthy_percent < 100 || service.maximum_percent > 100])
    error_message = "With minimum_healthy_percent 100 and maximum_percent 100 ECS may neither stop an old task nor start a new one, so that no deployment ever ends (${join(", ", [for name, service in var.services : name if service.minimum_healthy_percent >= 100 && service.maximum_percent <= 100])}). For one task that is stopped before the next one starts: minimum_healthy_percent 0."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.circuit_breaker.enable || !coalesce(service.circuit_breaker.rollback, false)])
    error_message = "A circuit_breaker that is not enabled rolls nothing back: remove rollback, or enable it (${join(", ", [for name, service in var.services : name if !service.circuit_breaker.enable && coalesce(service.circuit_breaker.rollback, false)])})."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.health_check_grace_period == null || service.port != null])
    error_message = "These services have a health_check_grace_period and no port: ${join(", ", [for name, service in var.services : name if service.health_check_grace_period != null && service.port == null])}. It is for the load balancer's health checks; for the container's own, use health_check.start_period."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.health_check_grace_period == null || try(service.health_check_grace_period >= 0 && service.health_check_grace_period <= 86400 && floor(service.health_check_grace_period) == service.health_check_grace_period, false)])
    error_message = "A service's health_check_grace_period must be a whole number of seconds between 0 and 86400."
  }
}

variable "execute_command" {
  description = "Whether commands can be run in the tasks (ECS Exec). Tasks that run already have it after they were replaced."
  type        = bool
}

variable "api_memory" {
  description = "Memory of the service named api, in MiB, unless services.api.memory says otherwise."
  type        = number
  default     = 512

  validation {
    condition     = var.api_memory >= 512
    error_message = "api_memory must be 512 MiB or more: Fargate offers no less."
  }
}

variable "workers_memory" {
  description = "Memory of the service named workers, in MiB, unless services.workers.memory says otherwise."
  type        = number
  default     = 512

  validation {
    condition     = var.workers_memory >= 512
    error_message = "workers_memory must be 512 MiB or more: Fargate offers no less."
  }
}

variable "manual_secrets" {
  description = "Names of the parameters that people write. Terraform knows the names only, so no value of theirs can reach a plan or the state."
  type        = list(string)

  validation {
    condition     = alltrue([for name in var.manual_secrets : can(regex("^[A-Za-z0-9_.-]+$", name))])
    error_message = "manual_secrets must be names of letters, digits, dots, hyphens and underscores."
  }

  validation {
    condition     = length(setintersection(var.manual_secrets, ["DATABASE_URL", "REDIS_URL"])) == 0
    error_message = "DATABASE_URL and REDIS_URL are created by Terraform: leave them out of manual_secrets."
  }
}

variable "database" {
  description = "The PostgreSQL instance."
  type = object({
    engine_version        = string
    instance_class        = string
    allocated_storage     = number
    name                  = string
    username              = string
    backup_retention_days = number
    backup_window         = string
    maintenance_window    = string
    sslmode               = string
    deletion_protection   = bool
    multi_az              = bool
    # Another major version than the database has is planned only then.
    allow_major_version_upgrade = optional(bool, false)
  })

  validation {
    condition     = can(regex("^[0-9]+(\\.[0-9]+)?$", var.database.engine_version))
    error_message = "database.engine_version must be a PostgreSQL version such as 16 or 16.4."
  }

  validation {
    condition     = startswith(var.database.instance_class, "db.")
    error_message = "database.instance_class must be an RDS class such as db.t4g.micro."
  }

  validation {
    condition     = var.database.allocated_storage >= 20
    error_message = "database.allocated_storage must be 20 GB or more: gp3 storage starts there."
  }

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9_]{0,62}$", var.database.name)) && can(regex("^[a-zA-Z][a-zA-Z0-9_]{0,62}$", var.database.username))
    error_message = "database.name and database.username must be letters, digits and underscores, and start with a letter."
  }

  validation {
    condition     = !contains(["admin", "postgres", "rdsadmin", "user"], lower(var.database.username))
    error_message = "database.username is a word that PostgreSQL or RDS keeps for itself."
  }

  validation {
    condition     = var.database.backup_retention_days >= 1 && var.database.backup_retention_days <= 35
    error_message = "database.backup_retention_days must be between 1 and 35: 0 would switch backups off and delete those that exist."
  }

  validation {
    condition     = can(regex("^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$", var.database.backup_window))
    error_message = "database.backup_window must be UTC times such as 03:00-04:00."
  }

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", var.database.maintenance_window))
    error_message = "database.maintenance_window must be lower-case UTC days and times such as sun:05:00-sun:06:00."
  }

  validation {
    condition     = contains(["require", "verify-ca", "verify-full", "no-verify"], var.database.sslmode)
    error_message = "database.sslmode must be require, verify-ca, verify-full or no-verify: PostgreSQL on RDS refuses plain connections."
  }
}

variable "database_stop_schedule" {
  description = "Whether EventBridge Scheduler stops the database while power is off, and how often it tries: for an account in which nothing runs guard.yml."
  type = object({
    enabled       = bool
    every_minutes = number
  })

  validation {
    condition     = var.database_stop_schedule.every_minutes >= 5 && var.database_stop_schedule.every_minutes <= 1440 && floor(var.database_stop_schedule.every_minutes) == var.database_stop_schedule.every_minutes
    error_message = "database_stop_schedule.every_minutes must be a whole number between 5 and 1440."
  }
}

variable "redis" {
  description = "The Redis node."
  type = object({
    engine_version          = string
    node_type               = string
    port                    = number
    snapshot_window         = string
    snapshot_retention_days = optional(number, 1)
    maintenance_window      = string
  })

  validation {
    condition     = can(regex("^7\\.[0-9]+$", var.redis.engine_version))
    error_message = "redis.engine_version must be a Redis 7 version such as 7.1: the parameter group is of the family redis7."
  }

  validation {
    condition     = startswith(var.redis.node_type, "cache.")
    error_message = "redis.node_type must be an ElastiCache type such as cache.t4g.micro."
  }

  validation {
    condition     = var.redis.port >= 1 && var.redis.port <= 65535
    error_message = "redis.port must be between 1 and 65535."
  }

  validation {
    condition     = can(regex("^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$", var.redis.snapshot_window))
    error_message = "redis.snapshot_window must be UTC times such as 04:00-05:00."
  }

  validation {
    condition     = var.redis.snapshot_retention_days >= 0 && var.redis.snapshot_retention_days <= 35
    error_message = "redis.snapshot_retention_days must be between 0 and 35."
  }

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", var.redis.maintenance_window))
    error_message = "redis.maintenance_window must be lower-case UTC days and times such as sun:06:00-sun:07:00."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the containers' logs."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's steps: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, ..."
  }
}

variable "deregistration_delay_seconds" {
  description = "How long the load balancer lets a leaving task finish its requests. A release waits for it."
  type        = number

  validation {
    condition     = var.deregistration_delay_seconds >= 0 && var.deregistration_delay_seconds <= 3600
    error_message = "deregistration_delay_seconds must be between 0 and 3600."
  }
}

variable "https" {
  description = "The load balancer's port 443: an ACM certificate of the region, and what TLS it negotiates. Without a certificate there is only port 80."
  type = object({
    certificate_arn = optional(string, "")
    tls_policy      = string
  })

  validation {
    condition     = var.https.certificate_arn == "" || can(regex("^arn:[a-z-]+:(acm|iam):[a-z0-9-]*:[0-9]{12}:", var.https.certificate_arn))
    error_message = "https.certificate_arn must be the ARN of a certificate, such as arn:aws:acm:us-east-1:123456789012:certificate/... It may be empty."
  }

  validation {
    condition     = can(regex("^ELBSecurityPolicy-TLS13-", var.https.tls_policy))
    error_message = "https.tls_policy must be one of the policies with TLS 1.3, such as ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09: the others accept TLS 1.0 or know no 1.3."
  }
}

variable "domain" {
  description = "The application's name and the id of its Route 53 zone. With an empty name there is no record."
  type = object({
    name    = optional(string, "")
    zone_id = optional(string, "")
  })

  validation {
    condition     = var.domain.name == "" || can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.domain.name))
    error_message = "domain.name must be a full name in lower case, without a dot at the end, such as app.example.com."
  }

  validation {
    condition     = (var.domain.name == "") == (var.domain.zone_id == "")
    error_message = "domain.name and domain.zone_id go together: give both, or neither."
  }
}

variable "records" {
  description = "Where the state, the journals, the releases and the locks are, so that the roles of CI may be told of exactly those."
  type = object({
    state_key       = string
    journal_key     = string
    destroy_key     = string
    restore_key     = optional(string)
    rotations_key   = optional(string)
    github_key      = string
    releases_prefix = string
    evidence_prefix = string
    lock_table      = string
  })
}

variable "github" {
  description = "The application's repository on GitHub, whose workflows may assume the roles in github.tf. Without a repository there are none."
  type = object({
    repository         = optional(string, "")
    subject            = optional(string, "")
    branch             = optional(string, "main")
    deploy_environment = optional(string, "")
    toggle_environment = optional(string, "")
    plan               = optional(bool, true)
    oidc_provider      = optional(string, "existing")
    issuer             = optional(string, "token.actions.githubusercontent.com")
  })

  validation {
    condition     = var.github.repository == "" || can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.github.repository))
    error_message = "github.repository must be OWNER/NAME."
  }

  validation {
    condition     = var.github.subject == "" || can(regex("^repo:[^*?:]+$", var.github.subject))
    error_message = "github.subject must be what the repository's tokens begin with, such as repo:acme/app or repo:acme@1234/app@5678: without a wildcard, and without what follows the repository."
  }

  validation {
    condition     = alltrue([for name in [var.github.branch, var.github.deploy_environment, var.github.toggle_environment] : !can(regex("[*?]", name))]) && var.github.branch != ""
    error_message = "github.branch, deploy_environment and toggle_environment must be exact names, without wildcards; branch must not be empty."
  }

  validation {
    condition     = contains(["existing", "create"], var.github.oidc_provider) || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", var.github.oidc_provider))
    error_message = "github.oidc_provider must be existing (the account has it), create (for the first environment of an account), or the provider's ARN."
  }
}

# For the one apply that makes an environment again after destroy.yml; redeploy.yml sets them. They are without effect on what exists.

variable "database_snapshot" {
  description = "Snapshot from which the database is created; null for an empty one."
  type        = string
  default     = null
}

variable "database_sslmode" {
  description = "sslmode of the new DATABASE_URL, in place of database.sslmode: what it was before; null for that."
  type        = string
  default     = null
}

variable "redis_snapshot" {
  description = "Snapshot from which Redis is created; null for an empty one."
  type        = string
  default     = null
}

variable "redis_taken_in" {
  description = "Whether the cluster is there already and is taken in: an apply that died, or got no answer, made it."
  type        = bool
  default     = false
}

variable "kept" {
  description = "Services whose image repository, lifecycle policy and log group exist already and are taken in."
  type = object({
    repositories       = set(string)
    lifecycle_policies = set(string)
    log_groups         = set(string)
  })
  default = { repositories = [], lifecycle_policies = [], log_groups = [] }
}
