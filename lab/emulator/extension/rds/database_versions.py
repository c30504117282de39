"""A database has a whole version, whatever was asked for, and never goes back to an older one: `/_lab/database_version`.

MiniStack answers what it was asked: `16` for `16`, and takes any other version afterwards. RDS answers `16.13` for an instance that was made as `16`, keeps a
snapshot's version in what is restored from it, and refuses a version that is not an upgrade, with InvalidParameterCombination and the words below. Those
were seen by many with a whole version (hashicorp/terraform-provider-aws issues 39579 and 1198, hashicorp/terraform issue 22462), and for the major alone
with the whole version that RDS takes for it (provider pull request 49496: `14` asked of 14.22 is 'Cannot upgrade postgres from 14.22 to 14.17';
terraform-aws-rds issue 627: `17` asked of 16.13 is '... from 16.13 to 17.6').
RDS's API reference has of the major alone: "Amazon RDS updates the DB instance to the default minor version if the current minor version is lower".

Not certain: what RDS says to a major alone whose default is the version that runs. Here it is refused as well, so that nothing relies on its being taken.

`PUT /_lab/database_version {"database": NAME, "version": "16.14"}` is an automatic minor upgrade, which here takes no time; `GET` tells all versions. The
PostgreSQL in the container stays what the image has.
"""

from __future__ import annotations

import re
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import rds

from ..common import control
from ..common.patching import replace

# The minor version that RDS takes where a major version alone is asked for: some that were once offered, of one time.
DEFAULTS = {"13": "13.23", "14": "14.22", "15": "15.17", "16": "16.13", "17": "17.9", "18": "18.3"}
NO_FLAG = "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."


def apply() -> None:
    replace(rds, "_create_db_instance", _whole)
    replace(rds, "_modify_db_instance", _upgrading)
    control.subjects["database_version"] = answer


def whole(version: str) -> str:
    """The version that RDS takes for what was asked for."""
    return DEFAULTS.get(version, version)


def numbers(version: str) -> tuple[int, ...]:
    """16.13 -> (16, 13): versions of PostgreSQL are compared as numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0]))


def refusal(actual: str, asked: str, allow_major: bool) -> str:
    """Why an instance of this version does not become what is asked for; '' if it does."""
    wanted = whole(asked)
    if asked == actual:
        return ""
    if numbers(wanted) <= numbers(actual):
        return f"Cannot upgrade postgres from {actual} to {asked if wanted == actual else wanted}"
    return NO_FLAG if numbers(wanted)[0] != numbers(actual)[0] and not allow_major else ""


def _whole(create: Any) -> Any:
    def create_whole(params: dict[str, Any]) -> Any:
        if rds._p(params, "Engine") == "postgres":
            # Without a version RDS takes the default of its default major version; here that is the newest for which there is an image.
            params = {**params, "EngineVersion": [whole(rds._p(params, "EngineVersion") or "16")]}
        return create(params)

    return create_whole


def _upgrading(modify: Any) -> Any:
    def modify_upgrading(params: dict[str, Any]) -> Any:
        instance, asked = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier")), rds._p(params, "EngineVersion")
        if instance is None or not asked or instance["Engine"] != "postgres":
            return modify(params)
        wrong = refusal(instance["EngineVersion"], asked, rds._p(params, "AllowMajorVersionUpgrade") == "true")
        if wrong:
            return rds._error("InvalidParameterCombination", wrong, 400)
        return modify({**params, "EngineVersion": [whole(asked)]})

    return modify_upgrading


def answer(method: str, rest: list[str], wish: Any) -> tuple[int, Any]:
    if method == "GET":
        return 200, {name: instance["EngineVersion"] for (_account, _region, name), instance in rds._instances.all_items()}
    if method != "PUT":
        return 405, {"error": "GET or PUT"}
    name, version = (wish.get("database"), wish.get("version")) if isinstance(wish, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(version, str) or not re.fullmatch(r"\d+\.\d+", version):
        raise ValueError('{"database": its name, "version": "16.14"}')
    upgraded = []
    for (account, region, one), instance in rds._instances.all_items():
        with request_scope(account, region):
            if one != name:
                continue
            actual = instance["EngineVersion"]
            if numbers(version)[0] != numbers(actual)[0] or numbers(version) <= numbers(actual):
                raise ValueError(f"{name} has {actual}: AWS upgrades by itself to a newer minor version only")
            instance["EngineVersion"] = version
            upgraded.append(name)
    return (200, {"upgraded": upgraded}) if upgraded else (404, {"error": f"there is no database {name}"})
