# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""GitHub's REST API, as far as we need it: JSON, pages, retries, errors that say what to do. The token travels in a header and is in no text."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import time
from collections.abc import Callable, Mapping
from email.message import Message
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Clock, Sleep
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown

DEFAULT_URL = "https://api.github.com"
_VERSION = "2022-11-28"
_ATTEMPTS = 4
_LONGEST_WAIT = 60
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


class GitHubFailed(Exception):
    """Its text is ready for the user; `status` is HTTP's, 0 if nothing answered."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def advice(status: int, repository: str) -> str:
    """What to do about an answer that is no success."""
    if status == 401:
        return "GitHub does not accept the token: it is wrong, or has expired. Make a new one."
    if status in (403, 404):
        return (
            f"Either {repository} does not exist, or the token may not do this: it needs the repository permission 'Secrets' (read and write), or, of the "
            "classic kind, the scope 'repo'. A workflow's own GITHUB_TOKEN never has it."
        )
    return "Try again later: https://www.githubstatus.com" if status >= 500 or status == 429 else ""


def wait_for(headers: Mapping[str, str] | Message, now: float, attempt: int) -> float | None:
    """Seconds until a refused request may be sent again; None if that is longer than anybody waits."""
    after = headers.get("Retry-After", "")
    if after.isdigit():
        seconds = float(after)
    elif headers.get("X-RateLimit-Remaining") == "0" and headers.get("X-RateLimit-Reset", "").isdigit():
        seconds = max(0.0, float(headers["X-RateLimit-Reset"]) - now) + 1
    else:
        seconds = float(2**attempt)
    return seconds if seconds <= _LONGEST_WAIT else None


def is_passing(status: int, headers: Mapping[str, str] | Message) -> bool:
    """Whether the same request may succeed a little later."""
    limited = status == 403 and (headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in headers)
    return limited or status == 429 or status >= 500


class GitHub:
    def __init__(
        self, url: str, token: str, repository: str, *, send: Callable[..., Any] = open_url, sleep: Sleep = time.sleep, clock: Clock = time.time
    ) -> None:
        self.url, self.repository = (url or DEFAULT_URL).rstrip("/"), repository
        self._token, self._send, self._sleep, self._clock = token, send, sleep, clock

    def __call__(self, method: str, path: str, doing: str, body: dict | None = None) -> dict:
        """The answer's JSON. path begins after the repository. `doing` completes 'Could not'. Raises GitHubFailed."""
        return self._request(method, f"{self.url}/repos/{self.repository}/{path}", doing, body)[0]

    def pages(self, path: str, key: str, doing: str) -> list:
        """All items under `key` over every page of a list."""
        items, url = [], f"{self.url}/repos/{self.repository}/{path}?per_page=100"
        while url:
            answer, headers = self._request("GET", url, doing, None)
            items += answer.get(key, [])
            following = _NEXT.search(headers.get("Link", "") or "")
            url = following[1] if following and following[1].startswith(self.url + "/") else ""
        return items

    def _request(self, method: str, url: str, doing: str, body: dict | None) -> tuple[dict[str, Any], Message]:
        headers = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {self._token}", "X-GitHub-Api-Version": _VERSION}
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body)
        for attempt in range(_ATTEMPTS):
            try:
                # No redirect: the token must not follow one to another host.
                with self._send(url, method=method, data=data, headers=headers, timeout=30, http_agent="atena.aws", follow_redirects="none") as answer:
                    text = answer.read()
                    return (json.loads(text) if text else {}), answer.headers
            except HTTPError as error:
                said = ""
                with error, contextlib.suppress(OSError, http.client.HTTPException):
                    said = _message(error.read())
                pause = wait_for(error.headers, self._clock(), attempt) if is_passing(error.code, error.headers) else None
                if pause is None or attempt == _ATTEMPTS - 1:
                    answered = f"GitHub answered {error.code}{f' ({said})' if said else ''}"
                    text = f"Could not {doing} of {self.repository}: {answered}. {advice(error.code, self.repository)}"
                    raise GitHubFailed(text.rstrip(), error.code) from None
            # Also an answer that breaks off while it is read, or is no HTTP at all.
            except (URLError, OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", error)
                if attempt == _ATTEMPTS - 1:
                    raise GitHubFailed(f"Could not {doing} of {self.repository}: {self.url} does not answer ({reason}). Check GITHUB_API_URL.") from None
                pause = float(2**attempt)
            except ValueError as error:
                raise GitHubFailed(f"Could not {doing} of {self.repository}: {self.url} answered no JSON. Check GITHUB_API_URL.") from error
            self._sleep(pause)
        raise GitHubFailed(f"Could not {doing} of {self.repository}.")


def _message(body: bytes) -> str:
    try:
        return shown(str(json.loads(body).get("message", "")))[:200]
    except (ValueError, AttributeError):
        return ""
