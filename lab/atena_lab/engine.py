"""Docker's engine: found, or installed and started where this user may. All labs of the machine share it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from . import process
from .images import CACHE
from .packages import install_debian_package, is_known
from .report import LabError, say

PID_FILE = CACHE / "dockerd.pid"
LOG = CACHE / "dockerd.log"
# Where Docker's own processes note their pids: a killed engine leaves these files, and the next one refuses to start.
DOCKER_PID_FILES = {
    Path("/var/run/docker.pid"): "dockerd",
    Path("/var/run/docker/containerd/containerd.pid"): "containerd",
}
START_TIMEOUT = 90.0


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def socket_path() -> str | None:
    """The engine's socket; None where DOCKER_HOST names an engine elsewhere."""
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    return host.removeprefix("unix://") if host.startswith("unix://") else None


def version(path: str) -> str | None:
    """Ask the engine itself, not through the client: an engine that the client is too new or too old for is an engine too."""
    connection = _SocketConnection(path)
    try:
        connection.request("GET", "/version")
        return str(json.loads(connection.getresponse().read())["Version"])
    except PermissionError:
        raise LabError(
            f"Docker's engine runs, but this user may not use {path}.",
            "Run the lab as root, or join the group docker: `sudo usermod -aG docker $USER`, then log in again.",
        ) from None
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None
    finally:
        connection.close()


def ensure() -> str:
    """Have a running engine; says what came of it."""
    path = socket_path()
    if path is None:
        raise LabError(
            f"DOCKER_HOST is {os.environ['DOCKER_HOST']}: the lab needs an engine on this machine, whose containers it can reach by address.",
            "Unset DOCKER_HOST.",
        )
    running = version(path)
    if running is None:
        running = start(path)
        how = "started"
    else:
        how = "running"
    if shutil.which("docker") is None:
        install_command()
    check_client()
    driver = process.run(["docker", "info", "--format", "{{.Driver}}"]).stdout.strip()
    if driver == "vfs":
        if how == "started":
            stop_if_ours()
        raise LabError(
            "Docker's engine can only use the storage driver vfs here, which copies whole images and is too slow for the lab.",
            "Put /var/lib/docker on a file system that overlay2 works on (ext4, xfs), e.g. by a mount or a symbolic link, and start again.",
        )
    return f"Docker {running} with {driver}, {how}"


def install_command() -> None:
    """The docker command: since Debian 13 a package of its own, which docker.io only recommends; before, a part of docker.io."""
    install_debian_package("docker-cli" if is_known("docker-cli") else "docker.io", "The docker command")
    # The package lists may have come with the engine just now.
    if shutil.which("docker") is None:
        install_debian_package("docker-cli", "The docker command")


def check_client() -> None:
    result = process.run(["docker", "version", "--format", "{{.Server.Version}}"], check=False, timeout=30)
    if result.returncode != 0:
        raise LabError(
            f"The docker command cannot talk to the engine: {result.stderr.strip().splitlines()[-1] if result.stderr.strip() else 'no answer'}",
            "If it says that the API version is too new or too old, set DOCKER_API_VERSION to the version that the engine names, or install matching versions.",
        )


def start(path: str) -> str:
    if os.geteuid() != 0:
        raise LabError(
            "No Docker engine is running (a docker command alone is only its client), and only root can start one.",
            "Start it: `sudo systemctl start docker` (on Debian, install it first: `sudo apt-get install docker.io`).",
        )
    if shutil.which("dockerd") is None:
        install_debian_package("docker.io", "Docker's engine")
        # Where services start on installation, this one is on its way up already.
        running = wait_for(path, lambda: True, timeout=3)
        if running is not None:
            return running
    clear_stale_pid_files()
    if Path("/run/systemd/system").is_dir():
        process.run(["systemctl", "start", "docker"], timeout=START_TIMEOUT)
        running = wait_for(path, lambda: True)
        if running is None:
            raise LabError("systemd started Docker, but its engine does not answer.", "See `journalctl -u docker`.")
        return running
    CACHE.mkdir(parents=True, exist_ok=True)
    say("  starting dockerd")
    with LOG.open("w") as log:
        daemon = subprocess.Popen(["dockerd"], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
    process.write_pid(PID_FILE, daemon.pid)
    running = wait_for(path, lambda: daemon.poll() is None)
    if running is None:
        process.stop(daemon.pid)
        PID_FILE.unlink(missing_ok=True)
        last = "\n".join(LOG.read_text(errors="replace").splitlines()[-4:])
        raise LabError(f"dockerd did not come up: {last}", f"Its whole log is {LOG}. In a container, it needs --privileged.")
    return running


def wait_for(path: str, alive: Callable[[], bool], timeout: float = START_TIMEOUT) -> str | None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        running = version(path)
        if running is not None or not alive():
            return running
        time.sleep(0.2)
    return None


def clear_stale_pid_files(files: dict[Path, str] | None = None, proc: Path = Path("/proc")) -> list[Path]:
    """Remove pid files whose process is gone, or is another program that got its pid."""
    removed = []
    for file, program in (DOCKER_PID_FILES if files is None else files).items():
        try:
            pid = int(file.read_text().strip())
            name = (proc / str(pid) / "comm").read_text().strip()
        except FileNotFoundError:
            name = ""
        except ValueError:
            name = ""
        if file.exists() and name != program:
            file.unlink()
            removed.append(file)
    return removed


def stop_if_ours() -> bool:
    """Stop the engine if a lab started it; False if not."""
    pid = process.read_pid(PID_FILE)
    PID_FILE.unlink(missing_ok=True)
    return process.stop(pid, grace=30) if pid is not None else False
