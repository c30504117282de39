# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Docker's command line, with a registry's password that never reaches a file or a process's arguments."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator

from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown

# Docker asks a program of this name for the credentials (Docker CLI reference, 'Credential helpers'); ours answers from its environment.
_HELPER = "docker-credential-atena"
_HELPER_TEXT = '#!/bin/sh\nprintf "%s" "$ATENA_REGISTRY_CREDENTIALS"\n'
_TAIL = 25
# Of the classic builder ('Step 3/7 : RUN …') and of BuildKit ('#12 [build 3/7] RUN …').
_STEP = re.compile(r"Step (?P<step>\d+/\d+) : (?P<doing>.+)|#\d+ \[(?P<at>[^\]]*\d+/\d+)\] (?P<what>.+)")


class DockerFailed(Exception):
    """A docker command that failed; its text is ready for the user."""


def run(arguments: list[str], doing: str, environment: dict | None = None, on_line: Callable[[str], object] | None = None) -> str:
    """Runs docker and returns what it printed. `doing` completes 'Could not'. on_line: takes each line as it comes."""
    try:
        process = subprocess.Popen(
            ["docker", *arguments],
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise DockerFailed(
            f"Could not {doing}: there is no `docker` command. Install Docker (Debian: apt-get install docker.io) where the playbook runs. Nothing was changed."
        ) from None
    output = _output(process, on_line)
    if process.returncode == 0:
        return output
    raise DockerFailed(f"Could not {doing}: {failure(output)}")


def _output(process: subprocess.Popen[str], on_line: Callable[[str], object] | None) -> str:
    """All that it prints until it ends."""
    lines = []
    with process, _killed_if_left(process):
        for line in process.stdout or ():
            lines.append(line)
            if on_line:
                on_line(line.rstrip())
    return "".join(lines)


@contextlib.contextmanager
def _killed_if_left(process: subprocess.Popen[str]) -> Iterator[None]:
    """A run that ends in the middle, as by Ctrl-C, leaves no docker behind."""
    try:
        yield
    except BaseException:
        process.kill()
        raise


def step(line: str) -> str:
    """What a line of `docker build` tells of its progress, for the person who waits: the step that begins; '' of any other line."""
    found = _STEP.match(shown(line))
    return f"[{found['at'] or found['step']}] {found['what'] or found['doing']}" if found else ""


def failure(output: str) -> str:
    """What matters of a failed docker command's output, with the remedy where one is known."""
    output = shown(output)
    if "Cannot connect to the Docker daemon" in output or "error during connect" in output:
        return "the Docker engine does not answer. Start it (`systemctl start docker`, Docker Desktop), or set DOCKER_HOST; and may this user use it?"
    if "permission denied" in output and "docker.sock" in output:
        return "this user may not use the Docker engine. Add it to the group `docker`, or use rootless Docker and set DOCKER_HOST."
    if "no space left on device" in output:
        return "the disk is full. `docker image prune` frees what no image needs."
    lines = [line for line in output.splitlines() if line.strip()]
    return "docker says:\n" + "\n".join(lines[-_TAIL:])


def content(image: str, path: str, platform: str = "") -> str:
    """What a file in a local image holds; '' if it has none of that path. Nothing of the image is run."""
    made = run(["create", *(["--platform", platform] if platform else []), image, "none"], f"look into the image {image}").split()[-1]
    try:
        return run(["cp", "--follow-link", f"{made}:{path}", "-"], f"find {path} in the image {image}")
    except DockerFailed:
        return ""  # docker's words for a file that is not there differ by version; an engine that ended fails what comes next
    finally:
        run(["rm", made], f"remove the container {made}")


def engine() -> dict:
    """{'architecture': 'amd64', 'host': 'unix:///var/run/docker.sock'} of the engine that the user's docker command talks to."""
    architecture = run(["version", "--format", "{{.Server.Arch}}"], "reach the Docker engine").strip().splitlines()[-1]
    host = os.environ.get("DOCKER_HOST") or run(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], "find the Docker engine's address").strip()
    return {"architecture": architecture, "host": host}


@contextlib.contextmanager
def login(registry: str, user: str, password: str, host: str) -> Iterator[dict[str, str]]:
    """Environment for docker commands that are logged in to `registry`. Nothing secret is written anywhere."""
    directory = tempfile.mkdtemp(prefix="atena-docker-")
    try:
        helper = os.path.join(directory, _HELPER)
        with open(helper, "w", encoding="utf-8") as file:
            file.write(_HELPER_TEXT)
        os.chmod(helper, 0o700)
        with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
            json.dump({"credHelpers": {registry: _HELPER.removeprefix("docker-credential-")}}, file)
        yield {
            "DOCKER_CONFIG": directory,
            "DOCKER_HOST": host,
            "PATH": f"{directory}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "ATENA_REGISTRY_CREDENTIALS": json.dumps({"ServerURL": registry, "Username": user, "Secret": password}),
        }
    finally:
        shutil.rmtree(directory, ignore_errors=True)
