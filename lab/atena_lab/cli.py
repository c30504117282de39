"""`lab/lab`: its commands and what they print."""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from . import apprepo, docker, doctor, emulator, engine, images, own_terraform, settings, state, terraform, welcome
from .report import LabError, say, step
from .settings import Settings


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="lab/lab", description="AWS on this machine, made of real parts.",
        epilog="ATENA_LAB_PREFIX, ATENA_LAB_PORT and ATENA_LAB_DIR tell one lab from another; ATENA_LAB_OFFLINE_PROVIDER is auto, always or never.",
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("up", help="start the lab; what runs already is left as it is")
    down_parser = commands.add_parser("down", help="stop the lab and remove its containers, network and state")
    down_parser.add_argument("--images", action="store_true", help="remove the lab's base images, its offline provider and its own Terraform too")
    down_parser.add_argument("--engine", action="store_true", help="stop Docker's engine too, if a lab started it")
    commands.add_parser("status", help="what runs")
    logs_parser = commands.add_parser("logs", help="the output of the emulator or of a service's newest task")
    logs_parser.add_argument("of", nargs="?", default="emulator", help="emulator (default), or a container's name in ECS: api, workers, ...")
    logs_parser.add_argument("--lines", type=int, default=100)
    logs_parser.add_argument("--follow", action="store_true")
    commands.add_parser("env", help="print export lines that point AWS clients and Terraform at the lab")
    commands.add_parser("welcome", help="where the application answers, and what to try next")
    commands.add_parser("doctor", help="check what the lab needs of this machine")
    options = parser.parse_args(arguments)
    # root's own directories, which a shell opened with plain `su` leaves out: dockerd and debootstrap are there.
    path = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([path, "/usr/local/sbin", "/usr/sbin", "/sbin"])
    try:
        lab = settings.read()
        match options.command:
            case "up":
                up(lab)
            case "down":
                down(lab, images_too=options.images, engine_too=options.engine)
            case "status":
                return status(lab)
            case "logs":
                logs(lab, options.of, options.lines, options.follow)
            case "env":
                env(lab, path)
            case "welcome":
                welcome.greet(lab)
            case "doctor":
                return doctor.report(lab)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


@contextmanager
def locked(lab: Settings) -> Iterator[None]:
    """One up or down of this lab at a time."""
    lab.directory.parent.mkdir(parents=True, exist_ok=True)
    with lab.directory.with_name(lab.directory.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(lab: Settings) -> None:
    started = time.monotonic()
    doctor.check_system(lab)
    doctor.require_disk(lab)
    with locked(lab), ThreadPoolExecutor(1) as aside:
        say(f"lab {lab.prefix}")
        lab.directory.mkdir(parents=True, exist_ok=True)
        # The provider needs nothing of the engine's: on the first run it is installed while images are built.
        provider = aside.submit(terraform.ensure, lab)
        with step("docker engine") as current:
            current.was(engine.ensure())
        with step("base images") as current:
            current.was(images.ensure())
        with step("emulator") as current:
            current.was(start_emulator(lab))
        with step("terraform") as current:
            current.was(provider.result())
        with step("sample app") as current:
            current.was(apprepo.ensure(lab.app, bundle=lab.bundle))
    say(f"up in {time.monotonic() - started:.1f} s: {lab.endpoint_url} (account {lab.account}, region {settings.REGION})")


def start_emulator(lab: Settings) -> str:
    emulator.require_same_port(lab)
    pid = emulator.running(lab)
    if pid is not None and emulator.healthy(lab) and docker.network_gateway(lab.network):
        return f"running, process {pid}"
    if pid is not None:
        say(f"    process {pid} does not answer: stopping it")
        emulator.stop(lab)
    # The emulator keeps AWS's state in memory: without it, what its containers hold belongs to nothing any more.
    leftovers = clear(lab)
    gateway = docker.create_network(lab.network, lab.prefix)
    pid = emulator.start(lab, gateway)
    return f"started, process {pid}" + (f", {leftovers} leftovers of an earlier run removed" if leftovers else "")


def clear(lab: Settings) -> int:
    """Remove this lab's containers, volumes and network; how many there were."""
    removed = 0
    for kind in ("container", "volume", "network"):
        names = docker.owned(kind, lab.prefix)
        docker.remove(kind, names)
        removed += len(names)
    return removed


def down(lab: Settings, *, images_too: bool, engine_too: bool) -> None:
    with locked(lab):
        if images_too or engine_too:
            require_alone(lab)
        stopped = emulator.stop(lab)
        terraform.stop_warm(lab)
        engine_runs = docker.engine_version() is not None
        removed = clear(lab) if engine_runs else 0
        if engine_runs:
            # What was pushed to the emulator's registry, which is gone.
            docker.remove_images_of(f"localhost:{lab.port}")
        say(f"lab {lab.prefix}: emulator {'stopped' if stopped else 'was not running'}, {removed} containers, volumes and networks removed")
        state.discard(lab, tools_too=images_too)
        if images_too and engine_runs:
            gone = images.remove()
            say(f"images removed: {', '.join(gone) or 'none'}")
        if engine_too:
            say("docker engine stopped" if engine.stop_if_ours() else "docker engine left alone: no lab started it")


def require_alone(lab: Settings) -> None:
    """Images and engine belong to the machine: another lab that runs needs them."""
    others = sorted(docker.labs() - {lab.prefix}) if docker.engine_version() is not None else []
    if others:
        raise LabError(
            f"Base images and engine are shared with other labs, and there are: {', '.join(others)}.",
            "Take those down first (ATENA_LAB_PREFIX=<name> lab/lab down), or leave --images and --engine away.",
        )


def status(lab: Settings) -> int:
    """0 when the lab is up."""
    pid = emulator.running(lab)
    healthy = pid is not None and emulator.healthy(lab)
    version = docker.engine_version()
    say(f"lab            {lab.prefix} in {lab.directory}")
    say(f"docker engine  {version or 'not running'}")
    say(f"emulator       {lab.endpoint_url}, process {pid}" if healthy else "emulator       not running")
    say(f"terraform      {terraform.describe(lab)}")
    say(f"sample app     {apprepo.describe(lab.app)}")
    if version:
        rows = docker.containers(lab.prefix)
        for name, state in rows:
            say(f"container      {name}: {state}")
    return 0 if healthy else 3


def logs(lab: Settings, of: str, lines: int, follow: bool) -> None:
    if of == "emulator":
        if not lab.log.exists():
            raise LabError(f"There is no log of an emulator in {lab.directory}.", "Start the lab: lab/lab up.")
        subprocess.run(["tail", "-n", str(lines), *(["-F"] if follow else []), str(lab.log)], check=False)
        return
    names = docker.task_containers(lab.prefix, of)
    if not names:
        known = sorted({name for name in docker.task_container_kinds(lab.prefix)})
        raise LabError(f"No container {of!r} runs in lab {lab.prefix}.", f"There are: {', '.join(known) or 'none'}. Older output is in CloudWatch Logs.")
    subprocess.run(["docker", "logs", "--tail", str(lines), *(["--follow"] if follow else []), names[0]], check=False)


def env(lab: Settings, path: str) -> None:
    own = own_terraform.executable(lab)
    for name, value in settings.shell_environment(lab, terraform.configuration(lab), own.parent if own else None, path).items():
        print(f"export {name}={shlex.quote(value)}")
