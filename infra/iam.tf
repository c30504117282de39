locals {
  # Only ECS, and only on behalf of this account's tasks: without the conditions another account's task could be
  # used to borrow the role.
  ecs_tasks_trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id }
        ArnLike      = { "aws:SourceArn" = "${local.arn_prefix}:ecs:${local.arn_scope}:*" }
      }
    }]
  })
}

# What ECS itself needs before the container runs: the image, the secrets' values, a place for the logs.
resource "aws_iam_role" "execution" {
  name               = local.names.execution_role
  description        = "Lets ECS pull the images, read the secrets and write the logs of ${local.name}"
  assume_role_policy = local.ecs_tasks_trust
}

# AmazonECSTaskExecutionRolePolicy grants the same calls on every repository and log group of the account.
resource "aws_iam_role_policy" "execution" {
  name = "execution"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "RegistryLogin"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"]
      },
      {
        Sid      = "PullImages"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [for name in sort(keys(var.services)) : "${local.arn_prefix}:ecr:${local.arn_scope}:repository/${local.name}-${name}"]
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [for name in sort(keys(var.services)) : "${local.arn_prefix}:logs:${local.arn_scope}:log-group:/ecs/${local.name}-${name}:*"]
      },
      {
        Sid      = "ReadSecrets"
        Effect   = "Allow"
        Action   = ["ssm:GetParameters"]
        Resource = ["${local.arn_prefix}:ssm:${local.arn_scope}:parameter${var.ssm_path}/*"]
      },
      {
        Sid      = "DecryptSecrets"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = ["${local.arn_prefix}:kms:${local.arn_scope}:key/*"]
        Condition = {
          StringEquals = { "kms:ViaService" = local.ssm_service }
          StringLike   = { "kms:EncryptionContext:PARAMETER_ARN" = "${local.arn_prefix}:ssm:${local.arn_scope}:parameter${var.ssm_path}/*" }
        }
      },
    ]
  })
}

# The application's own role. It has no rights of its own: the application calls no AWS service.
resource "aws_iam_role" "task" {
  name               = local.names.task_role
  description        = "The containers of ${local.name}"
  assume_role_policy = local.ecs_tasks_trust
}

# ECS Exec: the agent in the container opens its channels as the task's role. These calls know no resources.
resource "aws_iam_role_policy" "execute_command" {
  count = var.execute_command ? 1 : 0

  name = "execute-command"
  role = aws_iam_role.task.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "SessionChannels"
      Effect = "Allow"
      Action = [
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ]
      Resource = ["*"]
    }]
  })
}
