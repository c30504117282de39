output "alb_dns_name" {
  description = "Public name of the load balancer; null while the power is off."
  value       = one(aws_lb.main[*].dns_name)
}

output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.main.id
}

output "public_subnet_ids" {
  description = "Public subnets, in the order of their zones' names."
  value       = [for zone in local.zone_names : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Private subnets, in the order of their zones' names: where tasks run."
  value       = [for zone in local.zone_names : aws_subnet.private[zone].id]
}

output "ecs_security_group_id" {
  description = "Security group of the tasks, one-off ones included."
  value       = aws_security_group.ecs.id
}

output "nat_public_ip" {
  description = "Address from which the tasks reach the internet. It stays while the power is off."
  value       = aws_eip.nat.public_ip
}

output "cluster_name" {
  description = "ECS cluster."
  value       = aws_ecs_cluster.main.name
}

output "service_names" {
  description = "ECS services, by the service's key."
  value       = { for name, service in aws_ecs_service.service : name => service.name }
}

output "template_families" {
  description = "Task definition families that a release starts from, by the service's key."
  value       = { for name, definition in aws_ecs_task_definition.template : name => definition.family }
}

output "log_group_names" {
  description = "CloudWatch log groups, by the service's key."
  value       = { for name, group in aws_cloudwatch_log_group.service : name => group.name }
}

output "ecr_repository_urls" {
  description = "Where each service's image is pushed, by the service's key."
  value       = { for name, repository in aws_ecr_repository.service : name => repository.repository_url }
}

output "api_target_group_arn" {
  description = "Target group of the service that gets the requests which no listener rule names; null if no service has a port."
  value       = one([for name in keys(local.default_services) : aws_lb_target_group.service[name].arn])
}

output "database_endpoint" {
  description = "Host and port of PostgreSQL. The password is in the parameter DATABASE_URL only."
  value       = aws_db_instance.main.endpoint
}

output "redis_endpoint" {
  description = "Host and port of Redis; null while there is none."
  value       = local.redis_exists ? "${aws_elasticache_cluster.main[0].cache_nodes[0].address}:${var.redis.port}" : null
}

output "execution_role_arn" {
  description = "Role with which ECS starts the tasks."
  value       = aws_iam_role.execution.arn
}

output "task_role_arn" {
  description = "Role of the containers."
  value       = aws_iam_role.task.arn
}

output "github_actions_role_arn" {
  description = "Role of the workflow that deploys; null without a repository."
  value       = one([for role in aws_iam_role.github : role.arn if role.name == "${local.name}-github-deploy"])
}

output "github_toggle_role_arn" {
  description = "Role of the workflows that stop and start; null without a repository."
  value       = one([for role in aws_iam_role.github : role.arn if role.name == "${local.name}-github-toggle"])
}

output "github_plan_role_arn" {
  description = "Role of the workflow that plans on pull requests; null without a repository."
  value       = one([for role in aws_iam_role.github : role.arn if role.name == "${local.name}-github-plan"])
}

# The gates are no output on purpose: start and stop move them, and a plan would be dirty for no more than that.
