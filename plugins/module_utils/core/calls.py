# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One way to call AWS for all our modules: retried when throttled, explained when it fails."""

from __future__ import annotations

import contextlib
import io
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Clock, Module

try:
    import boto3.session
    import botocore
    import botocore.config
    import botocore.exceptions
    import botocore.paginate
    import botocore.session
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.atena.aws.plugins.module_utils.core import models
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, ServiceFailed, Throttled, Unanswered, explain, failure_of

# Errors of the caller by their status, but over with the next attempt. OperationAborted is S3's: somebody changes the same bucket at this moment.
_TRANSIENT = ("RequestTimeout", "RequestTimeoutException", "OperationAborted")
# How often one call is sent at the most. AWS's refusals last: with the pauses below these are two minutes. Where nothing answers at all,
# a wrong address is likelier than a bad moment.
_WHEN_REFUSED, _WHEN_FAILED, _WHEN_UNANSWERED = 25, 12, 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0
# A test that has hundreds of calls refused makes the pauses shorter. Not for use with AWS: it counts refused calls, too.
_PAUSE_SCALE = "ATENA_AWS_PAUSE_SCALE"


class Session:
    """boto3's session of one module run, from any thread, for all its Callers.

    AnsibleAWSModule.client() makes a new one for each client, which reads the same data files again: 2.0 s of processor time for eleven clients instead of
    0.6 s, and with an assumed role one more call to STS each.
    """

    def __init__(self, module: Module) -> None:
        self._module = module
        self._lock = threading.Lock()  # sessions make clients in one thread at a time only
        # botocore's own session, which boto3 hides: what it knows of pages is asked of it.
        self.core: Any = None
        self._boto3: Any = None

    def client(self, service: str, region: str) -> Any:
        """botocore's client, which sends each call once: sending it again is decided by Caller. `region`: instead of the module's own."""
        with self._lock, self._explained():
            own, endpoint, options = get_aws_connection_info(self._module)
            config = botocore.config.Config(user_agent_extra="Ansible atena.aws", retries={"total_max_attempts": 1})
            config = config.merge(options.pop("aws_config", None) or botocore.config.Config())
            session = self._begun(options.pop("profile_name", None))
            return session.client(service, region_name=region or own, endpoint_url=endpoint, config=config, **options)

    def access_key(self) -> str:
        """The id of the key that calls are signed with; '' where there is none."""
        with self._lock, self._explained():
            _region, _endpoint, options = get_aws_connection_info(self._module)
            profile, given = options.get("profile_name"), options.get("aws_access_key_id")
            credentials = None if given else self._begun(profile).get_credentials()
            return given or (credentials.access_key if credentials else "")

    def regions(self) -> set[str]:
        """Names of all regions that the installed botocore knows, of every partition."""
        with self._lock, self._explained():
            self._begun(get_aws_connection_info(self._module)[2].get("profile_name"))
            return {name for partition in self.core.get_available_partitions() for name in self.core.get_available_regions("ecs", partition)}

    def _begun(self, profile: str | None) -> Any:
        if self._boto3 is None:
            core = botocore.session.Session(profile=profile)
            models.share(core)
            self._boto3, self.core = boto3.session.Session(botocore_session=core), core
        return self._boto3

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, botocore.exceptions.BotoCoreError) as error:
            self._module.fail_json(msg=explain(error, "connect to AWS"))


class Caller:
    """AWS's clients of one module run, made when first needed, from any thread."""

    def __init__(self, module: Module, region: str = "") -> None:
        """region: where the module's own does not count, as of a service that is asked in one region only."""
        self._session: Session = getattr(module, "aws_session", None) or Session(module)
        self._region = region
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(service, self._region)
            return self._clients[service]

    def access_key(self) -> str:
        return self._session.access_key()

    def regions(self) -> set[str]:
        return self._session.regions()

    def __call__(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        """Calls `operation` (snake_case) and returns its answer. `doing` completes 'Could not'. Raises CallFailed."""
        return self._send(service, operation, doing, arguments, attempts)

    def once(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        """Like a plain call, for what must not be done twice: sent again only after a refusal for too many calls. Raises CallFailed."""
        return self._send(service, operation, doing, arguments, lambda failed: _WHEN_REFUSED if isinstance(failed, Throttled) else 1)

    def _send(self, service: str, operation: str, doing: str, arguments: dict[str, Any], at_most: Callable[[CallFailed], int]) -> dict[str, Any]:
        call, pause, sent = getattr(self.client(service), operation), _jittered(), 0
        while True:
            try:
                return _whole(call(**arguments))
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                sent += 1
                failed = failure_of(error, doing)
                if sent >= at_most(failed):
                    raise failed from error
            time.sleep(next(pause))

    def pages(self, service: str, operation: str, doing: str, key: str, /, **arguments: Any) -> list[Any]:
        """All items under `key` over every page of a list call; each page is sent like a plain call. Raises CallFailed."""
        model = self.client(service).meta.service_model
        try:
            return every_item(lambda **page: self(service, operation, doing, **page), self._session.core, model, operation, key, arguments)
        except botocore.exceptions.PaginationError as error:
            raise failure_of(error, doing) from error


def every_item(send: Callable[..., dict[str, Any]], session: Any, model: Any, operation: str, key: str, arguments: Mapping[str, Any]) -> list[Any]:
    """All items under `key` of the pages that `send` gets. Which tokens an operation takes and gives, and what ends it, is botocore's knowledge.

    session, model: botocore's, of the service. An operation that botocore cannot page is an error of the one who wrote the call: ValueError.
    """
    try:
        known = session.get_component("data_loader").load_service_model(model.service_name, "paginators-1", model.api_version)["pagination"]
    except botocore.exceptions.DataNotFoundError:
        known = {}
    name = next((name for name in known if botocore.xform_name(name) == operation), None)
    if name is None:
        raise ValueError(f"botocore knows no pages of {model.service_name}'s {operation}: call it as what answers all at once.")
    pages = botocore.paginate.Paginator(send, known[name], model.operation_model(name)).paginate(**arguments)
    return [item for page in pages for item in page.get(key) or []]


def _whole(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with its body, if it has one, read to its end: a connection that breaks meanwhile is one more call that was not answered."""
    body = answer.get("Body")
    if body is not None and hasattr(body, "read"):
        answer["Body"] = io.BytesIO(body.read())
    return answer


def attempts(failed: CallFailed) -> int:
    """How often a call that ends like this is sent at the most: once, if sending it again would not help."""
    if isinstance(failed, Throttled):
        return _WHEN_REFUSED
    if isinstance(failed, ServiceFailed) or failed.code in _TRANSIENT:
        return _WHEN_FAILED
    return _WHEN_UNANSWERED if isinstance(failed, Unanswered) else 1


def _jittered() -> Iterator[float]:
    """Seconds to wait before a call is sent again. Not the same for all, or those that were refused together would be so again."""
    scale = float(os.environ.get(_PAUSE_SCALE) or 1)
    for pause in pauses(_LONGEST_PAUSE, _FIRST_PAUSE):
        yield random.uniform(0.5, 1.0) * pause * scale


def pauses(longest: float, shortest: float = 0.25) -> Iterator[float]:
    """Seconds to sleep between polls: short at first, since much is done at once, then up to `longest`."""
    pause = min(shortest, longest)
    while True:
        yield pause
        pause = min(pause * 1.5, longest)


def pace(elapsed: float, longest: float, shortest: float = 0.25) -> float:
    """Seconds to sleep between two looks at something that has been going on for `elapsed`: a twelfth of it, so that its end is seen in time, and no less than
    a twelfth of the longest pause: whoever wants to look rarely wants that from the beginning."""
    return min(longest, max(shortest, longest / 12, elapsed / 12))


class Deadline:
    """How much of `seconds` is left, on a clock that no clock change moves."""

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self.seconds = seconds

    @property
    def elapsed(self) -> float:
        return self._clock() - self._start

    @property
    def passed(self) -> bool:
        return self.elapsed >= self.seconds
