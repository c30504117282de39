"""Start MiniStack with the lab's extension: each file of `extension/` mends one shortcoming, then MiniStack's own main() runs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

# In the order in which they are applied: a later one may wrap what an earlier one put there.
PIECES = (
    "containers",
    "gateway",
    "whole_answers",
    "control",
    "faults",
    "lab_settings",
    "registry",
    "image_tags",
    "parameters",
    "task_secrets",
    "task_rights",
    "task_architecture",
    "task_images",
    "task_settings",
    "task_logs",
    "log_filter",
    "task_stop",
    "task_requests",
    "task_origin",
    "task_exec",
    "task_capacity",
    "service_load_balancer",
    "service_deployments",
    "target_health",
    "cache_settings",
    "cache_parameters",
    "cache_snapshots",
    "cache_states",
    "nat_states",
    "nat_addresses",
    "load_balancer_delete",
    "load_balancer_state",
    "database_address",
    "database_data",
    "database_events",
    "database_snapshots",
    "database_power",
    "database_delete",
    "database_restore",
    "database_rename",
    "lab_clock",
    "schedule_targets",
    "task_families",
    "policy_simulation",
    # Last: it imports MiniStack's gateway, which takes what the others put there.
    "service_scaling",
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
