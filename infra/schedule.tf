# AWS starts an instance again that was stopped for seven days. guard.yml stops it, if something runs guard.yml. This is for
# an account with nothing that does: EventBridge Scheduler asks RDS to stop the instance, again and again, while power is off.
#
# It can tell neither a person's start from AWS's, nor whether the instance is available. RDS refuses what cannot be done
# (InvalidDBInstanceState): nothing happens while the instance is stopped or starting. A refused turn is retried a few
# times, within the time until the next one, which is what really waits for `available`.
locals {
  stop_schedule_name = "${local.name}-stop-database"

  # Zero or one, so that nothing of it is there where it is not wanted.
  stop_schedules = var.database_stop_schedule.enabled ? { main = var.database_stop_schedule.every_minutes } : {}
}

resource "aws_scheduler_schedule" "stop_database" {
  for_each = local.stop_schedules

  name        = local.stop_schedule_name
  group_name  = "default"
  description = "Stops the database of ${local.name} again that AWS started after seven days. Enabled while power is off."

  # Start switches it off by the same apply that brings back the load balancer.
  state = local.power_on ? "DISABLED" : "ENABLED"

  schedule_expression          = "rate(${each.value} minutes)"
  schedule_expression_timezone = "UTC"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "${local.arn_prefix}:scheduler:::aws-sdk:rds:stopDBInstance"
    role_arn = aws_iam_role.stop_database[each.key].arn
    input    = jsonencode({ DbInstanceIdentifier = aws_db_instance.main.identifier })

    # What could not be delivered before the next turn is the next turn's.
    retry_policy {
      maximum_event_age_in_seconds = each.value * 60
      maximum_retry_attempts       = 5
    }
  }

  # EventBridge Scheduler proves that it may assume the role; what the role may do comes first.
  depends_on = [aws_iam_role_policy.stop_database]
}

# Only the scheduler, and only for this account's default group: without the conditions another account's schedule could
# be used to borrow the role. (The group is as narrow as a schedule's source can be named.)
resource "aws_iam_role" "stop_database" {
  for_each = local.stop_schedules

  name        = local.stop_schedule_name
  description = "Lets EventBridge Scheduler stop the database of ${local.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = data.aws_caller_identity.current.account_id
          "aws:SourceArn"     = "${local.arn_prefix}:scheduler:${local.arn_scope}:schedule-group/default"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "stop_database" {
  for_each = local.stop_schedules

  name = "stop-database"
  role = aws_iam_role.stop_database[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "StopThisInstance"
      Effect   = "Allow"
      Action   = ["rds:StopDBInstance"]
      Resource = ["${local.arn_prefix}:rds:${local.arn_scope}:db:${local.names.database}"]
    }]
  })
}
