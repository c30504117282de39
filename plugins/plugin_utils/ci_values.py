# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory values on their way into files that others evaluate: GitHub Actions, its shell, YAML, Ansible. A value must stay one. Pure functions.

Each place has its own rule: what has a grammar (a name, a branch, a cron line, a commit) must follow it, since nothing that follows it needs an escape;
free text is quoted; and what Ansible would take for a template is tagged as none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import yaml

_STRING = "tag:yaml.org,2002:str"
# What Ansible looks for in a string; the last one, at its beginning, redefines the others.
_TEMPLATE = re.compile(r"\{[{%#]|\A\s*#jinja2:")
# GitHub evaluates this wherever it stands in a workflow, also in quotes, and has no escape for it.
_EXPRESSION = "${{"


# --- Cron -------------------------------------------------------------------------------------------------------------
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_Field = tuple[str, int, int, tuple[str, ...]]
# (what it is, lowest, highest, names of which the first is the lowest), as GitHub takes them (POSIX cron).
_FIELDS: tuple[_Field, ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)


def _number(text: str, field: _Field) -> int:
    what, low, high, names = field
    if text.lower() in names:
        return low + names.index(text.lower())
    if not re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) or not low <= int(text) <= high:
        named = f" or {names[0].upper()} to {names[-1].upper()}" if names else ""
        raise ValueError(f"its {what} has '{text}', which is not {low} to {high}{named}")
    return int(text)


def _check_field(text: str, field: _Field) -> None:
    """Raises ValueError unless it is *, numbers, ranges and steps, with commas between them."""
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and (not re.fullmatch(r"[0-9]{1,2}", step, re.ASCII) or int(step) == 0):
            raise ValueError(f"its {field[0]} has '{part}', whose step is no number from 1 on")
        if span == "*":
            continue
        first, dash, last = span.partition("-")
        begin = _number(first, field)
        if dash and _number(last, field) < begin:
            raise ValueError(f"its {field[0]} has the range '{span}', which ends before it begins")


def cron_problem(line: object) -> str:
    """Why GitHub would not take this as a cron line, or would take more than one from it; '' if it is one."""
    fields = line.split(" ") if isinstance(line, str) else []
    if len(fields) != len(_FIELDS) or not all(fields):
        return "it must have five fields with one blank between each: minute, hour, day of the month, month, day of the week"
    try:
        for text, field in zip(fields, _FIELDS, strict=True):
            _check_field(text, field)
    except ValueError as wrong:
        return str(wrong)
    return ""


# --- What each value may be -------------------------------------------------------------------------------------------
# Why a value is not what it must be; '' if it is.
_Check = Callable[[object], str]


def _like(pattern: str, says: str) -> _Check:
    return lambda value: "" if isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) else says


def _text(value: object) -> str:
    """Free text of one line, which is quoted where that is needed."""
    if not isinstance(value, str) or any(not character.isprintable() for character in value):
        return "it must be text of one line, without control characters"
    return f"it has {_EXPRESSION}, which GitHub would evaluate" if _EXPRESSION in value else ""


def _optional(check: _Check) -> _Check:
    return lambda value: "" if value in ("", None) else check(value)


def _branch(value: str) -> str:
    says = "it must be a branch's name of letters, digits and . _ / @ = # -: in a workflow, other characters are patterns or end the name"
    if _like(r"[A-Za-z0-9_][A-Za-z0-9._/@=#-]*", says)(value):
        return says
    return says if ".." in value or "//" in value or value.endswith(("/", ".", ".lock")) else ""


_NAME = _like(r"[A-Za-z0-9][A-Za-z0-9._-]*", "it must be letters, digits and . _ -, and begin with a letter or digit")
_ENVIRONMENT = _optional(_text)
_LABEL = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_ONE_RUNNER = _like(rf"{_LABEL}|\[ *{_LABEL}( *, *{_LABEL})* *\]", "it must be a runner's label, such as ubuntu-24.04, or [self-hosted, linux]")


def _runner(value: object) -> str:
    return next(filter(None, map(_ONE_RUNNER, value if isinstance(value, (list, tuple)) else [value])), "")


_ACTION = {
    "uses": _like(r"[A-Za-z0-9-]+(/[A-Za-z0-9._-]+)+", "it must be OWNER/NAME of an action"),
    "commit": _like(r"[0-9a-f]{40}([0-9a-f]{24})?", "it must be a whole commit, 40 digits from 0 to f: a tag can be moved"),
    "version": _like(r"[A-Za-z0-9._+-]+", "it must be a version, such as v4.0.1"),
}
# By the variable that a person would look for. Those that are not given are not checked.
_CHECKS = {
    "inventory_hostname": _NAME,
    "atena_name": _NAME,
    "atena_region": _like(r"[a-z]{2,}(-[a-z]+)+-[0-9]+", "it must look like us-east-1"),
    "atena_github.repository": _like(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+", "it must be OWNER/NAME"),
    "atena_github.branch": _branch,
    "atena_github.deploy_environment": _ENVIRONMENT,
    "atena_github.toggle_environment": _ENVIRONMENT,
    "ci_setup_title": _text,
    "ci_setup_guard_cron": cron_problem,
    "ci_setup_runner": _runner,
    "ci_setup_terraform_version": _like(r"[0-9A-Za-z.*<>=~^, +-]+", "it must be a version, such as 1.11.4"),
    "ci_setup_secret_prefix": _like(
        r"((?!GITHUB_)[A-Z_a-z][A-Z_a-z0-9]*)?", "it must be letters, digits and _, not begin with a digit, and not with GITHUB_, which GitHub refuses"
    ),
    "ci_setup_lock_wait_seconds": lambda value: "" if re.fullmatch(r"[0-9]+", str(value), re.ASCII) else "it must be a number of seconds",
}


def _service(value: object) -> str:
    return _like(r"[a-z][a-z0-9-]{0,19}", "a service's name is up to 20 lower-case letters, digits and hyphens")(value)


def problems(values: dict) -> list[str]:
    """A sentence for each value that must not be written into a workflow. values: by the names above, `atena_rollout_order`, `ci_setup_packages`
    and `ci_setup_actions`."""
    found = [(name, values[name], check(values[name])) for name, check in _CHECKS.items() if name in values]
    found += [(f"atena_rollout_order[{index}]", key, _service(key)) for index, key in enumerate(values.get("atena_rollout_order") or [])]
    found += [(f"ci_setup_packages[{index}]", package, _text(package)) for index, package in enumerate(values.get("ci_setup_packages") or [])]
    for action, said in (values.get("ci_setup_actions") or {}).items():
        found += [(f"ci_setup_actions.{action}.{key}", said.get(key), check(said.get(key))) for key, check in _ACTION.items()]
    # As JSON: what must not get into a file is not to move the lines of a message either.
    return [f"{name} is {json.dumps(value, default=str, ensure_ascii=False)}: {why}." for name, value, why in found if why]


# --- How it is written ------------------------------------------------------------------------------------------------
def scalar(text: object) -> str:
    """A text as a YAML scalar in a block: as it is where YAML reads the same from it, else in quotes."""
    text = str(text)
    try:
        plain = yaml.safe_load(text) == text
    except yaml.YAMLError:
        plain = False
    return text if plain else json.dumps(text, ensure_ascii=False)


def _literal(node: yaml.Node) -> None:
    if isinstance(node, yaml.ScalarNode):
        if node.tag == _STRING and _TEMPLATE.search(node.value):
            node.tag = "!unsafe"
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _literal(item)
    elif isinstance(node, yaml.MappingNode):
        # Keys are no templates to Ansible.
        for _key, item in node.value:
            _literal(item)


def literals(document: str) -> str:
    """A YAML document with each string that Ansible would evaluate tagged as !unsafe.

    Dumping drops that mark: Ansible keeps it beside the value (before 2.19 as a type, since then as the lack of a tag), and YAML has no place for it.
    So a value that the inventory calls !unsafe would be a template in the file. All others were evaluated before they were dumped.
    """
    node = yaml.compose(str(document), Loader=yaml.SafeLoader)
    if node is None:
        return ""
    _literal(node)
    return yaml.serialize(node, Dumper=yaml.SafeDumper, indent=2, width=140, allow_unicode=True)
