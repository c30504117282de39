# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What recovery reads of an environment: its databases and their snapshots, what a destroy leaves, and what an environment that is made again finds."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import Denied, NotFound, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.power.read import services_of, tasks_of
from ansible_collections.atena.aws.plugins.module_utils.secrets import address
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl

BEFORE, RESTORED = "before", "restored"


# --- Decisions --------------------------------------------------------------------------------------------------------
def aside_name(identifier: str, kind: str, stamp: str) -> str:
    """What an instance is called that stands beside the one of that identifier: BEFORE, which it was; or RESTORED, which is to become it."""
    return f"{identifier}-{kind}-{stamp}"


def is_beside(name: str, identifier: str) -> bool:
    """Whether an instance of that name was made or kept by a restore beside this one."""
    return name.startswith(tuple(f"{identifier}-{kind}-" for kind in (BEFORE, RESTORED)))


def beside(instances: list[dict], identifier: str) -> list[str]:
    """Identifiers of the instances that a restore made or kept beside this one."""
    return sorted(one["DBInstanceIdentifier"] for one in instances if is_beside(one["DBInstanceIdentifier"], identifier))


def newest(snapshots: list[dict]) -> list[dict]:
    """Snapshots that can be restored, newest first."""
    usable = [one for one in snapshots if one["Status"] == "available" and one.get("SnapshotCreateTime")]
    return sorted(usable, key=lambda one: one["SnapshotCreateTime"], reverse=True)


def listed(snapshots: list[dict], most: int = 5) -> str:
    """The newest ones, for a sentence."""
    found = newest(snapshots)
    names = [f"{one['DBSnapshotIdentifier']} ({one['SnapshotCreateTime']:%Y-%m-%d %H:%M} UTC)" for one in found[:most]]
    return ", ".join(names) + (f", and {len(found) - most} more" if len(found) > most else "") if names else "none"


# --- Reading ----------------------------------------------------------------------------------------------------------
def instances(call: Aws) -> list[dict[str, Any]]:
    return call.pages("rds", "describe_db_instances", "list the databases", "DBInstances")


def snapshots(call: Aws, identifier: str, resource_id: str = "") -> list[dict[str, Any]]:
    """Snapshots of the instance of this name, and of this resource id, whatever it was called when they were taken."""
    found = call.pages("rds", "describe_db_snapshots", f"list the snapshots of {identifier}", "DBSnapshots", DBInstanceIdentifier=identifier)
    if not resource_id:
        return found
    every = call.pages("rds", "describe_db_snapshots", "list the snapshots", "DBSnapshots")
    known = {one["DBSnapshotIdentifier"] for one in found}
    return found + [one for one in every if one.get("DbiResourceId") == resource_id and one["DBSnapshotIdentifier"] not in known]


def snapshot(call: Call, name: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = absent_as(
        [],
        "DBSnapshot",
        lambda: call("rds", "describe_db_snapshots", f"read the snapshot {name}", DBSnapshotIdentifier=name)["DBSnapshots"],
    )
    return found[0] if found else None


def services(call: Aws, cluster: str) -> dict[str, dict[str, Any]]:
    return absent_as({}, "Cluster", lambda: services_of(call, cluster))


def tasks(call: Aws, cluster: str) -> list[dict[str, Any]]:
    return absent_as([], "Cluster", lambda: tasks_of(call, cluster))


def image_counts(call: Aws, names: list[str]) -> dict[str, int]:
    """{repository: how many images it holds} of those that exist."""
    found = {name: _images_of(call, name) for name in names}
    return {name: len(images) for name, images in found.items() if images is not None}


def _images_of(call: Aws, name: str) -> list[dict[str, Any]] | None:
    doing = f"list the images of {name}"
    return absent_as(None, "Repository", lambda: call.pages("ecr", "describe_images", doing, "imageDetails", repositoryName=name))


def lifecycle_policies(call: Call, names: list[str]) -> list[str]:
    """Those of these repositories that have one."""
    found = []
    for name in names:
        # Neither a repository that does not exist has one, nor one without a policy.
        with contextlib.suppress(NotFound):
            call("ecr", "get_lifecycle_policy", f"read the lifecycle policy of {name}", repositoryName=name)
            found.append(name)
    return found


def log_groups(call: Aws, prefix: str) -> list[str]:
    groups = call.pages("logs", "describe_log_groups", f"list the log groups {prefix}*", "logGroups", logGroupNamePrefix=prefix)
    return sorted(group["logGroupName"] for group in groups)


def sslmode(call: Call, path: str) -> str:
    """Of the DATABASE_URL below a path; '' where that is not there, may not be read, or says nothing of it."""
    try:
        return DatabaseUrl.parse(address.read(call, f"{path}/DATABASE_URL")).sslmode
    except (NotFound, Denied, ValueError):
        return ""


def parameter_names(call: Aws, path: str) -> list[str]:
    """Names only: no value is asked for."""
    filters = [{"Key": "Path", "Option": "Recursive", "Values": [path]}]
    found = call.pages("ssm", "describe_parameters", f"list the parameters below {path}", "Parameters", ParameterFilters=filters)
    return sorted(one["Name"] for one in found)
