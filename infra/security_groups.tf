# Each group names its neighbour's group, not addresses, and has no rule inside its own block: a rule is a resource, so a
# plan shows it by name. Terraform removes the rule 'everything may leave' that AWS gives to a new group.

resource "aws_security_group" "alb" {
  name        = "${local.name}-alb-sg"
  description = "Load balancer: HTTP from the internet"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-alb-sg" }
}

resource "aws_security_group" "ecs" {
  name        = "${local.name}-ecs-sg"
  description = "ECS tasks: from the load balancer only"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-ecs-sg" }
}

resource "aws_security_group" "database" {
  name        = "${local.name}-db-sg"
  description = "PostgreSQL: from ECS tasks only"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-db-sg" }
}

resource "aws_security_group" "redis" {
  name        = "${local.name}-redis-sg"
  description = "Redis: from ECS tasks only"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-redis-sg" }
}

resource "aws_vpc_security_group_ingress_rule" "alb_http" {
  security_group_id = aws_security_group.alb.id
  description       = "HTTP from the internet"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_ingress_rule" "alb_https" {
  count = local.https ? 1 : 0

  security_group_id = aws_security_group.alb.id
  description       = "HTTPS from the internet"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "alb_to_ecs" {
  for_each = local.default_services

  security_group_id            = aws_security_group.alb.id
  description                  = "Requests and health checks to ${each.key}"
  referenced_security_group_id = aws_security_group.ecs.id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "ecs_from_alb" {
  for_each = local.default_services

  security_group_id            = aws_security_group.ecs.id
  description                  = "Requests and health checks to ${each.key}"
  referenced_security_group_id = aws_security_group.alb.id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

# All tasks are in one group, and a group has no rule twice: services may listen on the same port.
locals {
  routed_ports = toset([
    for port in distinct(values(local.routed_services)[*].port) : tostring(port) if !contains(values(local.default_services)[*].port, port)
  ])
}

resource "aws_vpc_security_group_egress_rule" "alb_to_port" {
  for_each = local.routed_ports

  security_group_id            = aws_security_group.alb.id
  description                  = "Requests and health checks to port ${each.key}"
  referenced_security_group_id = aws_security_group.ecs.id
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.key)
  to_port                      = tonumber(each.key)
}

resource "aws_vpc_security_group_ingress_rule" "port_from_alb" {
  for_each = local.routed_ports

  security_group_id            = aws_security_group.ecs.id
  description                  = "Requests and health checks to port ${each.key}"
  referenced_security_group_id = aws_security_group.alb.id
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.key)
  to_port                      = tonumber(each.key)
}

# Through the NAT gateway: ECR, SSM and CloudWatch Logs before a container runs, then whatever the application calls. All
# of it is TLS. Names are resolved by the VPC's own resolver, which security groups do not filter.
resource "aws_vpc_security_group_egress_rule" "ecs_https" {
  security_group_id = aws_security_group.ecs.id
  description       = "AWS and other services over TLS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "ecs_to_database" {
  security_group_id            = aws_security_group.ecs.id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "ecs_to_redis" {
  security_group_id            = aws_security_group.ecs.id
  description                  = "Redis"
  referenced_security_group_id = aws_security_group.redis.id
  ip_protocol                  = "tcp"
  from_port                    = var.redis.port
  to_port                      = var.redis.port
}

resource "aws_vpc_security_group_ingress_rule" "database_from_ecs" {
  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL from ECS tasks"
  referenced_security_group_id = aws_security_group.ecs.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_ingress_rule" "redis_from_ecs" {
  security_group_id            = aws_security_group.redis.id
  description                  = "Redis from ECS tasks"
  referenced_security_group_id = aws_security_group.ecs.id
  ip_protocol                  = "tcp"
  from_port                    = var.redis.port
  to_port                      = var.redis.port
}
