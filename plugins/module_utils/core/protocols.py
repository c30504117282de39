# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The types of what is handed from function to function everywhere: AWS's answers, the one who asks for them, and what tells, waits and knows the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

# What AWS answered, or an object within it, with AWS's own names.
Answer = Mapping[str, Any]
# Takes a line for the one who waits.
Say = Callable[[str], object]
Sleep = Callable[[float], object]
Clock = Callable[[], float]
# Called before each write and each look: what it raises ends them, as when the environment's lock is lost.
Guard = Callable[[], object]


class Call(Protocol):
    """calls.Caller as most need it: one operation of a service, by its name in snake_case. `doing` completes 'Could not'. Raises CallFailed."""

    def __call__(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]: ...


class Aws(Call, Protocol):
    """calls.Caller whole, for those who also list over pages, or call what must not be sent twice."""

    def once(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]: ...

    def client(self, service: str) -> Any: ...

    def pages(self, service: str, operation: str, doing: str, key: str, /, **arguments: Any) -> list[Any]: ...


class Module(Protocol):
    """AnsibleModule as module_utils use it; amazon.aws and Ansible come without types."""

    params: dict[str, Any]
    check_mode: bool
    _diff: bool

    def exit_json(self, **result: Any) -> NoReturn: ...

    def fail_json(self, msg: str, **facts: Any) -> NoReturn: ...

    def warn(self, warning: str) -> None: ...
