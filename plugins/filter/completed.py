# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the attributes of a dictionary that an inventory names to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.atena.aws.plugins.plugin_utils import inputs


def completed(given: Mapping[str, Any] | None, name: str) -> dict:
    """`given`: the value of the variable `name`, whose other attributes are the defaults'."""
    if given is not None and not hasattr(given, "items"):
        raise AnsibleFilterError(f"{name} must be a dictionary.")
    return inputs.completed(given, name)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"completed": completed}
