"""The emulator's process: started once, found again by its pid file, stopped by its pid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from . import process
from .report import LabError
from .settings import CHECKOUT, IMAGE_NAMESPACE, LAB_ROOT, REGION, Settings

START_TIMEOUT = 60.0


def python() -> str:
    """The emulator's own virtual environment if there is one: the playbooks' may have another botocore."""
    candidate = CHECKOUT / ".lab" / "emulator-venv" / "bin" / "python"
    return str(candidate) if candidate.exists() else sys.executable


def environment(settings: Settings, gateway: str) -> dict[str, str]:
    values = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    values.update(
        GATEWAY_PORT=str(settings.port),
        # Loopback for the user; the extension adds the lab network's gateway, for the containers and for nobody else.
        BIND_HOST="127.0.0.1",
        DOCKER_NETWORK=settings.network,
        MINISTACK_ACCOUNT_ID=settings.account,
        MINISTACK_REGION=REGION,
        MINISTACK_HOSTNAME=settings.prefix,
        MINISTACK_IMAGE_PREFIX=IMAGE_NAMESPACE,
        MINISTACK_DOCKER_TIMEOUT="60",
        # A stopped database keeps its data, as on AWS.
        RDS_PERSIST="1",
        PERSIST_STATE="0",
        SFTP_ENABLED="0",
        IOT_MTLS_ENABLED="0",
        TMPDIR=str(settings.directory / "tmp"),
        ATENA_LAB_PREFIX=settings.prefix,
        ATENA_LAB_DIR=str(settings.directory),
        ATENA_LAB_GATEWAY=gateway,
        PYTHONUNBUFFERED="1",
    )
    return values


def running(settings: Settings) -> int | None:
    return process.read_pid(settings.pid_file)


def require_same_port(settings: Settings) -> None:
    """A lab that runs on another port is not restarted in passing: what is in it would be lost."""
    try:
        port = int(settings.port_file.read_text())
    except (OSError, ValueError):
        return
    if port != settings.port and running(settings) is not None:
        raise LabError(
            f"The lab {settings.prefix} is running on port {port}, not on {settings.port}.",
            f"Set ATENA_LAB_PORT={port}, or take it down first (lab/lab down); for a second lab set ATENA_LAB_PREFIX too.",
        )


def healthy(settings: Settings, timeout: float = 2.0) -> bool:
    try:
        with urllib.request.urlopen(f"{settings.endpoint_url}/_ministack/health", timeout=timeout) as answer:
            return answer.status == 200 and isinstance(json.load(answer), dict)
    except (OSError, ValueError):
        return False


def start(settings: Settings, gateway: str) -> int:
    if not process.port_is_free(settings.port):
        owner = process.port_owner(settings.port)
        raise LabError(
            f"Port {settings.port} is taken{f' by {owner}' if owner else ''}.",
            "Stop that program, or choose another port: ATENA_LAB_PORT=4567 lab/lab up.",
        )
    (settings.directory / "tmp").mkdir(parents=True, exist_ok=True)
    command = [python(), str(LAB_ROOT / "emulator" / "start.py")]
    with settings.log.open("w") as log:
        child = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            cwd=settings.directory, env=environment(settings, gateway),
        )  # fmt: skip
    process.write_pid(settings.pid_file, child.pid)
    settings.port_file.write_text(f"{settings.port}\n")
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if healthy(settings, timeout=1.0):
            return child.pid
        if child.poll() is not None:
            settings.pid_file.unlink(missing_ok=True)
            raise LabError(f"The emulator ended at once: {last_lines(settings.log)}", f"Its whole log is {settings.log}. `make setup` installs what it needs.")
        time.sleep(0.05)
    process.stop(child.pid)
    settings.pid_file.unlink(missing_ok=True)
    raise LabError(f"The emulator did not answer within {START_TIMEOUT:.0f} s: {last_lines(settings.log)}", f"Its whole log is {settings.log}.")


def stop(settings: Settings) -> bool:
    pid = running(settings)
    stopped = process.stop(pid, grace=20) if pid is not None else False
    settings.pid_file.unlink(missing_ok=True)
    return stopped


def last_lines(log: Path, count: int = 5) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").strip().splitlines()[-count:])
    except OSError:
        return "(no log)"
