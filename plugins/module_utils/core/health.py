# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the application itself, at the address its users have, whether it is well."""

from __future__ import annotations

import contextlib
import functools
import http.client
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Say, Sleep
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown

# The option `health` of every module that asks; `url` is for an application that has another address than its load balancer.
HEALTH_OPTIONS: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "default": ""},
    "path": {"type": "str", "default": "/health"},
    "attempts": {"type": "int", "default": 10},
    "delay": {"type": "int", "default": 6},
}
# What is shown of an answer, and what is read of it: a health check may answer with a page. More is read, since a secret that is cut in half is not found.
_SHOWN, _READ = 300, 16_384


def beginning(text: str) -> str:
    """What is shown of an answer that can be shown."""
    return text[:_SHOWN]


def read(url: str, timeout: float = 10) -> tuple[int, str]:
    """(status, the answer as it is); status 0 if nothing answered, then with the reason."""
    try:
        with open_url(url, timeout=timeout, http_agent="atena.aws", follow_redirects="safe") as answer:
            return answer.status, answer.read(_READ).decode("utf-8", "replace").strip()
    except HTTPError as error:
        with error, contextlib.suppress(OSError, http.client.HTTPException):
            return error.code, error.read(_READ).decode("utf-8", "replace").strip()
        return error.code, ""
    except (URLError, OSError, ValueError, http.client.HTTPException) as error:
        return 0, str(getattr(error, "reason", error)) or type(error).__name__


def ask(url: str, timeout: float = 10, hide: Callable[[str], str] = shown) -> tuple[int, str]:
    """(status, beginning of the answer), to be shown. hide: cleans text and takes secrets out of it (Redactor.text)."""
    status, said = read(url, timeout)
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


class Application:
    """An environment's application, at the address its users have; '' if it has none, and then there is nobody to ask."""

    def __init__(self, options: dict | None, balancer: Callable[[], dict | None]) -> None:
        """options: HEALTH_OPTIONS' values. balancer: describes the load balancer; asked where no `url` is given."""
        self._options = options or {name: option["default"] for name, option in HEALTH_OPTIONS.items()}
        found = None if self._options["url"] else balancer()
        self.address = self._options["url"] or (f"http://{found['DNSName']}" if found else "")

    def ask(self, say: Say, sleep: Sleep = time.sleep, hide: Callable[[str], str] = shown) -> dict:
        """Until it is well, or was asked often enough: wait_until_healthy's answer. hide: as of `ask`."""
        url, asked = self.address + self._options["path"], functools.partial(ask, hide=hide)
        return wait_until_healthy(url, self._options["attempts"], self._options["delay"], say, asked, sleep)

    def words(self, found: dict) -> str:
        """What it answered, for after '…, but '."""
        return f"{self.address}{self._options['path']} answered {found['status'] or 'nothing'} {found['attempts']} times: {found['content']}"
