# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secret DATABASE_URL: who is in it, and the same with another address. Pure; what it raises never tells the URL."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from ansible_collections.atena.aws.plugins.module_utils.secrets import address as address_secret

_URL = address_secret.pattern("postgres(?:ql)?")


class Login(NamedTuple):
    user: str
    password: str


def _match(url: str) -> re.Match:
    match = _URL.match(url)
    if not match:
        raise ValueError("it is no postgresql:// URL")
    return match


def login(url: str) -> Login:
    user, _colon, password = (_match(url)["login"] or "").partition(":")
    return Login(unquote(user), unquote(password))


def with_address(url: str, host: str, port: int) -> str:
    """The URL with another address and all else as it was."""
    return address_secret.with_address(_match(url), host, port)
