# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions about two database users that take turns: whose turn it is, and with which address. No call to AWS here; no text holds a password."""

from __future__ import annotations

import copy
import secrets
import string
from typing import NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.rotation.plan import Standing
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl

# Letters and digits only: the password is part of a URL, and RDS refuses some signs. 40 of them are 238 bits.
_SIGNS, _LENGTH = string.ascii_letters + string.digits, 40


# States in which RDS takes another master password. The second one lasts for hours after storage was added.
_USABLE = ("available", "storage-optimization")


class Turn(NamedTuple):
    """Who hands over to whom. `finishes`: an earlier run has written the new address already."""

    old: str
    new: str
    finishes: bool


def new_password() -> str:
    return "".join(secrets.choice(_SIGNS) for _each in range(_LENGTH))


def user_of(value: str) -> str:
    """The user in the secret; '' of one that is no database's URL."""
    try:
        return DatabaseUrl.parse(value).user
    except ValueError:
        return ""


def with_user(value: str, user: str, password: str) -> str:
    """The secret with another user and password; host, port, database and options stay."""
    return DatabaseUrl.parse(value).with_login(user, password).text


def turn(now: Standing, users: list[str]) -> Turn | None:
    """Whose turn it is; None when an earlier run failed and has the old user back already: then its new tasks are all there is to see to."""
    if now.before is not None and now.before_version is not None and now.version > now.before_version:
        old, new = user_of(now.before), user_of(now.value)
        return None if old == new else Turn(old, new, True)
    old = user_of(now.value)
    return Turn(old, users[1] if old == users[0] else users[0], False)


def problems(secret: str, now: Standing | None, database: dict | None, identifier: str, users: list[str]) -> list[str]:
    """Why no password may be rotated, a sentence each with its remedy. `database`: as described, None if it does not exist."""
    if now is None:
        return [f"{secret} does not exist; infra.yml makes it"]
    if database is None:
        return [f"the database {identifier} does not exist; run infra.yml"]
    said = []
    if database["DBInstanceStatus"] not in _USABLE:
        said.append(f"the database {identifier} is {database['DBInstanceStatus']}, not available; wait, or run start.yml if the environment is stopped")
    if database.get("MasterUserSecret"):
        said.append(f"RDS itself keeps the master password of {identifier} in Secrets Manager, where this collection does not use it")
    if database["MasterUsername"] in users:
        said.append(f"the master user {database['MasterUsername']} cannot be one of the two users that alternate")
    if user_of(now.value) not in (database["MasterUsername"], *users):
        said.append(
            f"the user in {secret} is neither the database's master user nor one of {', '.join(users)}, so this collection did not make it and will not "
            "replace it; correct the parameter, or the names of the users (database_password_users)"
        )
    return said


def password_is_set(database: dict) -> bool:
    """Whether RDS has done with a new master password, by a described instance."""
    return database["DBInstanceStatus"] in _USABLE and "MasterUserPassword" not in (database.get("PendingModifiedValues") or {})


def task_definition(running: dict, family: str, container: str, path: str, names: dict) -> dict:
    """RegisterTaskDefinition's arguments for the program that speaks to the database: what the service runs, but with these secrets only.

    names: {variable: parameter's name}.

    Secrets cannot be overridden in RunTask, and its overrides can be read by anybody who may describe a task.
    """
    arn = running["taskDefinitionArn"].split(":")
    place = f"arn:{arn[1]}:ssm:{arn[3]}:{arn[4]}:parameter{path}"
    copied = (
        "containerDefinitions",
        "cpu",
        "memory",
        "executionRoleArn",
        "taskRoleArn",
        "networkMode",
        "requiresCompatibilities",
        "runtimePlatform",
        "volumes",
    )
    made = {key: copy.deepcopy(running[key]) for key in copied if running.get(key)}
    for item in made["containerDefinitions"]:
        if item["name"] == container:
            item["secrets"] = [{"name": variable, "valueFrom": f"{place}/{name}"} for variable, name in names.items()]
            item.pop("healthCheck", None)
    return {**made, "family": family}


def lines(secret: str, step: Turn | None, master: str, services: list[str], would: bool) -> list[str]:
    """What is or would be done, for people."""
    verb = "would be " if would else ""
    started = f"New tasks {verb}started of: {', '.join(services) or 'no service, since none that runs reads it'}"
    if step is None:
        return [f"{secret}: a rotation failed, and its old value is back; that {verb}finished with new tasks", started]
    said = [
        f"{secret}: an earlier rotation from {step.old} to {step.new} is incomplete; {verb}finished"
        if step.finishes
        else f"{secret}: {step.old} {verb}replaced by {step.new}, with a password of its own",
        started,
        f"The master user {master} {verb}given another password, which no service knows"
        if step.old == master
        else f"{step.old} {verb}revoked, and its password removed",
    ]
    return said
