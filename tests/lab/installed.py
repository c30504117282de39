"""The collection as its users install it: its artifact in a virtual environment and collections path of their own, far from any checkout.

Galaxy is not asked. What the artifact depends on is taken from the pinned package `ansible`, and `ansible-galaxy collection install --offline` judges
whether it is enough.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import yaml
from conftest import CHECKOUT, Run

# Told to every Python process of the environment: which files of the checkout it opens. The lab's own directory is no part of it.
WITNESS = """
import os, sys

_BELOW, _LAB, _TOLD = {below!r}, {lab!r}, {told!r}


def _hear(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path.startswith(_BELOW) and not path.startswith(_LAB):
            with open(_TOLD, "a") as told:
                told.write(path + "\\n")


sys.addaudithook(_hear)
"""


class Installed:
    """`run` a command of its environment in an empty directory; `opened` tells what it opened of the checkout."""

    def __init__(self, root: Path, lab_directory: Path):
        self.root, self.lab_directory = root, lab_directory
        self.home, self.empty, self.environment = root / "home", root / "somewhere", root / "venv"
        self.collections = self.home / ".ansible" / "collections"
        self._told = root / "opened"
        for directory in (self.home, self.empty):
            directory.mkdir()

    def install(self) -> None:
        # pip of the project's environment fills it, which saves making one.
        _do(sys.executable, "-m", "venv", "--without-pip", str(self.environment))
        constraints = ["-c", str(CHECKOUT / "tests/constraints.txt"), "-r", str(CHECKOUT / "requirements.txt")]
        _do(sys.executable, "-m", "pip", "--python", str(self.environment), "install", "--quiet", "--disable-pip-version-check", "--no-compile", *constraints)
        self._bring_dependencies()
        artifact = self.build()
        (self.environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "sitecustomize.py").write_text(
            WITNESS.format(below=f"{CHECKOUT}/", lab=f"{self.lab_directory}/", told=str(self._told))
        )
        done = self.run("ansible-galaxy", "collection", "install", "--offline", str(artifact))
        done.must_succeed()
        artifact.unlink()
        self._told.unlink(missing_ok=True)

    def build(self) -> Path:
        _do("ansible-galaxy", "collection", "build", "--output-path", str(self.root), str(CHECKOUT))
        return next(self.root.glob("atena-aws-*.tar.gz"))

    def _bring_dependencies(self) -> None:
        """Those of galaxy.yml and what they need themselves."""
        shipped = Path(sysconfig.get_paths()["purelib"]) / "ansible_collections"
        wanted, brought = list(yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["dependencies"]), set()
        while wanted:
            name = wanted.pop()
            if name in brought:
                continue
            source = shipped / name.replace(".", "/")
            shutil.copytree(source, self.collections / "ansible_collections" / name.replace(".", "/"), ignore=shutil.ignore_patterns("tests", "__pycache__"))
            wanted += json.loads((source / "MANIFEST.json").read_text())["collection_info"]["dependencies"]
            brought.add(name)

    def run(self, command: str, *arguments: str, timeout: int = 300) -> Run:
        """With nothing set but what a user of this lab sets: credentials, endpoint, Terraform's configuration."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "TF_CLI_", "DOCKER_", "LANG", "TMPDIR"))}
        system = os.pathsep.join(entry for entry in os.environ["PATH"].split(os.pathsep) if not entry.startswith(str(CHECKOUT)))
        kept |= {"HOME": str(self.home), "PATH": f"{self.environment}/bin{os.pathsep}{system}", "PWD": str(self.empty), "NO_COLOR": "1"}
        done = subprocess.run(
            [str(self.environment / "bin" / command), *arguments],
            cwd=self.empty,
            env=kept,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
        )
        return Run(done.returncode, done.stdout)

    @property
    def opened(self) -> list[str]:
        return sorted(set(self._told.read_text().splitlines())) if self._told.exists() else []


def _do(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    assert done.returncode == 0, done.stdout
