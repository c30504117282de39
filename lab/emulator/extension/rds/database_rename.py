"""An instance gets another identifier: ModifyDBInstance with NewDBInstanceIdentifier.

MiniStack does not hear it. RDS restarts the instance, and under the new name has the ARN, the address and the certificate change, its resource id not. Here
the address is the container's and stays. MiniStack also names containers and volumes after the identifier: what is made later under the old
name must not get the data of what was renamed. Instances can be asked for by their resource id, as Terraform asks: MiniStack knows no such filter
and answers with all of them.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from ministack.core.concurrency import resource_lock, spawn_background
from ministack.services import rds

from ..common import lab_settings
from ..common.containers import own_name
from ..common.patching import replace
from . import database_power, database_tls

logger = logging.getLogger("lab.database_rename")


def apply() -> None:
    replace(rds, "_modify_db_instance", _renaming)
    replace(rds, "_rds_docker_volume_name", _free_volume_name)
    replace(rds, "_apply_instance_filters", _by_resource_id)


def _by_resource_id(apply_filters: Any) -> Any:
    def apply_all(instances: list[dict[str, Any]], filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        wanted = filters.get("dbi-resource-id")
        return [one for one in apply_filters(instances, filters) if wanted is None or one.get("DbiResourceId") in wanted]

    return apply_all


def _free_volume_name(make: Any) -> Any:
    def free(*arguments: Any) -> str:
        name = make(*arguments)
        used = {one.get("_docker_volume_name") for one in rds._instances.values()}
        return next(one for one in (f"{name}-{number}" if number else name for number in range(len(used) + 1)) if one not in used)

    return free


def _renaming(modify: Any) -> Any:
    def modify_or_rename(params: dict[str, Any]) -> Any:
        new = rds._p(params, "NewDBInstanceIdentifier")
        instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
        if not new or instance is None or new == instance["DBInstanceIdentifier"]:
            return modify(params)
        old = instance["DBInstanceIdentifier"]
        if new in rds._instances:
            return rds._error("DBInstanceAlreadyExists", f"DB instance {new} already exists.", 400)
        if rds._p(params, "ApplyImmediately") != "true":
            return rds._error("InvalidParameterCombination", "In the lab an instance is renamed at once: ApplyImmediately.", 400)
        with resource_lock("rds", old):
            answer = modify(params)  # which refuses what is stopped, and does what else was asked for
            if answer[0] != 200:
                return answer
            if instance["DBInstanceStatus"] != "available":
                return rds._error("InvalidDBInstanceState", f"Database instance {old} is not in available state.", 400)
            instance["DBInstanceStatus"] = "renaming"
        spawn_background(_rename, instance, old, new, thread_name=f"lab-rename-{new}")
        return rds._single_instance_response("ModifyDBInstanceResponse", "ModifyDBInstanceResult", instance)

    return modify_or_rename


def _rename(instance: dict[str, Any], old: str, new: str) -> None:
    began = time.time()
    container = database_power._container(instance)
    if container is not None:
        database_tls.certify(container, new)
        container.rename(own_name(rds._rds_docker_name(new), os.environ["ATENA_LAB_PREFIX"]))
        container.restart(timeout=database_power.STOP_SECONDS)
    lab_settings.wait("database_rename", began)
    before = instance["DBInstanceArn"]
    instance.update(DBInstanceIdentifier=new, DBInstanceArn=f"{before.rpartition(':')[0]}:{new}")
    rds._instances[new] = instance
    del rds._instances[old]
    if before in rds._tags:
        rds._tags[instance["DBInstanceArn"]] = rds._tags.pop(before)
    good = container is None or database_power.answers(instance)
    instance["DBInstanceStatus"] = "available" if good else "failed"
