# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the application itself, at the address its users have, whether it is well."""

from __future__ import annotations

import time
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url
from ansible_collections.atena.aws.plugins.module_utils.redaction import shown

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
        with error:
            return error.code, error.read(_READ).decode("utf-8", "replace").strip()
    except (URLError, OSError, ValueError) as error:
        return 0, str(getattr(error, "reason", error))


def ask(url: str, timeout: float = 10, hide=shown) -> tuple[int, str]:
    """(status, beginning of the answer), to be shown. hide: cleans text and takes secrets out of it (Redactor.text)."""
    status, said = read(url, timeout)
    return status, beginning(hide(said))


def wait_until_healthy(url: str, attempts: int, delay: float, say=lambda text: None, ask=ask, sleep=time.sleep) -> dict:
    """{'healthy', 'status', 'content', 'attempts'}: 200 ends it, and so does the last attempt. ask: `ask`, bound to a redactor where there is one."""
    for attempt in range(1, attempts + 1):
        status, content = ask(url)
        if status == 200 or attempt == attempts:
            return {"healthy": status == 200, "status": status, "content": content, "attempts": attempt}
        say(f"health: attempt {attempt} of {attempts}: {status or 'no answer'} {content}".rstrip())
        sleep(delay)
    raise ValueError("attempts must be at least 1")
