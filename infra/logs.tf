resource "aws_cloudwatch_log_group" "service" {
  for_each = var.services

  name              = "/ecs/${local.name}-${each.key}"
  retention_in_days = var.log_retention_days
}
