"""Start MiniStack with the lab's extension: each file of `extension/` mends one shortcoming, then MiniStack's own main() runs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

# In the order in which they are applied: a later one may wrap what an earlier one put there.
PIECES = (
    "common.containers",
    "common.gateway",
    "common.whole_answers",
    "common.control",
    "faults.faults",
    "common.lab_settings",
    "ecr.registry",
    "ecr.image_tags",
    "ssm.parameters",
    "ecs.task_secrets",
    "ecs.task_rights",
    "ecs.task_architecture",
    "ecs.task_images",
    "ecs.task_settings",
    "ecs.task_logs",
    "logs.log_filter",
    "ecs.task_stop",
    "ecs.task_requests",
    "ecs.task_origin",
    "ecs.task_exec",
    "ecs.task_capacity",
    "ecs.service_load_balancer",
    "ecs.service_deployments",
    "ecs.container_health",
    "elbv2.target_health",
    "elbv2.listener_rules",
    "elasticache.cache_settings",
    "elasticache.cache_parameters",
    "elasticache.cache_snapshots",
    "elasticache.cache_states",
    "elasticache.cache_versions",
    "elasticache.cache_nodes",
    "elasticache.cache_encryption",
    "ec2.nat_states",
    "ec2.nat_addresses",
    "elbv2.load_balancer_delete",
    "elbv2.load_balancer_state",
    "rds.database_address",
    "rds.database_data",
    "rds.database_tls",
    "rds.database_events",
    "rds.database_snapshots",
    "rds.database_power",
    "rds.database_delete",
    "rds.database_restore",
    "rds.database_rename",
    "rds.database_versions",
    "rds.lab_clock",
    "scheduler.schedule_targets",
    "ecs.task_families",
    "iam.policy_simulation",
    # Last: it imports MiniStack's gateway, which takes what the others put there.
    "ecs.service_scaling",
)


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    for name in PIECES:
        importlib.import_module(f"extension.{name}").apply()
    from ministack import app

    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main()
