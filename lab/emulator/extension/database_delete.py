"""A deleted database takes its data along.

MiniStack leaves the volume behind, and a database made later under the same name starts on the old one's tables and password.
"""

from __future__ import annotations

import logging
from typing import Any

from docker.errors import APIError, NotFound
from ministack.services import rds

from .patching import replace

logger = logging.getLogger("lab.database_delete")


def apply() -> None:
    replace(rds, "_delete_db_instance", _with_volume)


def _with_volume(delete: Any) -> Any:
    def delete_all(params: dict[str, Any]) -> Any:
        instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
        volume = instance and instance.get("_docker_volume_name")
        answer = delete(params)
        if volume and answer[0] == 200:
            try:
                rds._get_docker().volumes.get(volume).remove()
            except NotFound:
                pass  # its container had not started yet
            except APIError as error:
                logger.warning("the volume %s of the deleted database stays: %s", volume, error)
        return answer

    return delete_all
