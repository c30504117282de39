"""Commands, pid files and ports: what the lab needs to know of the machine's processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from .report import LabError


def run(
    command: list[str],
    *,
    check: bool = True,
    timeout: float | None = None,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command quietly; when it fails, its own last words become the error."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=env, cwd=cwd, input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
        )  # fmt: skip
    except FileNotFoundError:
        raise LabError(f"The command {command[0]!r} is not installed.", "Run `lab/lab doctor` to see what is missing.") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`{' '.join(command[:4])} ...` did not end within {timeout:.0f} seconds.") from None
    if check and result.returncode != 0:
        last = "\n".join((result.stderr or result.stdout).strip().splitlines()[-8:])
        raise LabError(f"`{' '.join(command[:6])}` failed with exit code {result.returncode}: {last}")
    return result


def start_time(pid: int) -> str | None:
    """When the kernel started this process, which tells it from a later one with the same pid; None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _start_time_by_ps(pid)
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _start_time_by_ps(pid: int) -> str | None:
    if Path("/proc/self/stat").exists():
        return None
    result = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return result.stdout.strip() or None


def write_pid(path: Path, pid: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(f"{pid} {start_time(pid) or ''}\n")
    temporary.replace(path)


def read_pid(path: Path) -> int | None:
    """The pid in this file if that very process is alive; None for no file, a stale one, or nonsense in it."""
    try:
        pid_text, _, started = path.read_text().strip().partition(" ")
        pid = int(pid_text)
    except (OSError, ValueError):
        return None
    if pid <= 0:
        return None
    now = start_time(pid)
    return pid if now is not None and now == started.strip() else None


def stop(pid: int, *, grace: float = 10.0) -> bool:
    """Ask a process to end, then make it. False if it was already gone."""
    started = start_time(pid)
    if started is None:
        return False
    for signal_number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            _reap(pid)
            if start_time(pid) != started:
                return True
            time.sleep(0.05)
    raise LabError(f"Process {pid} could not be stopped.")


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def port_owner(port: int) -> str | None:
    """The process listening on this port, as far as this user may know."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(entry) in inodes for entry in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"process {process.name} ({command[:80]})"
        except OSError:
            continue
    return None
