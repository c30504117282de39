# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets that hold an address, DATABASE_URL and REDIS_URL: what they look like, and the same with another address. What is raised never tells a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call


def pattern(scheme: str) -> re.Pattern:
    """Of URLs with such a scheme (a regular expression): its groups are scheme, login, host, port and rest."""
    return re.compile(rf"^(?P<scheme>{scheme})://(?:(?P<login>[^@/]*)@)?(?P<host>\[[^]]*\]|[^:/?#@]*)(?::(?P<port>\d+))?(?P<rest>[/?#].*)?$")


def with_address(match: re.Match, host: str, port: int) -> str:
    """The URL that the pattern matched, with another address and all else as it was."""
    login = f"{match['login']}@" if match["login"] is not None else ""
    return f"{match['scheme']}://{login}{host}:{port}{match['rest'] or ''}"


def read(call: Call, name: str) -> dict[str, Any]:
    """The parameter with its value."""
    return call("ssm", "get_parameter", f"read the secret {name}", Name=name, WithDecryption=True)["Parameter"]


def read_and_move(call: Call, name: str, moved: Callable[[str], str], playbook: str) -> tuple[dict[str, Any], str]:
    """The parameter, and the value that it should have. moved: that value, from the one that is there; its ValueError is told, with what to run again."""
    parameter = read(call, name)
    try:
        return parameter, moved(parameter["Value"])
    except ValueError as wrong:
        raise CallFailed(f"The secret {name} cannot be brought up to date: {wrong}. Correct it by hand, then run {playbook} again.") from wrong
