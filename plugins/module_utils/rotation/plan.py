# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions about rotating secrets: what is to be done with each, and whether an earlier rotation ended. No call to AWS here.

While a rotation goes on, the version that the services ran with before carries a label. It stays through a crash: Parameter Store itself keeps the
value to go back to, and tells that there is something to finish.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.secrets import plan as ssm_secrets

LABEL = "atena-before-rotation"
# Of the version that the services are well with, from the moment when what they had before is made useless: no run goes back then.
SETTLED_LABEL = "atena-after-rotation"
# What is to be done with one secret.
WRITE, FINISH, FORGET, NOTHING = "write", "finish", "forget", "nothing"


class Standing(NamedTuple):
    """A secret's newest version, and the labelled one of a rotation that did not end (None: there is none). settled: there is no way back to that one."""

    value: str
    version: int
    before: str | None = None
    before_version: int | None = None
    settled: bool = False

    @property
    def is_back(self) -> bool:
        """Whether the old value was written again already."""
        return self.before_version is not None and self.version > self.before_version and self.value == self.before


def standing(history: list[dict]) -> Standing | None:
    """From secrets.store.history(); None for a secret that does not exist."""
    if not history:
        return None
    newest = history[-1]
    marked = next((item for item in reversed(history) if LABEL in item["labels"]), None)
    settled = marked is not None and SETTLED_LABEL in newest["labels"]
    return Standing(newest["value"], newest["version"], marked and marked["value"], marked and marked["version"], settled)


def decide(now: Standing, wanted: str | None) -> str:
    """WRITE a new value; FINISH what an earlier run began, with the value that is there; FORGET a label of a run that wrote nothing; NOTHING."""
    if wanted is not None and wanted != now.value:
        return WRITE
    if now.before_version is None:
        return NOTHING
    return FINISH if now.version > now.before_version else FORGET


def problems(names: list[str], found: dict, values: dict, placeholder: str) -> list[str]:
    """Why nothing may be rotated, a sentence each. found: {name: Standing | None}."""
    said = ssm_secrets.findings(names, values, placeholder)
    said += [f"{name} does not exist yet, so there is nothing to rotate: set it with secrets.yml" for name in values if name in names and found[name] is None]
    return said


def actions(found: dict, values: dict) -> dict:
    """{name: action} of those with something to do."""
    decided = {name: decide(now, values.get(name)) for name, now in found.items() if now is not None}
    return {name: action for name, action in decided.items() if action != NOTHING}


def readers_of(names: Iterable[str], readers: dict) -> list[str]:
    """Services that read any of these secrets. readers: {service: {names of its secrets}}, in order."""
    return [service for service, read in readers.items() if read & set(names)]


def lines(decided: dict, found: dict, services: list[str], idle: list[str], would: bool) -> list[str]:
    """What is or would be done, for people."""
    verb = "would be " if would else ""
    said = []
    for name, action in decided.items():
        now = found[name]
        if action == WRITE:
            said.append(f"{name}: {verb}changed; version {now.before_version or now.version} is kept for a rollback")
        elif action == FINISH:
            what = "its old value, which is back already" if now.is_back else f"version {now.version}"
            said.append(f"{name}: an earlier rotation is incomplete; {verb}finished with {what}")
        else:
            said.append(f"{name}: an earlier rotation ended before it wrote anything; its mark {verb}removed")
    if any(action != FORGET for action in decided.values()):
        said.append(f"New tasks {verb}started of: {', '.join(services) or 'no service, since none that runs reads them'}")
        if idle:
            said.append(f"At count 0, so they take the values when they start: {', '.join(idle)}")
    return said or ["Nothing to rotate: every value given is the one that is there."]
