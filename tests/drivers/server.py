"""A PostgreSQL of its own on loopback, which takes connections with TLS only, as RDS does with rds.force_ssl."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

NAME = "localhost"
USER, PASSWORD, DATABASE = "app", "not-a-secret", "app"


def _program(name: str) -> str:
    found = shutil.which(name) or next(iter(sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), reverse=True)), None)
    if not found:
        raise SystemExit(f"{name} was not found: install PostgreSQL's server (Debian: apt-get install postgresql).")
    return found


def _account() -> pwd.struct_passwd | None:
    """PostgreSQL does not run as root."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Server:
    def __init__(self, directory: Path, port: int = 0):
        self.directory, self.port = directory, port or free_port()
        self.data = directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._account = _account()
        self._make()

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        user, group = self._who
        return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, user=user, group=group)

    @property
    def _who(self) -> tuple[int | None, int | None]:
        return (self._account.pw_uid, self._account.pw_gid) if self._account else (None, None)

    def _own(self, path: Path) -> None:
        if self._account:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _make(self) -> None:
        self.data.mkdir(mode=0o700)
        self._own(self.data)
        done = self._run(_program("initdb"), "-D", str(self.data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        if done.returncode:
            raise SystemExit(f"initdb failed: {done.stderr.strip()}")
        rules = "local all postgres trust\nhostssl all all 127.0.0.0/8 scram-sha-256\n"
        (self.data / "pg_hba.conf").write_text(rules)

    def start(self, certificate: Path, key: Path) -> None:
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            shutil.copy(source, self.data / name)
            (self.data / name).chmod(0o600)
            self._own(self.data / name)
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.data),
            "ssl": "on",
            "ssl_cert_file": "server.crt",
            "ssl_key_file": "server.key",
            "fsync": "off",
            "restart_after_crash": "off",
            "logging_collector": "off",
        }
        arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
        user, group = self._who
        log = (self.directory / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen([_program("postgres"), "-D", str(self.data), *arguments], stdout=log, stderr=log, cwd="/", user=user, group=group)
        for _attempt in range(100):
            if self._run(_program("pg_isready"), "-h", str(self.data), "-p", str(self.port), "-U", "postgres").returncode == 0:
                break
            if self._process.poll() is not None:
                raise SystemExit(f"PostgreSQL did not start:\n{(self.directory / 'server.log').read_text()[-2000:]}")
            time.sleep(0.1)
        if self.sql("SELECT 1 FROM pg_roles WHERE rolname = 'app'") != "1":
            self.sql(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            self.sql(f"CREATE DATABASE {DATABASE} OWNER {USER}")

    def sql(self, statement: str) -> str:
        done = self._run(_program("psql"), "-h", str(self.data), "-p", str(self.port), "-U", "postgres", "-XqAtc", statement)
        if done.returncode:
            raise SystemExit(f"{statement}: {done.stderr.strip()}")
        return done.stdout.strip()

    @property
    def version(self) -> str:
        return self._run(_program("postgres"), "--version").stdout.replace("postgres (PostgreSQL)", "PostgreSQL").split(" (")[0].strip()

    def kill_sessions(self) -> None:
        """Ends the processes of the clients' sessions, without a word to them; PostgreSQL ends by that."""
        for pid in self.sql(f"SELECT pid FROM pg_stat_activity WHERE usename = '{USER}'").split():
            os.kill(int(pid), signal.SIGKILL)

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def url(self, query: str) -> str:
        return f"postgresql://{USER}:{PASSWORD}@{NAME}:{self.port}/{DATABASE}{f'?{query}' if query else ''}"
