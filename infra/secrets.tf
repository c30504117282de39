locals {
  generated_secrets = ["DATABASE_URL", "REDIS_URL"]
  known_secrets     = concat(local.generated_secrets, var.manual_secrets)

  # Built from names. A data source on the manual ones would copy their decrypted values into the state.
  secret_arns = { for name in local.known_secrets : name => "${local.arn_prefix}:ssm:${local.arn_scope}:parameter${var.ssm_path}/${name}" }
}

# Created here, because only here the generated password is known; from then on the roles alone change the value (a
# rotation, a restored database with another address). To have Terraform write it anew, delete the parameter and apply.
#
# No tier on either: a stated tier fights with what Parameter Store chooses by itself.
resource "aws_ssm_parameter" "database_url" {
  name        = "${var.ssm_path}/DATABASE_URL"
  description = "PostgreSQL of ${local.name}, with its password"
  type        = "SecureString"
  value       = "postgresql://${var.database.username}:${random_password.database.result}@${aws_db_instance.main.address}:${aws_db_instance.main.port}/${var.database.name}?sslmode=${coalesce(var.database_sslmode, var.database.sslmode)}"

  lifecycle {
    ignore_changes = [value]
  }
}

resource "aws_ssm_parameter" "redis_url" {
  name        = "${var.ssm_path}/REDIS_URL"
  description = "Redis of ${local.name}"
  type        = "SecureString"

  # Without a cluster (the gate is closed) the address is one that resolves nowhere; the start writes the real one.
  value = local.redis_exists ? "redis://${aws_elasticache_cluster.main[0].cache_nodes[0].address}:${var.redis.port}" : "redis://absent.invalid:${var.redis.port}"

  lifecycle {
    ignore_changes = [value]
  }
}
