"""What a database's snapshot holds, and a database that begins with it.

MiniStack keeps a name. Here the real PostgreSQL is copied while it serves, as its backup functions provide for: what a snapshot of its storage
would hold, with the passwords that its users had then; and a container is made with that. A backup that every instance takes when it is new,
as RDS takes one, and the write-ahead log that PostgreSQL keeps make any later moment restorable (database_restore.py).
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import io
import logging
import tarfile
import time
from dataclasses import dataclass, field
from typing import Any

from docker.models.containers import ContainerCollection
from ministack.core.concurrency import spawn_background
from ministack.services import rds

from ..common.patching import replace

logger = logging.getLogger("lab.database_data")
PGDATA = "/var/lib/postgresql/data"
PATIENCE = 120
# Kept by PostgreSQL though it needs none of it any more: what a point in time is made of.
KEEP_LOG = ["-c", "wal_keep_size=4096"]
# In one session, or the backup would end with the first; the log from the beginning to the end of it belongs to it. tar gives 1 for a file that changes.
BACKUP = """
rm -rf /tmp/lab-backup && mkdir /tmp/lab-backup && cd "$PGDATA"
psql -X -q -A -t -v ON_ERROR_STOP=1 -h /run/postgresql -U "$POSTGRES_USER" -d postgres <<'END' || exit 1
SELECT pg_walfile_name(pg_backup_start('lab', true)) \\g /tmp/lab-backup/first
\\! tar -cf - --exclude './pg_wal/*' --exclude ./postmaster.pid --exclude ./postmaster.opts . | gzip -1 >/tmp/lab-backup/base
SELECT labelfile FROM pg_backup_stop(false) \\g /tmp/lab-backup/label
END
first=$(cat /tmp/lab-backup/first)
tar -cf - $(ls -d pg_wal/* | grep -E '^pg_wal/[0-9A-F]{24}$' | awk -v first="pg_wal/$first" '$0 >= first') | gzip -1 >/tmp/lab-backup/log
"""


@dataclass
class Backup:
    """`taken`: when it was complete, by the clock of programs; nothing before that moment can be made of it."""

    taken: float
    archives: list[bytes]  # of PGDATA: compressed tars
    first: str  # file of the write-ahead log


@dataclass
class Seed:
    """What a container's database begins with: archives, unpacked into its data in this order, and arguments of the server."""

    archives: list[bytes]
    arguments: list[str] = field(default_factory=list)


# ARN of a snapshot, or resource id of an instance for the backup that it took when it was new -> what it holds.
kept: dict[str, concurrent.futures.Future[Backup]] = {}
_at_work = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="lab-backup")
_seed: contextvars.ContextVar[Seed | None] = contextvars.ContextVar("database_seed", default=None)


def apply() -> None:
    replace(rds, "_create_db_instance", _backing_up)
    create = ContainerCollection.create

    def create_with_data(self: ContainerCollection, image: Any, command: Any = None, **settings: Any) -> Any:
        ours = (settings.get("labels") or {}).get("ministack") == "rds" and "POSTGRES_USER" in (settings.get("environment") or {})
        if not ours:
            return create(self, image, command, **settings)
        seed = _seed.get() or Seed([])
        container = create(self, image, [*(command or []), *KEEP_LOG, *seed.arguments], **settings)
        for archive in seed.archives:
            container.put_archive(PGDATA, archive)
        return container

    replace(ContainerCollection, "create", lambda _: create_with_data)


def run(container: Any, script: str) -> bytes:
    """What a shell script in the container prints."""
    code, (out, err) = container.exec_run(["sh", "-c", script], demux=True)
    if code:
        raise RuntimeError((err or b"").decode(errors="replace").strip() or f"exit code {code}")
    return out or b""


def take(instance: dict[str, Any]) -> concurrent.futures.Future[Backup]:
    """A backup of a database that runs, which is made from now on, one after the other."""
    container = rds._get_docker().containers.get(instance["_docker_container_id"])

    def back_up() -> Backup:
        run(container, BACKUP)
        taken = time.time()
        parts = {name: run(container, f"cat /tmp/lab-backup/{name}") for name in ("base", "log", "label", "first")}
        run(container, "rm -rf /tmp/lab-backup")
        # psql ends what it writes with a line break of its own, behind the label's.
        label = files({"backup_label": parts["label"].rstrip() + b"\n"})
        return Backup(taken, [parts["base"], parts["log"], label], parts["first"].decode().strip())

    return _at_work.submit(back_up)


def has_container(instance: dict[str, Any]) -> bool:
    return bool(instance.get("_docker_container_id")) and rds._is_postgres_engine(instance["Engine"])


def start_with(seed: Seed, name: str, instance: dict[str, Any]) -> None:
    """Make the container of a new instance with this in it."""
    token = _seed.set(seed)
    try:
        rds._start_rds_container_for_instance(name, instance)
    finally:
        _seed.reset(token)


def files(contents: dict[str, bytes]) -> bytes:
    """A tar archive of files for PGDATA; the image's entry point gives them to the server's user."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _backing_up(create: Any) -> Any:
    def create_and_back_up(params: dict[str, Any]) -> Any:
        answer = create(params)
        instance = rds._instances.get(rds._p(params, "DBInstanceIdentifier"))
        if answer[0] == 200 and instance and has_container(instance):
            spawn_background(first_backup, instance, thread_name=f"lab-first-backup-{instance['DBInstanceIdentifier']}")
        return answer

    return create_and_back_up


def first_backup(instance: dict[str, Any]) -> None:
    """RDS backs up an instance as soon as it is available."""
    deadline = time.monotonic() + PATIENCE
    while instance["DBInstanceStatus"] in ("creating", "modifying") and time.monotonic() < deadline:
        time.sleep(0.1)
    if instance["DBInstanceStatus"] == "available" and rds._instances.get(instance["DBInstanceIdentifier"]) is instance:
        kept[instance["DbiResourceId"]] = take(instance)
