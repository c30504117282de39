# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One JSON object in the state bucket that several runs may write: only the version that was read is ever replaced."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ansible_collections.atena.aws.plugins.module_utils.core.calls import pauses
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Conflict, NotFound, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call, Sleep
from ansible_collections.atena.aws.plugins.module_utils.core.record import Record, damaged, newer

_ATTEMPTS = 6


def no_bucket(error: NotFound, bucket: str) -> CallFailed:
    """The failure of a call that found no state bucket, with the remedy."""
    return error.saying(f"The state bucket {bucket} does not exist. Run bootstrap.yml first, and check atena_state_bucket.")


def put_over(etag: str, put: Callable[..., dict[str, Any]], version_of_ours: Callable[[], str], sleep: Sleep = time.sleep) -> str:
    """Writes an object over the version `etag` and no other; of '' if there is none. Returns the new version, or '' if another one is there: nothing was
    written then.

    put: PutObject with the condition that it is given. version_of_ours: asked when the condition did not hold, which may be only because of our own write,
    whose answer was lost: the version that is there, if it is that, else ''.
    """
    condition, pause = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}, pauses(4)
    for attempt in range(_ATTEMPTS):
        try:
            return put(**condition)["ETag"]
        except Conflict as error:
            # Somebody writes it at this moment: S3 asks to try again.
            if error.code == "ConditionalRequestConflict" and attempt < _ATTEMPTS - 1:
                sleep(next(pause))
                continue
            if error.code != "PreconditionFailed":
                raise
            return version_of_ours()
    raise AssertionError("the last attempt returns or raises")


Kind = TypeVar("Kind", bound=Record)


class StoredObject:
    """`what` completes 'read' and 'write' in an error's text. It remembers the version that it read or wrote."""

    def __init__(self, call: Call, bucket: str, key: str, what: str, *, sleep: Sleep = time.sleep) -> None:
        self.bucket, self.key, self.what = bucket, key, what
        self.where = f"s3://{bucket}/{key}"
        self._call, self._sleep = call, sleep
        self._etag = ""

    def _s3(self, operation: str, doing: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._call("s3", operation, f"{doing} {self.what} {self.where}", Bucket=self.bucket, Key=self.key, **arguments)
        except NotFound as error:
            if error.what != "Bucket":
                raise
            raise no_bucket(error, self.bucket) from error

    def read(self) -> dict[str, Any] | None:
        """What it says; None if it does not exist."""
        answer = absent_as(None, "Key", lambda: self._s3("get_object", "read"))
        if answer is None:
            self._etag = ""
            return None
        try:
            found = json.loads(answer["Body"].read())
            if not isinstance(found, dict):
                raise ValueError("no object")
        except ValueError as error:
            raise damaged(self.where, "a JSON object", error) from error
        self._etag = answer["ETag"]
        return found

    def write(self, content: dict) -> None:
        """Replaces what was read, or makes what was not there. Raises CallFailed if somebody else was faster."""
        body = (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()

        def put(**condition: str) -> dict[str, Any]:
            return self._s3("put_object", "write", Body=body, ContentType="application/json", **condition)

        try:
            etag = put_over(self._etag, put, lambda: self._version_of(content), self._sleep)
        except NotFound as error:
            if error.what != "Key":
                raise
            raise error.saying(f"{self.where} was deleted while this run was in progress. Restore its last version.") from error
        if not etag:
            raise Conflict(
                f"{self.where} was changed by another run meanwhile; nothing was written over it. This run no longer knows the current status: "
                "see lock.yml and status.yml, then run it again.",
                "PreconditionFailed",
            )
        self._etag = etag

    def _version_of(self, content: dict) -> str:
        """The version that is there, if this is what it says; else ''."""
        known, found = self._etag, self.read()
        etag, self._etag = self._etag, known
        return etag if found == content else ""


def read_stored(stored: StoredObject, kind: type[Kind], what: str, form: int) -> Kind | None:
    """The object as a record of this kind and format; None if it does not exist. what: 'a record of rotations'."""
    found = stored.read()
    if found is None:
        return None
    if found.get("format") != form:
        raise newer(stored.where, found.get("format"))
    try:
        return kind.of(found)
    except ValueError as error:
        raise damaged(stored.where, what, error) from error
