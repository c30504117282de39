resource "aws_elasticache_subnet_group" "main" {
  name        = local.names.redis
  description = "Private subnets of ${local.name}"
  subnet_ids  = [for zone in local.zone_names : aws_subnet.private[zone].id]
}

resource "aws_elasticache_parameter_group" "main" {
  name        = "${local.name}-redis7"
  family      = "redis7"
  description = "Redis of ${local.name}"

  # BullMQ keeps jobs in Redis. Under memory pressure a write must fail; with any other policy a job would vanish.
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_cluster" "main" {
  count = local.redis_exists ? 1 : 0

  cluster_id      = local.names.redis
  engine          = "redis"
  engine_version  = var.redis.engine_version
  node_type       = var.redis.node_type
  num_cache_nodes = 1
  port            = var.redis.port

  # For an environment that is made again (redeploy.yml).
  snapshot_name = var.redis_snapshot

  parameter_group_name = aws_elasticache_parameter_group.main.name
  subnet_group_name    = aws_elasticache_subnet_group.main.name
  security_group_ids   = [aws_security_group.redis.id]

  snapshot_window          = var.redis.snapshot_window
  snapshot_retention_limit = var.redis.snapshot_retention_days
  maintenance_window       = var.redis.maintenance_window

  # Otherwise a change waits for the maintenance window, and every plan until then proposes it again.
  apply_immediately = true

  tags = { Name = local.names.redis }

  lifecycle {
    # What a cluster was made from is over once it is there: with it, or without it, the next plan would replace the cluster.
    ignore_changes = [snapshot_name]
  }
}

# A start restores Redis from its snapshot outside Terraform, then asks by the gate for one apply that takes the cluster
# into the state instead of creating an empty one. A cluster that is in the state already is left as it is.
import {
  for_each = toset(local.redis_adopt || var.redis_taken_in ? [local.names.redis] : [])
  to       = aws_elasticache_cluster.main[0]
  id       = each.value
}
