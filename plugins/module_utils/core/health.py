# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the application itself, at the address its users have, whether it is well."""

from __future__ import annotations

import contextlib
import functools
import http.client
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Say, Sleep
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown

# The option `health` of every module that asks; `url` is for an application that has another address than its load balancer.
_ROUTE: dict[str, dict[str, Any]] = {
    "service": {"type": "str", "required": True},
    "path": {"type": "str", "required": True},
    "host": {"type": "str", "default": ""},
}
HEALTH_OPTIONS: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "default": ""},
    "path": {"type": "str", "default": "/health"},
    "attempts": {"type": "int", "default": 10},
    "delay": {"type": "int", "default": 6},
    "service": {"type": "str", "default": ""},
    "routes": {"type": "list", "elements": "dict", "default": [], "options": _ROUTE},
}
# What is shown of an answer, and what is read of it: a health check may answer with a page. More is read, since a secret that is cut in half is not found.
_SHOWN, _READ = 300, 16_384


# Where there is nobody to ask.
NOBODY = {"healthy": True, "status": 0, "content": "not asked: the environment has no address or no task", "attempts": 0, "address": ""}


def beginning(text: str) -> str:
    """What is shown of an answer that can be shown."""
    return text[:_SHOWN]


def read(url: str, timeout: float = 10, host: str = "") -> tuple[int, str]:
    """(status, the answer as it is); status 0 if nothing answered, then with the reason. host: the name that is asked for, if not the address's own."""
    try:
        headers = {"Host": host} if host else None
        with open_url(url, timeout=timeout, http_agent="atena.aws", follow_redirects="safe", headers=headers) as answer:
            return answer.status, answer.read(_READ).decode("utf-8", "replace").strip()
    except HTTPError as error:
        with error, contextlib.suppress(OSError, http.client.HTTPException):
            return error.code, error.read(_READ).decode("utf-8", "replace").strip()
        return error.code, ""
    except (URLError, OSError, ValueError, http.client.HTTPException) as error:
        return 0, str(getattr(error, "reason", error)) or type(error).__name__


def ask(url: str, timeout: float = 10, hide: Callable[[str], str] = shown, host: str = "") -> tuple[int, str]:
    """(status, beginning of the answer), to be shown. hide: cleans text and takes secrets out of it (Redactor.text)."""
    status, said = read(url, timeout, host)
    # Only of an answer that says that something is wrong is more shown than that it came.
    return status, beginning((shown if status == 200 else hide)(said))


def wait_until_healthy(
    url: str, attempts: int, delay: float, say: Say = lambda text: None, ask: Callable[[str], tuple[int, str]] = ask, sleep: Sleep = time.sleep
) -> dict:
    """{'healthy', 'status', 'content', 'attempts'}: 200 ends it, and so does the last attempt. ask: `ask`, bound to a redactor where there is one."""
    for attempt in range(1, attempts + 1):
        status, content = ask(url)
        if status == 200 or attempt == attempts:
            return {"healthy": status == 200, "status": status, "content": content, "attempts": attempt}
        say(f"health: attempt {attempt} of {attempts}: {status or 'no answer'} {content}".rstrip())
        sleep(delay)
    raise ValueError("attempts must be at least 1")


class Question(NamedTuple):
    """What is asked of the load balancer's address: the path, and the host where a listener rule goes by it. service: who answers; '' if not known."""

    path: str
    host: str = ""
    service: str = ""


class Application:
    """An environment's application, at the address its users have; '' if it has none, and then there is nobody to ask."""

    def __init__(self, options: dict | None, balancer: Callable[[], dict | None]) -> None:
        """options: HEALTH_OPTIONS' values. balancer: describes the load balancer; asked where no `url` is given."""
        self._options = options or {name: option["default"] for name, option in HEALTH_OPTIONS.items()}
        found = None if self._options["url"] else balancer()
        self.address = self._options["url"] or (f"http://{found['DNSName']}" if found else "")
        routes = [Question(route["path"], route["host"], route["service"]) for route in self._options.get("routes") or []]
        self._questions = [Question(self._options["path"], service=self._options.get("service") or ""), *routes]

    def ask(self, say: Say, sleep: Sleep = time.sleep, hide: Callable[[str], str] = shown, idle: Collection[str] = ()) -> dict:
        """Each until it is well, or was asked often enough: wait_until_healthy's answer, of the first that is not well, else of the first, with its
        `address`. hide: as of `ask`. idle: services that run no task, which are not asked."""
        found: list[dict] = []
        for question in self._questions:
            if question.service and question.service in idle:
                continue
            asked = functools.partial(ask, hide=hide, host=question.host)
            answer = wait_until_healthy(self.address + question.path, self._options["attempts"], self._options["delay"], say, asked, sleep)
            found.append({**answer, "address": self._address(question)})
            if not answer["healthy"]:
                return found[-1]
        return found[0] if found else dict(NOBODY)

    def _address(self, question: Question) -> str:
        return f"{self.address}{question.path}{f' (host {question.host})' if question.host else ''}"

    def words(self, found: dict) -> str:
        """What it answered, for after '…, but '."""
        return f"{found['address']} answered {found['status'] or 'nothing'} {found['attempts']} times: {found['content']}"
