# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run leaves for programs to read: the outcome of each environment, as JSON. docs/result-file.md describes it."""

from __future__ import annotations

import contextlib
import datetime
import json
import operator
import os
import tempfile
from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.redaction import clean

FORMAT = 1
# datetime.UTC came with Python 3.11, and the refusal of an older one is an outcome too.
UTC = datetime.timezone(datetime.timedelta(0))
SUCCEEDED, FAILED = "succeeded", "failed"
_COLLECTION = "atena.aws."
# What stands, from ansible-core 2.22 on, where the value of a vaulted file or of a no_log option was: in texts and numbers, and in keys.
_CUT = "$REDACTED$"


# --- What a task's result says ----------------------------------------------------------------------------------------
_Read = Callable[[dict[str, Any]], Any]


def _migration_task(result: dict[str, Any]) -> str | None:
    return (result.get("migration") or {}).get("task_arn")


def _by_service(key: str) -> _Read:
    # Also the key of the name can have been cut.
    return lambda result: {entry["name"]: entry[key] for entry in result.get("services") or [] if entry.get("name") and entry.get(key)}


def _same(*keys: str) -> dict[str, _Read]:
    return {key: operator.methodcaller("get", key) for key in keys}


# Only what is named here is taken from a module's result: whatever else one returns, now or later, cannot get into the file.
_IDS: dict[str, dict[str, _Read]] = {
    "caller_identity_info": _same("account"),
    "ecs_release": {
        **_same("release", "release_id", "evidence"),
        "task_arn": _migration_task,
        "task_definitions": _by_service("task_definition"),
        "deployment_ids": _by_service("deployment_id"),
    },
    "ecs_exec": {"task_id": lambda result: result.get("task")},
    "ecs_restart": {"deployment_ids": _by_service("deployment_id")},
    "ecs_rollout": {"task_definitions": _by_service("task_definition"), "deployment_ids": _by_service("deployment_id")},
    "ecs_run_task": _same("task_arn", "task_definition"),
    "environment_power": _same("redis_snapshot", "redis_restored", "database_snapshot", "restarts_at", "alb_dns_name"),
    "environment_diagnosis_info": {"evidence": lambda result: result.get("key") or next(iter(result.get("saved") or []), "")},
    "release_info": {"running_release_id": lambda result: result.get("running")},
}


def _items(result: dict) -> list[dict]:
    """The results of a loop, or the one there is."""
    found = result.get("results")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else [result]


def _table(action: str) -> dict[str, _Read]:
    return _IDS.get(action.removeprefix(_COLLECTION), {}) if action.startswith(_COLLECTION) else {}


def has_ids(action: str) -> bool:
    """Whether it is a task of ours whose result names things."""
    return bool(_table(action))


def ids_of(action: str, result: dict) -> dict:
    """What names the things that a task of ours dealt with; {} for any other."""
    table, found = _table(action), {}
    for item in _items(result):
        found.update({name: value for name, read in table.items() if (value := read(item))})
    return found


def is_cut(value: object) -> bool:
    """Whether Ansible cut something out of it, at any depth."""
    if isinstance(value, dict):
        return any(is_cut(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return any(is_cut(part) for part in value)
    return isinstance(value, str) and _CUT in value


def whole(ids: dict) -> dict:
    """The ids that are whole: half of one names nothing, or something else."""
    kept = {name: {key: one for key, one in value.items() if not is_cut((key, one))} if isinstance(value, dict) else value for name, value in ids.items()}
    return {name: value for name, value in kept.items() if value and not is_cut(value)}


def _keys_cut(value: object) -> bool:
    """Whether something cannot be found any more, since its name was cut."""
    if isinstance(value, dict):
        return any(is_cut(key) or _keys_cut(item) for key, item in value.items())
    return isinstance(value, (list, tuple)) and any(_keys_cut(item) for item in value)


def lines_of(message: object) -> list[str]:
    """A debug message as lines: a text, or a list of texts."""
    if isinstance(message, (list, tuple)):
        return [line for part in message for line in lines_of(part)]
    return [line for line in clean(str(message)).splitlines() if line.strip()]


def reason_of(task_name: str, result: dict) -> str:
    """Why a task failed, in its own words; of a loop, each item's that failed."""
    messages = [str(item.get("msg") or "") for item in _items(result) if item is result or item.get("failed")]
    text = "\n".join(message for message in messages if message) or str(result.get("msg") or "")
    if text:
        return clean(text)
    hidden = ", and its output is hidden" if "censored" in result else ", and Ansible cut its output" if _keys_cut(result) else ""
    return f"The task '{task_name}' failed{hidden}."


# --- One environment's outcome ----------------------------------------------------------------------------------------
def stamp(now: datetime.datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Outcome:
    """Grows with the results of one environment's tasks."""

    def __init__(self, environment: str, playbook: str, check_mode: bool, started: datetime.datetime):
        self.environment, self.playbook, self.check_mode, self.started = environment, playbook, check_mode, started
        self.changed = self.cut = False
        self.did: list[str] = []
        self.report: dict[str, Any] = {}
        self.ids: dict[str, Any] = {}
        self.failures: list[str] = []
        self.interrupted = ""

    def task(self, action: str, result: dict, changed: bool, told: bool) -> None:
        """A task that ended, well or not. told: whether it is a report of ours to the user."""
        self.changed = self.changed or changed
        ids = ids_of(action, result)
        kept = whole(ids)
        self.ids.update(kept)
        self.cut = self.cut or kept != ids or ((told or has_ids(action)) and _keys_cut(result))
        if told and "censored" not in result:
            shown = [item for item in _items(result) if "msg" in item and not item.get("skipped")]
            self.did += [line for item in shown for line in lines_of(item["msg"])]
            for item in shown:
                self.report.update(item.get("data") or {})

    def failed(self, task_name: str, result: dict) -> None:
        self.failures.append(reason_of(task_name, result))
        self.cut = self.cut or _keys_cut(result)

    def document(self, now: datetime.datetime, rescued: int = 0) -> dict:
        """rescued: how many of the failures were dealt with. They come first: after one that was not, only clearing up goes on."""
        failures = self.failures[rescued:]
        reason = failures[0] if failures else self.interrupted
        return {
            "format": FORMAT,
            "playbook": self.playbook,
            "environment": self.environment,
            "check_mode": self.check_mode,
            "changed": self.changed,
            "outcome": FAILED if reason else SUCCEEDED,
            "reason": reason,
            "did": list(self.did),
            "report": dict(self.report),
            "ids": dict(self.ids),
            "redacted": self.cut or is_cut([reason, self.did, self.report]),
            "started_at": stamp(self.started),
            "ended_at": stamp(now),
        }


def together(documents: list[dict]) -> dict:
    """What one file says: the document of one environment as it is; of several, the whole run and all of them."""
    if len(documents) == 1:
        return documents[0]
    failed = [document["environment"] for document in documents if document["outcome"] == FAILED]
    first = documents[0]
    return {
        **{key: first[key] for key in ("format", "playbook", "check_mode")},
        "changed": any(document["changed"] for document in documents),
        "outcome": FAILED if failed else SUCCEEDED,
        "reason": f"{len(failed)} of {len(documents)} environments failed: {', '.join(failed)}" if failed else "",
        "redacted": any(document["redacted"] for document in documents),
        "environments": documents,
        "started_at": min(document["started_at"] for document in documents),
        "ended_at": max(document["ended_at"] for document in documents),
    }


# --- The file ---------------------------------------------------------------------------------------------------------
def clear(path: str) -> None:
    """Removes what an earlier run left, so that nobody takes it for this one's. Makes the directory. Raises OSError."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def write(path: str, document: dict) -> None:
    """Private, and whole at any moment. Raises OSError."""
    handle, temporary = tempfile.mkstemp(prefix=".result-", dir=os.path.dirname(path))  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
