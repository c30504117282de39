"""The environment of one end: its Python, its packages, its collections - in a directory of its own, as a user who has just these versions has them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
MATRIX = CHECKOUT / ".lab" / "matrix"
# As the project's own tests have it.
TESTED_WITH = [line for line in (CHECKOUT / "tests" / "requirements.txt").read_text().splitlines() if line.startswith("pytest==")]


class Lack(Exception):
    """What this machine has not got, and where to get it."""


class Failed(Exception):
    """A command that had to succeed did not; with the last that it said."""


@dataclass(frozen=True)
class End:
    name: str
    python: str
    packages: list[str]
    ansible: str
    terraform: list[str]

    @property
    def directory(self) -> Path:
        return MATRIX / self.name

    @property
    def venv(self) -> Path:
        return self.directory / "venv"

    @property
    def interpreter(self) -> Path:
        return self.venv / "bin" / "python"


def run(*command: str | Path, timeout: int = 1200, **options) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, stdin=subprocess.DEVNULL, text=True, timeout=timeout, **options)
    if done.returncode:
        said = f"{done.stdout.strip()}\n{done.stderr.strip()}".strip()
        raise Failed(f"`{' '.join(str(part) for part in command)}` failed:\n{said[-2000:]}")
    return done.stdout


def pythons(wanted: str, environ: Mapping[str, str]) -> Iterator[str]:
    named = environ.get(f"PYTHON_{wanted.replace('.', '_')}")
    if named:
        # Nothing else is taken in its place.
        yield named
        return
    for directory in environ.get("PATH", "").split(os.pathsep):
        if directory:
            yield str(Path(directory) / f"python{wanted}")


def find_python(wanted: str, environ: Mapping[str, str]) -> str:
    """One that starts and is this version: a name in PATH may be a version manager's shim for a version that is not chosen."""
    tell = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in pythons(wanted, environ):
        try:
            done = subprocess.run([candidate, "-c", tell], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.strip() == wanted:
            return candidate
    raise Lack(f"no Python {wanted} with its venv module in PATH; name one with PYTHON_{wanted.replace('.', '_')}=")


def make(end: End, environ: Mapping[str, str]) -> None:
    """Packages and collections of the end; again only where its row or its Python changed."""
    python = find_python(end.python, environ)
    recipe = json.dumps([end.packages, end.ansible, TESTED_WITH, run(python, "-VV")])
    stamp = end.venv / "recipe.json"
    if stamp.exists() and stamp.read_text() == recipe:
        return
    shutil.rmtree(end.venv, ignore_errors=True)
    end.directory.mkdir(parents=True, exist_ok=True)
    requirements = end.directory / "requirements.txt"
    requirements.write_text("\n".join([*end.packages, *TESTED_WITH, ""]))
    # No constraints: what fits these versions today is what their user gets.
    run(CHECKOUT / "tests" / "bin" / "make-venv", python, end.venv, os.devnull, requirements)
    bring_collections(end)
    stamp.write_text(recipe)


def bring_collections(end: End) -> None:
    """Into the environment's site-packages, where the package itself would put them: most of its 100 collections are no matter of ours."""
    site = Path(run(end.interpreter, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip())
    with tempfile.TemporaryDirectory() as temporary:
        run(end.interpreter, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", temporary, f"ansible=={end.ansible}")
        with zipfile.ZipFile(next(Path(temporary).glob("*.whl"))) as wheel:
            extract(wheel, site, depends_on(end))


def depends_on(end: End) -> list[str]:
    # There PyYAML is, as ansible-core needs it; here it may not be.
    tell = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load(sys.argv[1])['dependencies'])))"
    return json.loads(run(end.interpreter, "-c", tell, (CHECKOUT / "galaxy.yml").read_text()))


def extract(wheel: zipfile.ZipFile, into: Path, names: list[str]) -> list[str]:
    """These collections and those that they depend on."""
    members, wanted, brought = wheel.namelist(), list(names), []
    while wanted:
        name = wanted.pop(0)
        if name in brought:
            continue
        root = f"ansible_collections/{name.replace('.', '/')}/"
        wheel.extractall(into, [member for member in members if member.startswith(root) and not member.startswith(f"{root}tests/")])
        wanted += json.loads(wheel.read(f"{root}MANIFEST.json"))["collection_info"]["dependencies"]
        brought.append(name)
    return brought


def variables(end: End, environ: Mapping[str, str], terraform: Path | None) -> dict[str, str]:
    """For what runs in the end: its commands first, its Terraform, and no collection but the checkout's and the end's own."""
    programs = end.directory / "bin"
    shutil.rmtree(programs, ignore_errors=True)
    programs.mkdir(parents=True)
    if terraform is not None:
        # Not a link: a launcher may look for what it needs beside its own name.
        (programs / "terraform").write_text(f'#!/bin/sh\nexec "{terraform.absolute()}" "$@"\n')
        (programs / "terraform").chmod(0o755)
    own = [str(programs), str(end.venv / "bin")]
    inherited = [entry for entry in environ.get("PATH", "").split(os.pathsep) if entry != str(CHECKOUT / ".venv" / "bin")]
    return {
        **{name: value for name, value in environ.items() if not name.startswith(("ANSIBLE_", "PYTEST_", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"))},
        "PATH": os.pathsep.join(own + inherited),
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".collections"),
    }


def seen(end: End, environ: Mapping[str, str]) -> dict[str, str]:
    """The versions as the environment itself tells them, not as its row wants them."""
    tell = "import importlib.metadata as it, json, sys; print(json.dumps({name: it.version(name) for name in sys.argv[1:]}))"
    collections = json.loads(run(end.venv / "bin" / "ansible-galaxy", "collection", "list", "--format", "json", env=dict(environ), cwd=CHECKOUT))
    found = {name: about["version"] for path in collections.values() for name, about in path.items()}
    core = run(end.venv / "bin" / "ansible", "--version", env=dict(environ), cwd=CHECKOUT).splitlines()[0]
    return {
        "Python": run(end.interpreter, "-V").split()[-1],
        "ansible-core": core.removeprefix("ansible [core ").rstrip("]"),
        "amazon.aws": found["amazon.aws"],
        **json.loads(run(end.interpreter, "-c", tell, "boto3", "botocore")),
    }
