# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A URL by which a program connects, with a login in it: DATABASE_URL, REDIS_URL. Read as people write it, its password not encoded, and written again with
nothing lost. It never shows itself: only `text` has the password, and no error tells a part of the URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar
from urllib.parse import quote, unquote

# What stands in the place of a secret.
HIDDEN = "[secret]"

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<beyond>.*)", re.IGNORECASE | re.DOTALL)
_PLACE = re.compile(r"(?P<host>\[[^]@/?#]*\]|[^][:/?#@]*)(?::(?P<port>\d+))?(?P<rest>[/?#].*)?", re.DOTALL)
_REST = re.compile(r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?", re.DOTALL)
_ARGUMENTS = re.compile(r"\?(?:[\w.-]+=[^&]*(?:&|$))*")

Url = TypeVar("Url", bound="ConnectionUrl")


@dataclass(frozen=True, repr=False)
class ConnectionUrl:
    """The parts as they are written. `login` is None where there is no '@'; `rest` is path, arguments and fragment."""

    scheme: str
    login: str | None
    place: str
    rest: str

    # Of URLs that this one may be, and how an error calls it.
    SCHEMES: ClassVar[str] = ".*"
    KIND: ClassVar[str] = "URL"

    @classmethod
    def parse(cls: type[Url], text: str) -> Url:
        """Raises ValueError, which does not tell the text."""
        match = _URL.fullmatch(text)
        readings = list(_readings(match["beyond"])) if match and re.fullmatch(cls.SCHEMES, match["scheme"], re.IGNORECASE) else []
        if not match or not readings:
            raise ValueError(f"it is no {cls.KIND}")
        login, place, rest = min(readings, key=_doubts)
        return cls(match["scheme"], login, place, rest)

    # --- What it says, decoded ---
    @property
    def text(self) -> str:
        """The whole, with the password."""
        return f"{self.scheme}://{'' if self.login is None else self.login + '@'}{self.place}{self.rest}"

    @property
    def user(self) -> str:
        return unquote((self.login or "").partition(":")[0]) or self._argument("user")

    @property
    def password(self) -> str:
        return unquote(self.written_password)

    @property
    def written_password(self) -> str:
        """As it stands there, encoded or not."""
        return (self.login or "").partition(":")[2] or self._written_argument("password")

    @property
    def host(self) -> str:
        return _parts(self.place)[0] or self._argument("host")

    @property
    def port(self) -> int | None:
        port = _parts(self.place)[1] or self._argument("port")
        return int(port) if port.isdecimal() else None

    def is_at(self, host: str, port: int) -> bool:
        """Whether it leads to this address; without a port of its own to any of the host's."""
        return self.host.lower() == host.lower() and (self.port or port) == port

    # --- The same with something else in it ---
    def with_address(self: Url, host: str, port: int) -> Url:
        return replace(self, place=f"{host}:{port}", rest=_without(self.rest, ("host", "hostaddr", "port")))

    def with_login(self: Url, user: str, password: str) -> Url:
        return replace(self, login=f"{quote(user, safe='')}:{quote(password, safe='')}", rest=_without(self.rest, ("user", "password")))

    def _with_argument(self: Url, name: str, value: str) -> Url:
        """In the place of the argument of this name, which is left once; last, if there is none."""
        path, query, fragment = _split(self.rest)
        words = [word for word in query.removeprefix("?").split("&") if word]
        at = next((number for number, word in enumerate(words) if word.partition("=")[0] == name), len(words))
        kept = [word for word in words if word.partition("=")[0] != name]
        kept.insert(at, f"{name}={value}")
        return replace(self, rest=f"{path}?{'&'.join(kept)}{fragment}")

    # --- Shown ---
    def __repr__(self) -> str:
        """Without the arguments, too, which may have a password among them."""
        parts = _split(self.rest)
        name, colon, _password = (self.login or "").partition(":")
        login = "" if self.login is None else f"{name}{colon}{HIDDEN if colon else ''}@"
        return f"{self.scheme}://{login}{self.place}{parts[0]}{'?...' if parts[1] else ''}"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def _written_argument(self, name: str) -> str:
        """A driver takes some of it as arguments, too: `?user=...&password=...`."""
        words = [word.partition("=") for word in _split(self.rest)[1].removeprefix("?").split("&")]
        return next((value for key, _sign, value in words if key == name), "")

    def _argument(self, name: str) -> str:
        return unquote(self._written_argument(name))


# --- Reading ----------------------------------------------------------------------------------------------------------
def _readings(beyond: str) -> Iterator[tuple[str | None, str, str]]:
    """(login, place, rest) for each '@' that may end the login, and without one."""
    ends = [index for index, sign in enumerate(beyond) if sign == "@"]
    for end in [None, *ends]:
        match = _PLACE.fullmatch(beyond if end is None else beyond[end + 1 :])
        if match:
            rest = match["rest"] or ""
            yield (None if end is None else beyond[:end]), match[0].removesuffix(rest) if rest else match[0], rest


def _doubts(reading: tuple[str | None, str, str]) -> int:
    """How unlikely it is that somebody meant it so. A login is encoded, or has signs in it that belong to what is behind it, if it were well written."""
    login, _place, rest = reading
    path, query, fragment = _split(rest)
    return (
        10 * ("@" in path)
        + 10 * ("@" in fragment)
        + 10 * ("@" in query and not path.strip("/"))
        + 10 * (not _ARGUMENTS.fullmatch(query or "?"))
        + (login is not None and re.search(r"[/?#@]", login) is not None)
    )


def _split(rest: str) -> tuple[str, str, str]:
    """path, arguments with their '?', fragment with its '#'."""
    match = _REST.fullmatch(rest)
    return (match["path"], match["query"] or "", match["fragment"] or "") if match else (rest, "", "")


def _parts(place: str) -> tuple[str, str]:
    """host without brackets, and port."""
    match = _PLACE.fullmatch(place)
    return (match["host"].strip("[]"), match["port"] or "") if match else (place, "")


def _without(rest: str, names: tuple[str, ...]) -> str:
    """Without these arguments; as it was if it has none of them."""
    path, query, fragment = _split(rest)
    words = query.removeprefix("?").split("&")
    kept = [word for word in words if word.partition("=")[0] not in names]
    if len(kept) == len(words):
        return rest
    return f"{path}{'?' if kept else ''}{'&'.join(kept)}{fragment}"
