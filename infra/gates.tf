# Two gates decide what costs money while the environment is idle: `power` (NAT gateway, load balancer) and `redis`.
# They are one stored object, written by the bootstrap once and later only by start and stop. No variable and no
# default: a plan made anywhere by anybody sees what start and stop decided and never rebuilds what is off on purpose.
data "aws_s3_object" "gates" {
  bucket = var.state_bucket
  key    = var.gates_key

  lifecycle {
    postcondition {
      condition     = can(keys(jsondecode(self.body)))
      error_message = "The gates object s3://${var.state_bucket}/${var.gates_key} is not a JSON object of content type application/json. It should read {\"power\": \"on\", \"redis\": \"present\"}: S3's versions of it hold the last good one."
    }

    postcondition {
      condition     = !can(keys(jsondecode(self.body))) || contains(["on", "off"], try(jsondecode(self.body).power, ""))
      error_message = "The gates object s3://${var.state_bucket}/${var.gates_key} must say whether \"power\" is \"on\" or \"off\"."
    }

    postcondition {
      condition     = !can(keys(jsondecode(self.body))) || contains(["present", "adopt", "absent"], try(jsondecode(self.body).redis, ""))
      error_message = "The gates object s3://${var.state_bucket}/${var.gates_key} must say whether \"redis\" is \"present\", \"adopt\" or \"absent\"."
    }

    # What a stop took out of Redis waits in a snapshot until a start has restored it. A cluster that Terraform made now would be an empty one.
    postcondition {
      condition     = !can(keys(jsondecode(self.body))) || try(jsondecode(self.body).redis, "") != "present" || try(jsondecode(self.body).redis_snapshot, "") == ""
      error_message = "The gates object s3://${var.state_bucket}/${var.gates_key} says that Redis is present, but also that its content waits in the snapshot ${try(jsondecode(self.body).redis_snapshot, "?")}. Run start.yml, which restores it."
    }
  }
}

locals {
  gates = jsondecode(data.aws_s3_object.gates.body)

  power_on = local.gates.power == "on"

  # `adopt` is `present` for one apply that takes a restored cluster into the state first.
  redis_exists = contains(["present", "adopt"], local.gates.redis)
  redis_adopt  = local.gates.redis == "adopt"
}
