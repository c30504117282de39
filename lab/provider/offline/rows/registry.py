"""Which rows a provider has, and what stands behind them."""

from __future__ import annotations

from typing import Any

from ..row import Row


def rows(provider: str) -> list[Row]:
    if provider == "random":
        from .local import ROWS

        return ROWS
    from . import containers, dns, identity, load_balancing, network, schedules, stores

    return [row for module in (network, load_balancing, dns, containers, identity, stores, schedules) for row in module.ROWS]


def data(provider: str) -> list[Any]:
    if provider == "random":
        return []
    from .data import SOURCES

    return SOURCES


def backend(provider: str) -> Any:
    if provider == "random":
        from .local import Local

        return Local()
    from ..aws import Aws

    return Aws()
