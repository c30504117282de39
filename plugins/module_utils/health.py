# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the application itself, at the address its users have, whether it is well."""

from __future__ import annotations

import time
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

# What is shown of an answer; a health check may answer with a page.
_SHOWN = 300


def ask(url: str, timeout: float = 10) -> tuple[int, str]:
    """(status, beginning of the answer); status 0 if nothing answered, then with the reason."""
    try:
        with open_url(url, timeout=timeout, http_agent="atena.aws", follow_redirects="safe") as answer:
            return answer.status, answer.read(_SHOWN).decode("utf-8", "replace").strip()
    except HTTPError as error:
        with error:
            return error.code, error.read(_SHOWN).decode("utf-8", "replace").strip()
    except (URLError, OSError, ValueError) as error:
        return 0, str(getattr(error, "reason", error))


def wait_until_healthy(url: str, attempts: int, delay: float, say=lambda text: None, ask=ask, sleep=time.sleep) -> dict:
    """{'healthy', 'status', 'content', 'attempts'}: 200 ends it, and so does the last attempt."""
    for attempt in range(1, attempts + 1):
        status, content = ask(url)
        if status == 200 or attempt == attempts:
            return {"healthy": status == 200, "status": status, "content": content, "attempts": attempt}
        say(f"health: attempt {attempt} of {attempts}: {status or 'no answer'} {content}".rstrip())
        sleep(delay)
    raise ValueError("attempts must be at least 1")
