# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads only those objects of a bucket that are there: most of an environment's records never come to be, and one list tells of all."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.look import Look
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws

# So many keys in one place are worth a list.
_WORTH_IT = 3


class Listed(Look):
    """A look that knows of some objects whether they are there. keys: their (bucket, key); all others are asked for as ever."""

    def __init__(self, call: Aws, keys: Collection[tuple[str, str]]) -> None:
        super().__init__(call)
        self._keys = frozenset(keys)

    def __call__(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        if (service, operation) == ("s3", "get_object") and self._is_known_absent(arguments["Bucket"], arguments["Key"]):
            raise NotFound(f"Could not {doing}: it does not exist.", "NoSuchKey")
        return super().__call__(service, operation, doing, **arguments)

    def _is_known_absent(self, bucket: str, key: str) -> bool:
        place = _place(key)
        if (bucket, key) not in self._keys or sum((bucket, place) == (one, _place(other)) for one, other in self._keys) < _WORTH_IT:
            return False
        try:
            found = self.pages("s3", "list_objects_v2", f"list s3://{bucket}/{place}", "Contents", Bucket=bucket, Prefix=place, Delimiter="/")
        except CallFailed:
            # Who may not list, or finds no bucket, is told so by the object itself.
            return False
        return key not in {one["Key"] for one in found}


def _place(key: str) -> str:
    return key[: key.rfind("/") + 1]
