# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which variables and which keys of them the collection takes, and what of a run's is none of them. Only names are ever in a text, never a value.

What is known is read from the roles themselves: their defaults, variables and argument specifications. Written here is what they cannot say.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Facts that the roles set.
FACTS = {"atena_lock"}
# A role's result that looks like a typing error of its option.
RESULTS = {"lock_forced"}
# What is given with -e for one run in place of a role's own variable.
SHORT = {"ci_repository_path", "release", "scale"}
# Of Ansible, of AWX, and what AWX hands on of a run's result.
_OTHERS = ("ansible_", "awx_", "tower_", "atena_result", "_")
_OWN = "atena"
# Two letters are a typing error in a long name, and another word in a short one.
_TYPING_ERROR, _SHORT_NAME = 2, 5


# --- What a dictionary may hold: {key: what it holds}, [what each entry holds], Each(what each value holds), or None for anything. ---------------------
class Each:
    """Keys are the user's own."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


Shape: TypeAlias = "Mapping[str, Shape] | list[Shape] | Each | None"


def _keys(*names: str, **inner: Shape) -> dict[str, Shape]:
    return {**dict.fromkeys(names), **inner}


_SERVICE = _keys(
    *("cpu", "memory", "port", "health_check_path", "desired_count", "dockerfile", "target", "architecture"),
    *("stop_timeout", "stable_seconds", "command", "environment", "secrets"),
    *("user", "readonly_root_filesystem", "drop_capabilities", "ephemeral_storage"),
    *("minimum_healthy_percent", "maximum_percent", "health_check_grace_period"),
    health_check=_keys("command", "interval", "timeout", "retries", "start_period"),
    listener_rule=_keys("priority", "hosts", "paths"),
    circuit_breaker=_keys("enable", "rollback"),
)
_SCHEDULE = _keys("timezone", "holidays", "keep_on_until", hours=[_keys("days", "start", "stop")])
# Those that the defaults write out are read there.
SHAPES: dict[str, Shape] = {
    "atena_services": Each(_SERVICE),
    "atena_domain": _keys("name", "zone_id"),
    "atena_github": _keys("repository", "subject", "branch", "deploy_environment", "toggle_environment", "plan", "oidc_provider", "issuer"),
    "atena_costs": _keys("currency", "running", "stopped", "stopped_parts", "source"),
    "atena_schedule": _SCHEDULE,
    "cost_schedule": _SCHEDULE,
    "schedule_hours": _SCHEDULE,
}
# Dictionaries whose keys are the user's own, or a module's result.
FREE = {
    *("atena_tags", "atena_extra_environment", "atena_build_args", "atena_provider_versions", "atena_secrets", "bootstrap_tags"),
    *("preflight_images", "preflight_task_definitions", "infra_more_variables", "diagnose_after"),
}


def shape_of(default: object) -> dict[str, Shape] | None:
    """Of a dictionary that the defaults write out."""
    return {key: shape_of(value) for key, value in default.items()} if isinstance(default, dict) and default else None


@functools.lru_cache(maxsize=1)
def defaults() -> dict[str, Any]:
    """The defaults of all roles, as they are written."""
    found: dict[str, Any] = {}
    for path in sorted(ROLES.glob("*/defaults/main.yml")):
        found.update(yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {})
    return found


@functools.lru_cache(maxsize=1)
def known_names() -> frozenset[str]:
    """Every variable that the collection takes, its playbooks' options among them."""
    found = {*FACTS, *RESULTS, *SHORT, *defaults()}
    # By the lines' indentation: to parse all that the specifications say takes longer than the rest of this check.
    for kind, line in (("vars/main.yml", r"^([a-z]\w*):"), ("meta/argument_specs.yml", r"^ {6}([a-z]\w*):")):
        for path in ROLES.glob(f"*/{kind}"):
            found.update(re.findall(line, path.read_text(encoding="utf-8"), re.MULTILINE))
    return frozenset(found)


@functools.lru_cache(maxsize=1)
def shapes() -> dict[str, Shape]:
    """By variable, what it may hold."""
    written: dict[str, Shape] = {name: shape_of(value) for name, value in defaults().items() if name not in FREE and isinstance(value, dict) and value}
    return {**written, **SHAPES}


# --- Near names -----------------------------------------------------------------------------------------------------------------------------------------
def distance(one: str, other: str) -> int:
    """How many letters are to be added, left out, changed or swapped with their neighbour to make one of the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, counterpart in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != counterpart))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == counterpart:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]


def meant(name: str, known: Iterable[str]) -> str:
    """The known name that `name` is a typing error of; '' if of none."""
    found = []
    for candidate in known:
        limit = _TYPING_ERROR if min(len(candidate), len(name)) > _SHORT_NAME else 1
        if abs(len(candidate) - len(name)) <= limit and (far := distance(name, candidate)) <= limit:
            found.append((far, candidate))
    return min(found)[1] if found else ""


def nearest(key: str, known: Iterable[str]) -> str:
    """The known key that is most like `key`; '' if none is like it."""
    key = key.lower().replace("-", "_")
    near = sorted((distance(key, other), other) for other in known)
    if near and near[0][0] <= max(_TYPING_ERROR, len(key) // 3):
        return near[0][1]
    parts = [other for other in sorted(known) if len(key) > 2 and (key in other.split("_") or other in key.split("_") or other.endswith(key))]
    return parts[0] if len(parts) == 1 else ""


# --- Variables ------------------------------------------------------------------------------------------------------------------------------------------
def _is_others(name: str, allowed: Iterable[str]) -> bool:
    return name.startswith(_OTHERS) or any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed)


def strange(names: Iterable[str], extra: Collection[str], allowed: Collection[str] = (), more: Iterable[str] = ()) -> tuple[list[tuple[str, str]], list[str]]:
    """([(a name, the one that is meant)], [names that begin as ours and are none]).

    `names`: of all variables; `extra`: of those that are given for this run (-e, a survey), which alone may be named like nothing of ours. `allowed`: names
    and patterns. `more`: names that this run takes besides.
    """
    known = known_names().union(more)
    own = sorted(name for name in known if name.startswith(f"{_OWN}_"))
    roles = tuple(f"{path.name}_" for path in ROLES.iterdir() if path.is_dir())
    wrong, unknown = [], []
    for name in sorted(set(names) | set(extra)):
        if not isinstance(name, str) or name in known or _is_others(name, allowed):
            continue
        ours = name.startswith(f"{_OWN}_")
        # Most names in a run are Ansible's own, and most of an inventory's are none that could be meant for us.
        first = name.partition("_")[0]
        alike = ours or (abs(len(first) - len(_OWN)) <= _TYPING_ERROR and distance(first, _OWN) <= _TYPING_ERROR)
        near = meant(name, known) if name in extra or name.startswith(roles) else meant(name, own) if alike else ""
        if near:
            wrong.append((name, near))
        elif ours:
            unknown.append(name)
    return wrong, unknown


# --- Keys -----------------------------------------------------------------------------------------------------------------------------------------------
def unknown_keys(value: Any, shape: Shape, where: str, resolve: Callable[[Any], Any] = lambda value: value) -> list[tuple[str, object, list[str]]]:
    """[(the dictionary, the unknown key as it is there, the known ones)], at every depth. `resolve`: makes of a template what it stands for."""
    if shape is None:
        return []
    value = resolve(value)
    if isinstance(shape, list):
        entries = enumerate(value) if isinstance(value, (list, tuple)) else ()
        return [found for number, entry in entries for found in unknown_keys(entry, shape[0], f"{where}[{number}]", resolve)]
    if not hasattr(value, "items"):
        return []
    found = []
    for key, inner in value.items():
        if isinstance(shape, Each):
            found += unknown_keys(inner, shape.shape, f"{where}.{key}", resolve)
        elif key in shape:
            found += unknown_keys(inner, shape[key], f"{where}.{key}", resolve)
        else:
            found.append((where, key, sorted(shape)))
    return found


# --- Missing attributes ---------------------------------------------------------------------------------------------------------------------------------
def completed(given: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    """A dictionary with the defaults' attributes where it names none; nothing given is the defaults."""
    return {**defaults()[name], **(given or {})}
