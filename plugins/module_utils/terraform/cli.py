# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs Terraform in one working copy, leaving nothing behind and never abandoning it half-way."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import IO, Any

from ansible.module_utils.common.process import get_bin_path
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Say
from ansible_collections.atena.aws.plugins.module_utils.terraform import errors
from ansible_collections.atena.aws.plugins.module_utils.terraform.errors import Diagnostic

# The version that infra/versions.tf demands, said here in better words.
MINIMUM = (1, 7, 0)
_SCRATCH = "atena-run-"
_PROCESS = "process"
_LOOK_EVERY = 0.25
# What a caller's shell could change behind our back: arguments, the working copy's data, the state that is meant.
_FOREIGN = ("TF_CLI_ARGS", "TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT")


class TerraformError(Exception):
    """Its text is ready for the user."""


class CommandFailed(TerraformError):
    """A command of Terraform's failed, with its diagnostics."""

    def __init__(self, doing: str, diagnostics: list[Diagnostic], others: list[str], directory: Path) -> None:
        self.diagnostics, self._others, self._directory = diagnostics, others, directory
        super().__init__(self.told(doing))

    def told(self, doing: str, but: Collection[str] = ()) -> str:
        """Its reasons, after other words for what could not be done, and without the diagnostics of these summaries."""
        shown = [diagnostic for diagnostic in self.diagnostics if diagnostic.get("summary") not in but]
        return errors.explain(doing, shown, self._others, self._directory)


def version_problem(version: str, executable: str = "terraform") -> str | None:
    """Why this Terraform cannot be used, or None."""
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:3])
    if numbers >= MINIMUM:
        return None
    wanted = ".".join(map(str, MINIMUM))
    return (
        f"{executable} is Terraform {version}, but {wanted} or newer is needed (for_each in import blocks). Nothing was changed. Install a newer "
        "one from https://developer.hashicorp.com/terraform/install, or name it with infra_terraform_executable."
    )


def executable_path(name: str) -> str | None:
    """Where this command is, or None. (AnsibleAWSModule has no get_bin_path in amazon.aws 9.)"""
    try:
        return get_bin_path(name)
    except ValueError:
        return None


class Terraform:
    def __init__(self, executable: str, directory: str | Path, environment: Mapping[str, str] | None = None, on_line: Say | None = None) -> None:
        """on_line: takes each line of output as it comes, for telling what goes on."""
        self.on_line = on_line
        self.directory = Path(directory)
        self.data = self.directory / ".terraform"
        self.executable = executable
        base = os.environ if environment is None else environment
        self.environment = {name: value for name, value in base.items() if not name.startswith(_FOREIGN)}
        self.environment.update(TF_DATA_DIR=str(self.data), TF_WORKSPACE="default", TF_IN_AUTOMATION="1", TF_INPUT="0", CHECKPOINT_DISABLE="1")
        self.interrupted = False
        self._process: subprocess.Popen[bytes] | None = None
        self._told: subprocess.Popen[bytes] | None = None

    def _forward(self, _signal_number: int, _frame: FrameType | None) -> None:
        self.interrupt()

    def interrupt(self) -> None:
        """Stops Terraform in good order, and then this process's work. Also called from a thread, when the environment's lock is lost."""
        self.interrupted = True
        self._tell(self._process)

    def _tell(self, process: subprocess.Popen[bytes] | None) -> None:
        """One SIGINT and no more: at the first Terraform finishes what it is doing, writes its state and unlocks it; at a second it gives up."""
        if process is not None and process is not self._told:
            self._told = process
            process.send_signal(signal.SIGINT)

    @contextlib.contextmanager
    def guarded(self) -> Iterator[Terraform]:
        """While it holds, an interruption stops Terraform in good order, and then this process's work."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        previous = [signal.signal(number, self._forward) for number in numbers]
        try:
            yield self
        finally:
            for number, handler in zip(numbers, previous, strict=True):
                signal.signal(number, handler)

    def run(self, *arguments: str, scratch: str) -> tuple[int, list[str]]:
        """Returns (exit code, output lines). The output goes through a file: if this process is killed, Terraform must not die of a broken pipe."""
        self.stop_if_interrupted()
        with tempfile.TemporaryFile(mode="w+", dir=scratch, encoding="utf-8", errors="replace") as output:
            # A session of its own: a Ctrl-C at the terminal reaches Terraform once, through us.
            process = self._process = subprocess.Popen(
                [self.executable, *arguments],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            Path(scratch, _PROCESS).write_text(str(process.pid))
            if self.interrupted:
                # It came while the process was being started, when there was nobody to forward it to.
                self._tell(process)
            try:
                code = self._follow(process, output)
            finally:
                self._process = None
            output.seek(0)
            return code, output.read().splitlines()

    def _follow(self, process: subprocess.Popen[bytes], output: IO[str]) -> int:
        """Waits for the process. Its lines are read beside it, at a place of their own: the process writes on where it is.

        Never for long at a time: a signal that the system hands to another thread does not wake this one, which handles it.
        """
        at, rest, code = 0, b"", None
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(timeout=_LOOK_EVERY)
            while self.on_line and (fresh := os.pread(output.fileno(), 65536, at)):
                at += len(fresh)
                *lines, rest = (rest + fresh).split(b"\n")
                for line in lines:
                    self.on_line(line.decode(errors="replace"))
            if code is not None:
                return code

    def stop_if_interrupted(self) -> None:
        if self.interrupted:
            raise TerraformError(
                "The run was interrupted. Terraform was asked to stop, wrote what it had done to its state and released its lock. "
                "It is safe to run the playbook again: it resumes from there."
            )

    def checked(self, doing: str, *arguments: str, scratch: str, accept: Collection[int] = (0,)) -> tuple[int, list[str], list[Diagnostic]]:
        """Like run, but fails with Terraform's reasons. Returns (exit code, output lines, diagnostics)."""
        began = time.time()
        code, lines, diagnostics, others = self._run_and_read(arguments, scratch)
        holder = errors.lock_holder(diagnostics) if code not in accept else None
        if holder and is_own_lock(holder, began) and not others_at_work(self.executable, self.directory, self.environment):
            # DynamoDB took the lock for this very run, and the answer was lost: Terraform then waits for itself.
            self.run("force-unlock", "-force", holder["ID"], scratch=scratch)
            code, lines, diagnostics, others = self._run_and_read(arguments, scratch)
        if code not in accept:
            self.stop_if_interrupted()
            raise CommandFailed(doing, diagnostics, others, self.directory)
        return code, lines, diagnostics

    def _run_and_read(self, arguments: Iterable[str], scratch: str) -> tuple[int, list[str], list[Diagnostic], list[str]]:
        code, lines = self.run(*arguments, scratch=scratch)
        diagnostics, others = errors.from_stream(lines)
        return code, lines, diagnostics or errors.from_text("\n".join(others)), others

    def json(self, doing: str, *arguments: str, scratch: str) -> dict[str, Any]:
        """The JSON document that a command prints. It may hold secrets: it is read from memory, never kept in a file that has a name."""
        _code, lines, _diagnostics = self.checked(doing, *arguments, scratch=scratch)
        for number, line in enumerate(lines):
            # Terraform's own warnings may stand before it.
            if line.startswith("{"):
                return json.JSONDecoder().raw_decode("\n".join(lines[number:]))[0]
        raise TerraformError(f"Terraform printed no JSON document when asked to {doing}.")

    def version(self, scratch: str) -> str:
        version = self.json("report its version", "version", "-json", scratch=scratch)["terraform_version"]
        problem = version_problem(version, self.executable)
        if problem:
            raise TerraformError(problem)
        return version

    def _fingerprint(self, version: str) -> str:
        """Changes whenever `terraform init` has something to do."""
        digest = hashlib.sha256(version.encode())
        rc = self.environment.get("TF_CLI_CONFIG_FILE", "")
        named = [self.directory / ".terraform.lock.hcl", *sorted(self.directory.glob("*.tf")), *sorted(self.directory.glob("*.tf.json"))]
        for path in [*named, *([Path(rc)] if rc else [])]:
            digest.update(str(path).encode() + b"\0" + (path.read_bytes() if path.is_file() else b""))
        return digest.hexdigest()

    def initialize(self, version: str, scratch: str) -> bool:
        """Runs `terraform init` if something that it depends on changed since it last succeeded. Returns whether it did."""
        stamp = self.data / "atena-initialized"
        if stamp.is_file() and stamp.read_text() == self._fingerprint(version) and (self.data / "providers").is_dir():
            return False
        # Another backend means another environment's state: it is read anew, never copied from the one before.
        self.checked("initialize the working copy", "init", "-input=false", "-reconfigure", scratch=scratch)
        stamp.write_text(self._fingerprint(version))
        return True

    def _left(self) -> Iterator[tuple[Path, int | None]]:
        """(directory, process or None) of each run that was killed: its private directory, and its Terraform if that still works here."""
        for directory in self.data.glob(f"{_SCRATCH}*"):
            if not _alive(directory.name[len(_SCRATCH) :].split("-")[0]):
                process = None
                with contextlib.suppress(OSError, ValueError):
                    process = int((directory / _PROCESS).read_text())
                yield directory, process if process and _alive(process) and _works_in(process, self.directory) else None

    def survivors(self) -> list[int]:
        """Processes of Terraform that still work here though the run that started them was killed."""
        return [process for _directory, process in self._left() if process]

    @contextlib.contextmanager
    def scratch(self) -> Iterator[str]:
        """A private directory for one run's plan file; removed with it, along with those of runs that were killed."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover, process in list(self._left()):
            if process is None:
                shutil.rmtree(leftover, ignore_errors=True)
        directory = tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}-", dir=self.data)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _alive(pid: int | str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def made_here(holder: Mapping[str, str]) -> float | None:
    """When a lock was made (epoch seconds), if that was on this machine and by this user; else None."""
    try:
        who = f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"
        # '2026-11-25 15:57:30.380224938 +0000 UTC', or the same as ISO 8601: to the second in both.
        made = datetime.datetime.strptime(holder["Created"][:19].replace("T", " "), "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.UTC)
        return made.timestamp() if holder["Who"] == who else None
    except (KeyError, ValueError):
        return None


def is_own_lock(holder: Mapping[str, str], began: float) -> bool:
    """Whether a lock was made on this machine, by this user, since `began` (epoch seconds)."""
    made = made_here(holder)
    return made is not None and made >= int(began)


def others_at_work(executable: str, directory: str | Path, environment: Mapping[str, str], proc: str = "/proc") -> bool:
    """Whether another Terraform may work on this machine on the state of this working copy; where that cannot be told, one may."""
    if not os.path.isdir(os.path.join(proc, "self")):
        return True
    names, here = {"terraform", os.path.basename(executable), os.path.basename(os.path.realpath(executable))}, _backend(directory, environment)
    for process in Path(proc).glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is another user's
            if process.name != str(os.getpid()) and (not names.isdisjoint(_names(process)) or _started_by_a_run(process)):
                variables = dict(entry.partition("=")[::2] for entry in (process / "environ").read_text(errors="replace").split("\0"))
                there = _backend(os.readlink(process / "cwd"), variables)
                if there is None or there == here:
                    return True
    return False


def _names(process: Path) -> set[str]:
    """What a process goes by: its program may be an interpreter, such as of a wrapper, or have been replaced by a newer one since it was started."""
    arguments = (process / "cmdline").read_text(errors="replace").split("\0")
    script = next((argument for argument in arguments[1:] if not argument.startswith("-")), "")
    program = os.readlink(process / "exe").removesuffix(" (deleted)")
    return {os.path.basename(name) for name in (program, arguments[0], script)} | {(process / "comm").read_text(errors="replace").rstrip("\n")}


def _started_by_a_run(process: Path) -> bool:
    """Whether a run in the process's working copy noted it as its Terraform, whatever it is called."""
    for note in Path(os.readlink(process / "cwd"), ".terraform").glob(f"{_SCRATCH}*/{_PROCESS}"):
        with contextlib.suppress(OSError):  # its run has ended meanwhile
            if note.read_text() == process.name:
                return True
    return False


def _backend(directory: str | Path, environment: Mapping[str, str]) -> tuple[bytes, dict[str, str]] | None:
    """What tells the backend of a working copy from others: its description and the endpoints. None if it is not one of ours."""
    try:
        description = (Path(directory) / "backend_override.tf.json").read_bytes()
    except OSError:
        return None
    return description, {name: value for name, value in environment.items() if name.startswith("AWS_ENDPOINT_URL")}


def _works_in(pid: int, directory: Path) -> bool:
    """Whether a process has this directory as its own. Another one may have got the number meanwhile; where that cannot be told, it counts."""
    try:
        return os.path.samefile(os.readlink(f"/proc/{pid}/cwd"), directory)
    except FileNotFoundError:
        return not os.path.isdir("/proc/self")
    except OSError:
        return True
