# Tags move (`latest`), digests do not: a release pins digests, so mutable tags are no risk here.
resource "aws_ecr_repository" "service" {
  for_each = var.services

  name                 = "${local.name}-${each.key}"
  image_tag_mutability = "MUTABLE"

  # Images are the way back to every release on record.
  force_delete = false

  image_scanning_configuration {
    scan_on_push = true
  }
}

# Untagged images only. Every released image keeps its tag sha-<commit>, so no rule here can ever delete one in use.
resource "aws_ecr_lifecycle_policy" "service" {
  for_each = var.services

  repository = aws_ecr_repository.service[each.key].name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Remove untagged images after 14 days"
      selection = {
        tagStatus   = "untagged"
        countType   = "sinceImagePushed"
        countUnit   = "days"
        countNumber = 14
      }
      action = { type = "expire" }
    }]
  })
}
