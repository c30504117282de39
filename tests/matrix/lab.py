"""A first day, a release, a night and a morning with an end's own ansible-playbook, in a lab of its own.

The lab itself - engine, emulator, provider - is the checkout's, with the checkout's environments; only what a user runs comes from the end.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .environment import CHECKOUT, End, run

PREFIX, PORT = "atena-matrix", "4966"
VERBS = ("site", "deploy", "status", "stop", "start")
RECAP = re.compile(r"^\S+\s+: (ok=\d+\s+changed=\d+\s+unreachable=\d+\s+failed=\d+)", re.MULTILINE)


@dataclass
class Step:
    verb: str
    code: int
    seconds: float
    recap: str

    @property
    def good(self) -> bool:
        return self.code == 0

    def __str__(self) -> str:
        return f"{self.verb} {f'{self.seconds:.0f} s' if self.good else f'FAILED ({self.code})'}"


def settings() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATENA_LAB_", "AWS_"))}
    return {**kept, "ATENA_LAB_PREFIX": PREFIX, "ATENA_LAB_PORT": os.environ.get("ATENA_MATRIX_PORT", PORT), "ATENA_LAB_DIR": str(CHECKOUT / ".lab" / PREFIX)}


def clear(environ: dict[str, str]) -> None:
    # `lab down` would keep the application's repository, as it holds a commit: ours.
    shutil.rmtree(Path(environ["ATENA_LAB_DIR"]) / "app", ignore_errors=True)
    run(CHECKOUT / "lab" / "lab", "down", env=environ, cwd=CHECKOUT)


@contextmanager
def up() -> Iterator[dict[str, str]]:
    """What points AWS clients and Terraform at the lab, which is gone afterwards."""
    environ = settings()
    clear(environ)
    try:
        run(CHECKOUT / "lab" / "lab", "doctor", env=environ, cwd=CHECKOUT)
        run(CHECKOUT / "lab" / "lab", "up", env=environ, cwd=CHECKOUT)
        yield exported(run(CHECKOUT / "lab" / "lab", "env", env=environ, cwd=CHECKOUT))
    finally:
        clear(environ)


def exported(text: str) -> dict[str, str]:
    """Of lines that a shell would read: export NAME=value. The commands are the end's, not the lab's."""
    words = [shlex.split(line) for line in text.splitlines() if line.startswith("export ")]
    found = dict(line[1].split("=", 1) for line in words)
    return {name: value for name, value in found.items() if name != "PATH"}


def change_application(directory: Path) -> None:
    """A commit, so that the release after site.yml has something to release."""
    with (directory / "packages" / "api" / "src" / "server.ts").open("a") as file:
        file.write("// Released once more.\n")
    author = ["-c", "user.name=Matrix", "-c", "user.email=matrix@example.com"]
    run("git", *author, "-C", directory, "commit", "--quiet", "--all", "--message", "Release once more")


def play(end: End, variables: dict[str, str], verb: str) -> Step:
    log, begin = end.directory / f"{verb}.log", time.monotonic()
    command = [str(end.venv / "bin" / "ansible-playbook"), "-i", "inventories/lab", f"playbooks/{verb}.yml"]
    own = end.directory / "bin" / "terraform"
    if own.exists():
        # Said aloud, as the inventory may name one of the lab's.
        command += ["-e", f"infra_terraform_executable={own}"]
    with log.open("w") as output:
        print(f"$ {shlex.join(command)}", file=output, flush=True)
        code = subprocess.run(command, cwd=CHECKOUT, env=variables, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode
    recap = RECAP.search(log.read_text(errors="replace"))
    return Step(verb, code, time.monotonic() - begin, " ".join(recap[1].split()) if recap else "no recap")


def first_day(end: End, variables: dict[str, str]) -> Iterator[Step]:
    """Each step as it ends; none after one that failed, as it would tell of that one only."""
    with up() as pointing:
        variables = {**{name: value for name, value in variables.items() if not name.startswith(("ATENA_LAB_", "AWS_"))}, **pointing}
        for verb in VERBS:
            if verb == "deploy":
                change_application(Path(pointing["ATENA_LAB_DIR"]) / "app")
            step = play(end, variables, verb)
            yield step
            if not step.good:
                return
