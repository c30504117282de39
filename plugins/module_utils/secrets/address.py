# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets that hold an address, DATABASE_URL and REDIS_URL: read, and brought to another address. What is raised never tells a value."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core.connection_url import ConnectionUrl
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call


def read(call: Call, name: str) -> str:
    """The value."""
    return call("ssm", "get_parameter", f"read the secret {name}", Name=name, WithDecryption=True)["Parameter"]["Value"]


def read_and_move(call: Call, name: str, kind: type[ConnectionUrl], address: tuple[str, int], playbook: str) -> tuple[str, str]:
    """(the value that is there, the value that it should have: the same with another address). playbook: what to run again where it cannot be read."""
    value = read(call, name)
    try:
        return value, kind.parse(value).with_address(*address).text
    except ValueError as wrong:
        raise CallFailed(f"The secret {name} cannot be brought up to date: {wrong}. Correct it manually, then run {playbook} again.") from wrong
