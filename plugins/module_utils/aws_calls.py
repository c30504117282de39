# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One way to call AWS for all our modules: retried when throttled, explained when it fails."""

from __future__ import annotations

import threading
import time

try:
    import boto3.session
    import botocore.config
    import botocore.exceptions
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry, RetryingBotoClientWrapper
from ansible_collections.atena.aws.plugins.module_utils.aws_errors import explain

# Refusals for too many calls: nothing was done, so that any call may be sent again (API references, 'Common errors').
THROTTLES = ("ThrottlingException", "Throttling", "ThrottledException", "RequestThrottled", "TooManyRequestsException", "RequestLimitExceeded")
# A call is tried again for about two minutes when AWS throttles it or answers with a server's error.
_RETRY = {"retries": 12, "delay": 1, "max_delay": 20, "catch_extra_error_codes": ["ServerException", "InternalFailure", "ServiceUnavailable", *THROTTLES]}
_ONCE_RETRIES = 24


class CallFailed(Exception):
    """An AWS call that stays failed; its text is ready for the user, `code` is the service's error code.

    `unsure`: AWS may have done it all the same (the connection broke, or AWS had an error of its own).
    """

    def __init__(self, message: str, code: str = "", unsure: bool = False):
        super().__init__(message)
        self.code = code
        self.unsure = unsure


class Caller:
    """AWS's clients of one module run, made when first needed, from any thread.

    They share one boto3 session. AnsibleAWSModule.client() makes a new one for each client, which reads the same data files again: 2.0 s of
    processor time for eleven clients instead of 0.6 s, and with an assumed role one more call to STS each.
    """

    def __init__(self, module):
        self._module = module
        self._clients = {}
        self._session = None
        self._lock = threading.Lock()  # sessions make clients in one thread at a time only

    def client(self, service: str):
        with self._lock:
            if service not in self._clients:
                try:
                    self._clients[service] = RetryingBotoClientWrapper(self._new(service), AWSRetry.jittered_backoff(**_RETRY))
                except (ValueError, botocore.exceptions.BotoCoreError) as error:
                    self._module.fail_json(msg=explain(error, "connect to AWS"))
            return self._clients[service]

    def _new(self, service: str):
        region, endpoint, options = get_aws_connection_info(self._module)
        profile, config = options.pop("profile_name", None), botocore.config.Config(user_agent_extra="Ansible atena.aws")
        config = config.merge(options.pop("aws_config", None) or botocore.config.Config())
        if self._session is None:
            self._session = boto3.session.Session(profile_name=profile)
        return self._session.client(service, region_name=region, endpoint_url=endpoint, config=config, **options)

    def __call__(self, service: str, operation: str, doing: str, /, **arguments):
        """Calls `operation` (snake_case) and returns its answer. `doing` completes 'Could not'. Raises CallFailed."""
        try:
            return getattr(self.client(service), operation)(aws_retry=True, **arguments)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
            raise CallFailed(explain(error, doing), code) from error

    def once(self, service: str, operation: str, doing: str, /, **arguments):
        """Like a plain call, for what must not be done twice: sent again only after a refusal for too many calls. Raises CallFailed."""
        key = (service, "once")
        if key not in self._clients:
            # botocore's own retries would send it again after a broken connection, too.
            self._clients[key] = self._module.client(service, config={"retries": {"total_max_attempts": 1}})
        pause = pauses(10, 0.25)
        for attempt in range(_ONCE_RETRIES + 1):
            try:
                return getattr(self._clients[key], operation)(**arguments)
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                response = getattr(error, "response", {})
                code = response.get("Error", {}).get("Code", "")
                if code in THROTTLES and attempt < _ONCE_RETRIES:
                    time.sleep(next(pause))
                    continue
                server_side = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500
                raise CallFailed(explain(error, doing), code, unsure=server_side and code not in THROTTLES) from error

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


def pace(elapsed: float, longest: float, shortest: float = 0.25) -> float:
    """Seconds to sleep between two looks at something that has been going on for `elapsed`: a twelfth of it, so that its end is seen in time."""
    return min(longest, max(shortest, elapsed / 12))


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
