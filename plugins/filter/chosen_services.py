# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a person types, or a survey sends, to the environment's services."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError

_ALL = ("", "all")


def chosen_services(given: str | Iterable[object] | None, order: list[str], name: str) -> list[str]:
    """Keys of the services that `given` names, in their order; all if it names none.

    `given`: a list, or text such as "api,workers": a survey has text fields only. `order`: the keys of all services. `name`: the environment's, which
    may stand before a key, as in ECS's own names.
    """
    words = re.split(r"[\s,]+", given) if isinstance(given, str) else [str(word) for word in given or []]
    words = [word.strip().removeprefix(f"{name}-") for word in words if word.strip().lower() not in _ALL]
    strangers = [word for word in words if word not in order]
    if strangers:
        raise AnsibleFilterError(f"There is no service {', '.join(strangers)} in {name}; there are {', '.join(sorted(order))}. Nothing was done.")
    return [key for key in order if key in words] if words else list(order)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"chosen_services": chosen_services}
