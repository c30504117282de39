# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""botocore's descriptions of AWS's services: read once by a process, and had by all that are forked from it.

To read them is most of what a first client costs, EC2's above all; a second client of a service, of whatever account and region, has next to nothing to do.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import os
from collections.abc import Collection
from typing import Any

try:
    import botocore.exceptions
    import botocore.loaders
except ImportError:
    pass  # AnsibleAWSModule says so

# What a client needs of its service, and of all.
_OF_A_SERVICE = ("service-2", "endpoint-rule-set-1", "paginators-1")
_OF_ALL = ("endpoints", "partitions", "sdk-default-configuration", "_retry")


class _Files:
    """As botocore's own reader of files, but into plain dictionaries: they keep their order too, and take half of the time."""

    _WAYS = ((".json", open), (".json.gz", gzip.open))

    def exists(self, file_path: str) -> bool:
        return any(os.path.isfile(file_path + ending) for ending, _way in self._WAYS)

    def load_file(self, file_path: str) -> Any:
        """None if there is no such file."""
        for ending, way in self._WAYS:
            if os.path.isfile(file_path + ending):
                with way(file_path + ending, "rb") as file:
                    return json.loads(file.read())
        return None


@functools.cache
def _shared() -> Any:
    return botocore.loaders.Loader(file_loader=_Files())


def share(session: Any) -> None:
    """Gives a botocore session the descriptions that are read already. Where the user has some of his own (data_path), it reads those itself."""
    if session.get_config_variable("data_path") is None:
        session.register_component("data_loader", _shared())


def read_ahead(services: Collection[str]) -> None:
    """Reads what clients of these services need. What cannot be read is told when it is needed."""
    loader = _shared()
    for name in _OF_ALL:
        loader.load_data(name)
    for service in services:
        for kind in _OF_A_SERVICE:
            with contextlib.suppress(botocore.exceptions.DataNotFoundError):  # not all have pages
                loader.load_service_model(service, kind)
