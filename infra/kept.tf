# destroy.yml leaves the images and the logs where they are: the images are the releases on record, the logs are what is known of the time
# before. An environment that is made again takes them in, instead of failing over names that are taken. What is in the state already is left
# as it is.
import {
  for_each = var.kept.repositories
  to       = aws_ecr_repository.service[each.value]
  id       = "${local.name}-${each.value}"
}

import {
  for_each = var.kept.lifecycle_policies
  to       = aws_ecr_lifecycle_policy.service[each.value]
  id       = "${local.name}-${each.value}"
}

import {
  for_each = var.kept.log_groups
  to       = aws_cloudwatch_log_group.service[each.value]
  id       = "/ecs/${local.name}-${each.value}"
}
