"""An image for another CPU does not run.

MiniStack runs an image on whatever the host has, and where the host can emulate another CPU, such an image even works. On Fargate the
program of an image of one foreign architecture cannot be executed: 'exec format error' in its log, exit code 1. (An image of several
architectures without the task's own cannot be pulled: task_images.py.)

One liberty: on a host of another architecture than the definitions ask for, the host's own images count as right.
"""

from __future__ import annotations

import io
import platform
import tarfile
from pathlib import PurePosixPath
from typing import Any

from ministack.services import ecs

from ..common.patching import replace

DOCKER_NAMES = {"X86_64": "amd64", "ARM64": "arm64"}
HOST = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower(), "")
WANTED = "_lab_architecture"
# No format that any kernel knows: executing it gives the very error that a program for another CPU gives.
UNKNOWN_FORMAT = b"\x00" * 64


def wanted(definition: dict[str, Any]) -> str:
    return DOCKER_NAMES.get((definition.get("runtimePlatform") or {}).get("cpuArchitecture") or "X86_64", "")


def is_foreign(image: str, wanted: str, host: str) -> bool:
    return image not in ("", wanted, host)


def program_of(arguments: dict[str, Any], config: dict[str, Any]) -> str:
    """What the container would execute, by its name alone: it is put into the container's root."""
    words: list[str] = []
    for given, own in ((arguments.get("entrypoint"), config.get("Entrypoint")), (arguments.get("command"), config.get("Cmd"))):
        chosen = given or own or []
        words.extend([chosen] if isinstance(chosen, str) else chosen)
    return "/" + (PurePosixPath(words[0]).name if words else "program")


def apply() -> None:
    replace(ecs, "_build_run_kwargs", _with_architecture)
    replace(ecs, "_run_docker_container", _on_its_own_cpu)


def _with_architecture(build: Any) -> Any:
    def build_all(container: dict[str, Any], definition: dict[str, Any], *arguments: Any) -> dict[str, Any]:
        return {**build(container, definition, *arguments), WANTED: wanted(definition)}

    return build_all


def _on_its_own_cpu(run: Any) -> Any:
    def run_if_native(docker_client: Any, container: dict[str, Any], run_kwargs: dict[str, Any], **options: Any) -> Any:
        asked = run_kwargs.pop(WANTED, "")
        image = docker_client.images.get(container["image"])
        if not is_foreign(image.attrs.get("Architecture", ""), asked, HOST):
            return run(docker_client, container, run_kwargs, **options)
        program = program_of(run_kwargs, image.attrs.get("Config") or {})
        settings = {name: value for name, value in run_kwargs.items() if name not in ("platform", "read_only", "remove")}
        settings["entrypoint"], settings["command"] = [program], []
        created = docker_client.containers.create(image.id, **settings)
        try:
            created.put_archive("/", _archive(program))
            created.start()
        except Exception:
            created.remove(force=True)
            raise
        return created

    return run_if_native


def _archive(program: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        entry = tarfile.TarInfo(program.lstrip("/"))
        entry.size, entry.mode = len(UNKNOWN_FORMAT), 0o755
        archive.addfile(entry, io.BytesIO(UNKNOWN_FORMAT))
    return content.getvalue()
