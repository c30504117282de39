# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One way to call AWS for all our modules: retried when throttled, explained when it fails."""

from __future__ import annotations

import time

try:
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.atena.aws.plugins.module_utils.aws_errors import explain

# A call is tried again for about two minutes when AWS throttles it or answers with a server's error.
_RETRY = {"retries": 12, "delay": 1, "max_delay": 20, "catch_extra_error_codes": ["ServerException", "InternalFailure", "ServiceUnavailable"]}


class CallFailed(Exception):
    """An AWS call that stays failed; its text is ready for the user, `code` is the service's error code."""

    def __init__(self, message: str, code: str = ""):
        super().__init__(message)
        self.code = code


class Caller:
    """AWS's clients of one module run, made when first needed."""

    def __init__(self, module):
        self._module = module
        self._clients = {}

    def client(self, service: str):
        if service not in self._clients:
            self._clients[service] = self._module.client(service, retry_decorator=AWSRetry.jittered_backoff(**_RETRY))
        return self._clients[service]

    def __call__(self, service: str, operation: str, doing: str, /, **arguments):
        """Calls `operation` (snake_case) and returns its answer. `doing` completes 'Could not'. Raises CallFailed."""
        try:
            return getattr(self.client(service), operation)(aws_retry=True, **arguments)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
            raise CallFailed(explain(error, doing), code) from error

    def pages(self, service: str, operation: str, doing: str, key: str, /, **arguments) -> list:
        """All items under `key` over every page of a list call."""
        items, token = [], {}
        while True:
            answer = self(service, operation, doing, **arguments, **token)
            items.extend(answer.get(key, []))
            if not answer.get("nextToken"):
                return items
            token = {"nextToken": answer["nextToken"]}


def pauses(longest: float, shortest: float = 0.25):
    """Seconds to sleep between polls: short at first, since much is done at once, then up to `longest`."""
    pause = min(shortest, longest)
    while True:
        yield pause
        pause = min(pause * 1.5, longest)


class Deadline:
    """How much of `seconds` is left, on a clock that no clock change moves."""

    def __init__(self, seconds: float, clock=time.monotonic):
        self._clock = clock
        self._start = clock()
        self.seconds = seconds

    @property
    def elapsed(self) -> float:
        return self._clock() - self._start

    @property
    def passed(self) -> bool:
        return self.elapsed >= self.seconds
