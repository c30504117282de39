"""Replacing a function of MiniStack, or a method of a library that it uses, everywhere it is known by."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any


def replace(module: ModuleType | type, name: str, make: Callable[[Any], Any]) -> None:
    """Put make(original) in the original's place, in the module or class and in its table of API actions, whatever that is called."""
    original = getattr(module, name)
    replacement = make(original)
    setattr(module, name, replacement)
    for table in ("_ACTION_MAP", "_IAM_HANDLERS"):
        actions = getattr(module, table, {})
        for action, handler in actions.items():
            if handler is original:
                actions[action] = replacement
