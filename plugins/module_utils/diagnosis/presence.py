# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether what a task met would be met by a task that starts now. What can be checked again is checked again; nothing is over because time went by.

A failure is over when a later task of the service shows it, when it was the fault of a revision that is not there any more, or when what it was about is
right now. Of what lies outside the revision and cannot be checked, it is taken to be still so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.diagnosis.aws import DATABASE_SERVES, REDIS_SERVES
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.codes import BY_CODE, ENVIRONMENT, PASSING, REVISION, explains
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import Found
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import Task
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.view import View


class _Check(NamedTuple):
    """found: codes of findings about the present that say that it is still so. could: whether they could have been found."""

    found: tuple[str, ...]
    could: Callable[[View, Task], bool]


def _parameters(view: View, task: Task) -> bool:
    return view.facts.secrets is not None


def _rights(view: View, task: Task) -> bool:
    entries = [entry for entry in view.facts.access if task.service in entry.services]
    return bool(entries) and not any(entry.undetermined for entry in entries)


def _images(view: View, task: Task) -> bool:
    service = view.services[task.service]
    containers = [container for arn in service.revisions for container in view.definition(arn).containers]
    return bool(containers) and all(view.facts.images.get(container.image) for container in containers)


def _groups(view: View, task: Task) -> bool:
    return bool(view.facts.log_groups) and None not in view.facts.log_groups.values()


def _network(view: View, task: Task) -> bool:
    parts = view.network
    return None not in (parts.groups, parts.subnets, parts.route_tables, parts.nat_gateways, parts.endpoints)


def _database(view: View, task: Task) -> bool:
    return view.database is not None and view.database.status in DATABASE_SERVES and bool(view.facts.secrets and view.facts.secrets.database_url_is_right)


def _redis(view: View, task: Task) -> bool:
    return view.redis is not None and view.redis.status in REDIS_SERVES and bool(view.facts.secrets and view.facts.secrets.redis_url_is_right)


def _written_since(name: str) -> Callable[[View, Task], bool]:
    """A parameter that was written after the task ended: what it holds now, that task has not tried."""

    def could(view: View, task: Task) -> bool:
        changed = view.facts.secrets.modified(f"{view.ssm_path}/{name}") if view.facts.secrets else ""
        return bool(changed) and changed > task.last_moment

    return could


_OF_DATABASE, _OF_REDIS = _Check((), _database), _Check((), _redis)
_CHECKS = {
    "SECRET_MISSING": _Check(("SECRET_MISSING",), _parameters),
    "SECRET_DENIED": _Check(("SECRET_DENIED",), _rights),
    "IMAGE_DENIED": _Check(("IMAGE_DENIED",), _rights),
    "LOGS_DENIED": _Check(("LOGS_DENIED",), _rights),
    "ROLE_NOT_ASSUMABLE": _Check(("ROLE_NOT_ASSUMABLE",), _rights),
    "IMAGE_MISSING": _Check(("IMAGE_MISSING",), _images),
    "IMAGE_NOT_PULLED": _Check(("IMAGE_MISSING", "IMAGE_DENIED", "EGRESS_MISSING"), _images),
    "LOG_GROUP_MISSING": _Check(("LOG_GROUP_MISSING",), _groups),
    "EGRESS_MISSING": _Check(("EGRESS_MISSING",), _network),
    "DATABASE_UNREACHABLE": _OF_DATABASE,
    "DATABASE_HOST_UNKNOWN": _OF_DATABASE,
    "DATABASE_CONNECTIONS_ENDED": _OF_DATABASE,
    "REDIS_UNREACHABLE": _OF_REDIS,
    "REDIS_HOST_UNKNOWN": _OF_REDIS,
    **{
        code: _Check((), _written_since("DATABASE_URL"))
        for code in ("DATABASE_CREDENTIALS_REFUSED", "DATABASE_CERTIFICATE_NAME", "DATABASE_NAME_UNKNOWN", "DATABASE_ENCRYPTION_REQUIRED")
    },
    **{
        code: _Check((), _written_since("REDIS_URL"))
        for code in ("REDIS_CREDENTIALS_REFUSED", "REDIS_CERTIFICATE_NAME", "REDIS_CERTIFICATE_REFUSED", "REDIS_READ_ONLY")
    },
}


class Presence:
    """now: the findings about the present, of the rules that look at no task."""

    def __init__(self, view: View, now: Iterable[Found]) -> None:
        self._view, self._now = view, list(now)

    def is_over(self, task: Task, code: str) -> bool:
        view = self._view
        if view.was_asked_for(task):
            return False
        if task.service not in view.services or view.is_replaced(task):
            return True
        still = self._checked(task, code)
        if still is not None:
            # Of tasks that go on failing, one check that finds nothing is no proof.
            return not still and (view.is_settled(view.services[task.service]) or not view.is_current(task))
        if BY_CODE[code].lasts == PASSING:
            return view.is_settled(view.services[task.service])
        return BY_CODE[code].lasts == REVISION and not view.is_current(task)

    def _checked(self, task: Task, code: str) -> bool | None:
        """Whether it is still so, by a check of what there is now; None if there is no such check, or it could not be made."""
        same = [item for item in self._now if not item.concerns or task.service in item.concerns]
        check = _CHECKS.get(code)
        lasts = BY_CODE[code].lasts == ENVIRONMENT
        if any((lasts and explains(item.code, code)) or (check and item.code in check.found) for item in same):
            return True
        return False if check and check.could(self._view, task) else None
