# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A task of ours that failed: one block for the person, the whole of it in a private file, and next to nothing in what Ansible itself prints.

Ansible shows a failed result as JSON or YAML: all of it, with the message in it, and since ansible-core 2.19 the message once before. What a result has can
only be changed before any callback gets it, so an action plugin does that. Where the block is best shown - at the very end - only a callback can.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from ansible import constants as C
from ansible.utils.display import Display
from ansible_collections.atena.aws.plugins.module_utils.core.failure import PARTS, Failure, of_result
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import clean
from ansible_collections.atena.aws.plugins.plugin_utils import screen

try:
    from ansible.module_utils.secrets import mask_secrets  # ansible-core 2.22
except ImportError:

    def mask_secrets(value: str) -> str:
        """Earlier ones keep no list of secrets, and cut none out."""
        return value


_COLLECTION = "atena.aws"
# Actions that do nothing but speak to people.
_FOR_ROLES = (f"{_COLLECTION}.report_failure", f"{_COLLECTION}.verify")
# Where the parts of a failure go with a result, from the action plugin to the callbacks: Ansible shows it with -vvv only.
KEY = "failure"
_LABELS = dict(zip(PARTS, ("What", "Why", "State", "Next"), strict=True))
_MOST = dict(zip(PARTS, (4, 8, 5, 9), strict=True))
_MOST_LINES = 28
_KEPT_FILES = 50
# Scalars that a playbook branches on: short, and none of them is shown twice for it.
_KEPT = ("changed", "failed", "code", "outcome", "release_id", "rc", "skipped", "exit_code")

# Set by the callback, before there are workers: then it is the one that shows blocks.
at_the_end = False


# --- The block --------------------------------------------------------------------------------------------------------
def _cut(parts: dict[str, list[str]], file: str) -> dict[str, list[str]]:
    """Each part with so many lines that the block fits; what one does not need, the reason may have."""
    if sum(map(len, parts.values())) <= _MOST_LINES:
        return parts
    most = {part: min(len(lines), _MOST[part]) for part, lines in parts.items()}
    most["why"] += _MOST_LINES - sum(most.values())
    more = " in the file" if file else ""
    return {
        part: lines if len(lines) <= most[part] else [*lines[: most[part] - 1], f"({len(lines) - most[part] + 1} more lines{more})"]
        for part, lines in parts.items()
    }


def block(failure: Failure, columns: int, file: str = "") -> list[str]:
    """What a person reads: each part under its label, cut where it is long and the file has the rest."""
    column = max(len(label) for label in ("Details", *_LABELS.values())) + 5
    given = {"what": [failure.what], **{part: getattr(failure, part) for part in PARTS[1:]}}
    parts = _cut({part: screen.arrange(lines, columns - column, "") for part, lines in given.items()}, file)
    labelled = [(_LABELS[part] if first else "", line) for part, lines in parts.items() for first, line in _firsts(lines)]
    labelled += [("Details", short(file))] if file else []
    return [f"  {f'{label}:' if label else '':<{column - 2}}{line}".rstrip() for label, line in labelled]


def _firsts(lines: Iterable[str]) -> list[tuple[bool, str]]:
    return [(number == 0, line) for number, line in enumerate(lines)]


def head(host: str, playbook: str, task: str, code: str = "") -> str:
    """'FAILED: deploy.yml on atena-prod [DATABASE_CREDENTIALS_REFUSED]'"""
    where = f"{playbook} on {host}" if playbook else f"{task} on {host}"
    return f"FAILED: {where}" + (f" [{code}]" if code else "")


def show(host: str, playbook: str, task: str, told: Mapping[str, Any]) -> None:
    failure, file = of_result({KEY: told}), str(told.get("file") or "")
    title = head(host, playbook, task, failure.code)
    lines = [title, *block(failure, screen.width(), file)]
    aside = C.DEFAULT_STDOUT_CALLBACK.endswith("json")
    Display().display("\n".join(screen.painted(line, C.COLOR_ERROR) if line == title else line for line in lines), stderr=aside, screen_only=True)
    Display().display("\n".join(lines), log_only=True)


# --- The file ---------------------------------------------------------------------------------------------------------
def _document(title: str, failure: Failure, message: str, result: Mapping[str, Any]) -> str:
    whole = {key: value for key, value in result.items() if not key.startswith("_ansible") and key not in ("invocation", "exception", KEY, "msg")}
    text = yaml.safe_dump(_plain(whole), allow_unicode=True, sort_keys=True, width=140)
    parts = [title, "", *block(failure, 140), "", "The whole message:", "", textwrap.indent(message, "  "), "", "The whole result:", "", text]
    return mask_secrets(clean("\n".join(parts)))


def _plain(value: Any) -> Any:
    """Without Ansible's own types, which YAML cannot write."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def write(directory: str, name: str, document: str) -> str:
    """A new private file; returns its path. The oldest of many are removed. Raises OSError."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    stamp = datetime.datetime.now(datetime.timezone(datetime.timedelta(0))).strftime("%Y%m%dT%H%M%S")
    named = f"{stamp}-{re.sub(r'[^A-Za-z0-9_-]+', '-', name)}"
    for number in itertools.count(1):
        path = os.path.join(directory, f"{named}{f'-{number}' if number > 1 else ''}.txt")
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            break
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(document)
    found = [os.path.join(directory, entry) for entry in os.listdir(directory) if entry.endswith(".txt")]
    for old in sorted(found, key=os.path.getmtime)[:-_KEPT_FILES]:
        os.unlink(old)
    return path


def short(path: str) -> str:
    """The path as a person would type it from here."""
    home, here = os.path.expanduser("~"), os.getcwd()
    if path.startswith(f"{here}{os.sep}"):
        return os.path.relpath(path, here)
    return f"~{path[len(home) :]}" if path.startswith(f"{home}{os.sep}") else path


def told_of(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parts of a failure of ours, from a result that a callback got; None of any other."""
    invocation = result.get("invocation")
    found = invocation.get(KEY) if isinstance(invocation, Mapping) else None
    return dict(found) if isinstance(found, Mapping) and "result" in found else None


def whole(result: dict[str, Any]) -> dict[str, Any]:
    """The result as the module gave it, also of a failure that was cut down for the screen, and those of a loop."""
    told, items = told_of(result), result.get("results")
    if isinstance(items, list):
        return {**result, "results": [whole(item) if isinstance(item, dict) else item for item in items]}
    return {**result, **told["result"]} if told else result


# --- The result -------------------------------------------------------------------------------------------------------
def is_of_our_roles(task: Any) -> bool:
    """Whether a role of ours has this task, or could have. Who uses a module in a playbook of their own, or by `ansible -m`, gets its whole result as from any
    other."""
    return task.action in _FOR_ROLES or getattr(task._role, "_role_collection", None) == _COLLECTION


def is_handled(task: Any) -> bool:
    """Whether the playbook deals with this task's failure itself. A rescue of our own roles ends in a failure of its own: it is none."""
    if task.ignore_errors or task.failed_when:
        return True
    child, parent = task, task._parent
    while parent is not None:
        own = getattr(getattr(parent, "_role", None), "_role_collection", None) == _COLLECTION
        # What fails in the rescue itself is dealt with by nobody.
        if getattr(parent, "rescue", None) and not own and child._uuid in {part._uuid for part in parent.block}:
            return True
        child, parent = parent, getattr(parent, "_parent", None)
    return False


def _pointer(code: str) -> str:
    return f"{f'{code}: ' if code else ''}{'the' if code else 'The'} reason is {'at the end of this output' if at_the_end else 'above'}."


def condensed(result: dict[str, Any], host: str, action: str, directory: str) -> dict[str, Any]:
    """What is left of a failed result: what a playbook branches on. The parts of the failure go with it where Ansible shows nothing of it."""
    failure, message = of_result(result), str(result.get("msg") or "")
    file, title = "", head(host, "", action, failure.code)
    try:
        file = write(directory, action.rpartition(".")[2], _document(title, failure, message, result)) if directory else ""
    except OSError as problem:
        Display().warning(f"The details of this failure could not be kept in {directory}: {problem.strerror}")
    told = {**failure.as_dict(), "file": file, "result": {key: value for key, value in result.items() if key != "invocation"}}
    if not at_the_end:
        show(host, "", action, told)
    kept = {key: result[key] for key in _KEPT if key in result and (key != "code" or result[key])}
    hidden = {**(result.get("invocation") or {}), KEY: told}
    internal = {key: value for key, value in result.items() if key.startswith("_ansible") or key in ("warnings", "deprecations")}
    return {**internal, **kept, "failed": True, "msg": _pointer(failure.code), "invocation": hidden}


def for_people(action: Any, result: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
    """The result of a task of ours as it is to be shown: as it is, unless a task of our roles failed and nobody but a person will deal with that."""
    task, display = action._task, Display()
    if not is_of_our_roles(task) or not result.get("failed") or task.no_log or result.get("_ansible_no_log") or display.verbosity > 2 or is_handled(task):
        return result
    if C.DEFAULT_STDOUT_CALLBACK.endswith("json"):
        return result
    directory = variables.get("atena_work_dir")
    try:
        directory = str(action._templar.template(directory)) if directory else ""
    except Exception:  # a variable that cannot be made out is another task's failure
        directory = ""
    where = os.path.join(os.path.expanduser(directory), "failures") if directory else ""
    return condensed(result, str(variables.get("inventory_hostname", "")), task.action, where)
