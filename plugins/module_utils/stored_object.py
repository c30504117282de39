# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One JSON object in the state bucket that several runs may write: only the version that was read is ever replaced."""

from __future__ import annotations

import json
import time

from ansible_collections.atena.aws.plugins.module_utils.aws_calls import pauses
from ansible_collections.atena.aws.plugins.module_utils.aws_errors import CallFailed, Conflict, NotFound, absent_as

_ATTEMPTS = 6


def no_bucket(error: NotFound, bucket: str) -> CallFailed:
    """The failure of a call that found no state bucket, with the remedy."""
    return error.saying(f"The state bucket {bucket} does not exist. Run bootstrap.yml first, and check atena_state_bucket.")


class StoredObject:
    """`what` completes 'read' and 'write' in an error's text. It remembers the version that it read or wrote."""

    def __init__(self, call, bucket: str, key: str, what: str, *, sleep=time.sleep):
        self.bucket, self.key, self.what = bucket, key, what
        self.where = f"s3://{bucket}/{key}"
        self._call, self._sleep = call, sleep
        self._etag = ""

    def _s3(self, operation: str, doing: str, **arguments) -> dict:
        try:
            return self._call("s3", operation, f"{doing} {self.what} {self.where}", Bucket=self.bucket, Key=self.key, **arguments)
        except NotFound as error:
            if error.what != "Bucket":
                raise
            raise no_bucket(error, self.bucket) from error

    def read(self) -> dict | None:
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
            raise CallFailed(f"{self.where} is not a JSON object. Nobody but this collection writes there: bring its earlier version back.") from error
        self._etag = answer["ETag"]
        return found

    def write(self, content: dict) -> None:
        """Replaces what was read, or makes what was not there. Raises CallFailed if somebody else was faster."""
        body = (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
        condition = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
        pause = pauses(4)
        for attempt in range(_ATTEMPTS):
            try:
                self._etag = self._s3("put_object", "write", Body=body, ContentType="application/json", **condition)["ETag"]
                return
            except NotFound as error:
                if error.what != "Key":
                    raise
                raise error.saying(f"{self.where} was deleted while this run was going on. Bring its last version back.") from error
            except Conflict as error:
                # Somebody writes it at this moment: S3 asks to try again.
                if error.code == "ConditionalRequestConflict" and attempt < _ATTEMPTS - 1:
                    self._sleep(next(pause))
                    continue
                if error.code != "PreconditionFailed":
                    raise
                self._settle(content)
                return

    def _settle(self, content: dict) -> None:
        """The condition did not hold. If only because of our own write, whose answer was lost, all is well."""
        known = self._etag
        if self.read() == content:
            return
        self._etag = known
        raise Conflict(
            f"{self.where} was changed by another run meanwhile; nothing was written over it. This run no longer knows how things stand: "
            "see lock.yml and status.yml, then run it again.",
            "PreconditionFailed",
        )
