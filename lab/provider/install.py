"""Install the offline Terraform provider for one lab.

    python lab/provider/install.py --dir DIR

makes DIR/venv, a copy of the provider's program, a filesystem mirror with it under the names of hashicorp/aws and
hashicorp/random, and DIR/terraform.rc: the file for TF_CLI_CONFIG_FILE, whose path is printed. Run again it changes
nothing, unless the program or its requirements changed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
REGISTRY = "registry.terraform.io/hashicorp"

# Everything is found relative to the program itself (Terraform starts it through a link), so that its checksum in a
# .terraform.lock.hcl is the same wherever the lab lives.
WRAPPER = """#!/bin/sh
# Offline test double of hashicorp/{name} {version}; see lab/provider/README.md.
root=$(dirname "$(readlink -f "$0")")/../../../../../..
PYTHONPATH="$root" exec "$root/venv/bin/python" -m offline {name}
"""

RC = """# Written by lab/provider/install.py; use it with TF_CLI_CONFIG_FILE.
disable_checkpoint = true

provider_installation {{
  filesystem_mirror {{
    path    = {mirror}
    include = {names}
  }}
  direct {{
    exclude = {names}
  }}
}}
"""


class Problem(Exception):
    pass


def versions() -> dict[str, str]:
    return {path.stem: json.loads(path.read_text())["provider"]["version"] for path in sorted((HERE / "schema").glob("*.json"))}


def target() -> str:
    """Terraform's name of this machine, as linux_amd64."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def sources() -> list[Path]:
    return sorted([*(HERE / "offline").rglob("*.py"), *(p for p in (HERE / "schema").iterdir() if p.is_file())])


def digest(*paths: Path) -> str:
    text = hashlib.sha256(sys.version.encode())
    for path in paths:
        text.update(str(path.relative_to(HERE)).encode() + b"\0" + path.read_bytes())
    return text.hexdigest()


def is_current(stamp: Path, value: str) -> bool:
    return stamp.exists() and stamp.read_text() == value


def run(command: list[str], remedy: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no output"]
        raise Problem(f"The offline Terraform provider could not be installed: '{' '.join(command)}' failed: {reason[0]} {remedy}")


def make_venv(directory: Path) -> None:
    venv, value = directory / "venv", digest(REQUIREMENTS)
    stamp = venv / "stamp"
    if is_current(stamp, value):
        return
    shutil.rmtree(venv, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(venv)], "Install Python's venv module (on Debian: apt-get install python3-venv) and run this again.")
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)]
    run(pip, "Check that the package index that pip uses can be reached (pip config list) and run this again.")
    stamp.write_text(value)


def make_program(directory: Path) -> None:
    stamp, value = directory / "program.stamp", digest(Path(__file__).resolve(), *sources())
    if is_current(stamp, value):
        return
    stamp.unlink(missing_ok=True)
    for name in ("offline", "schema", "mirror"):
        shutil.rmtree(directory / name, ignore_errors=True)
    for path in sources():
        copy = directory / path.relative_to(HERE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    for name, version in versions().items():
        program = directory / "mirror" / REGISTRY / name / version / target() / f"terraform-provider-{name}_v{version}"
        program.parent.mkdir(parents=True)
        program.write_text(WRAPPER.format(name=name, version=version))
        program.chmod(0o755)
    stamp.write_text(value)


def write_configuration(directory: Path) -> Path:
    """Written each time: a lab takes it away where the real provider is to be used, and may change its mind."""
    names = json.dumps([f"{REGISTRY}/{name}" for name in versions()])
    file = directory / "terraform.rc"
    file.write_text(RC.format(mirror=json.dumps(str(directory / "mirror")), names=names))
    return file


def install(directory: Path) -> Path:
    """Returns the file for TF_CLI_CONFIG_FILE."""
    directory = directory.resolve()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "install.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            make_venv(directory)
            make_program(directory)
            return write_configuration(directory)
    except OSError as error:
        remedy = "Name a directory that can be written with --dir."
        raise Problem(f"The offline Terraform provider could not be installed in {directory}: {error}. {remedy}") from error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, required=True, help="where to install it")
    try:
        print(install(parser.parse_args().dir))
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
