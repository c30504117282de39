"""What a container definition says of memory, entry point, user, directory and capabilities counts.

MiniStack starts every container without limits and ignores these settings, so a task never runs out of memory. The share of CPU
is left alone on purpose: a quarter of a processor would only make the lab slow.
"""

from __future__ import annotations

import platform
from typing import Any

from ministack.services import ecs

from ..common.patching import replace

MEBIBYTE = 1024 * 1024
MACHINES = {"x86_64": "linux/amd64", "amd64": "linux/amd64", "aarch64": "linux/arm64", "arm64": "linux/arm64"}


def settings_of(container: dict[str, Any], definition: dict[str, Any]) -> dict[str, Any]:
    """docker-py's arguments for what the definition asks."""
    parameters = container.get("linuxParameters") or {}
    memory = int(container.get("memory") or definition.get("memory") or 0) * MEBIBYTE
    wanted = {
        "mem_limit": memory or None,
        # No swap beyond the limit, as on Fargate.
        "memswap_limit": memory or None,
        "entrypoint": container.get("entryPoint"),
        "working_dir": container.get("workingDirectory"),
        "user": container.get("user"),
        "read_only": container.get("readonlyRootFilesystem"),
        "init": parameters.get("initProcessEnabled"),
        "cap_drop": (parameters.get("capabilities") or {}).get("drop"),
    }
    return {name: value for name, value in wanted.items() if value}


def apply() -> None:
    replace(ecs, "_build_run_kwargs", _with_settings)


def _with_settings(build: Any) -> Any:
    def build_all(container: dict[str, Any], definition: dict[str, Any], *arguments: Any) -> dict[str, Any]:
        settings = {**build(container, definition, *arguments), **settings_of(container, definition)}
        # The host's own architecture needs no asking for, and MiniStack waits a quarter of a second to see whether it worked.
        if settings.get("platform") == MACHINES.get(platform.machine().lower()):
            del settings["platform"]
        return settings

    return build_all
