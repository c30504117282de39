# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told of environments' status: one document each, one screen of one, one table of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.status import fleet as status_fleet, text as status_text

# Of a module's result, what is not its own.
_OF_ANSIBLE = {"changed", "failed", "warnings", "deprecations", "invocation", "exception"}


def status_document(result: Mapping[str, Any], host: str, plan: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """plan: None where none was asked for."""
    if "services" not in result or (plan is not None and "drift" not in plan):
        return {"environment": host, "error": "it could not be read; its own task above shows why"}
    own = {key: value for key, value in result.items() if key not in _OF_ANSIBLE}
    first = {key: own.pop(key) for key in ("environment", "account", "region")}
    return {**first, **own, "drift": (plan or {}).get("drift")}


def status_report(documents: list[dict[str, Any]], details: bool = False) -> dict[str, Any]:
    """Arguments of atena.aws.report: one screen of one environment; of many one table, and their screens before it if asked for."""
    screens = [status_text.screen(document) for document in documents if "error" not in document]
    if len(documents) == 1 and screens:
        (title, *lines), data = screens[0], {"status": documents[0]}
        return {"title": title, "lines": lines, "verbatim": False, "data": data}
    shown = [line for screen in screens if details for line in screen]
    # A table's columns stand as they are.
    return {"title": f"{len(documents)} environments", "lines": [*shown, *status_fleet.table(documents)], "verbatim": True, "data": {"environments": documents}}


def status_table(documents: list[dict]) -> list[str]:
    return status_fleet.table(documents)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"status_document": status_document, "status_report": status_report, "status_table": status_table}
