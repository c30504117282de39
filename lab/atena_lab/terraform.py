"""Terraform in the lab: the machine's or the lab's own, with the real provider where its registry answers and the offline one where it does not."""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from . import own_terraform, process
from .emulator import python
from .process import run
from .settings import LAB_ROOT, Settings

REGISTRY = "https://registry.terraform.io/.well-known/terraform.json"
INSTALLER = LAB_ROOT / "provider" / "install.py"
REGISTRY_MARKER = "registry"


def configuration(settings: Settings) -> Path | None:
    """Terraform's CLI configuration that names the offline mirror, where it is in use."""
    file = settings.terraform / "terraform.rc"
    return file if file.exists() else None


def ensure(settings: Settings) -> str:
    """Have Terraform, and a provider for it."""
    own, provider = own_terraform.ensure(settings), ensure_provider(settings)
    return f"{own}; {provider}" if own else provider


def ensure_provider(settings: Settings) -> str:
    """Have a provider for Terraform to use. What an earlier run decided holds: states were written since then."""
    settings.terraform.mkdir(parents=True, exist_ok=True)
    marker = settings.terraform / REGISTRY_MARKER
    match settings.offline_provider:
        case "always":
            offline = True
        case "never":
            offline = False
        case _:
            offline = configuration(settings) is not None or not (marker.exists() or registry_answers())
    if not offline:
        stop_warm(settings)
        (settings.terraform / "terraform.rc").unlink(missing_ok=True)
        marker.touch()
        return "provider from registry.terraform.io"
    marker.unlink(missing_ok=True)
    run([python(), str(INSTALLER), "--dir", str(settings.terraform)], timeout=900)
    start_warm(settings)
    return "offline provider (a test double)" + (", as the registry is out of reach" if settings.offline_provider == "auto" else "")


def start_warm(settings: Settings) -> None:
    """A process that starts the offline provider quickly; always a new one, as another program may have been installed, and nobody waits for it."""
    stop_warm(settings)
    with settings.provider_log.open("w") as log:
        child = subprocess.Popen(
            [str(settings.terraform / "venv" / "bin" / "python"), "-m", "offline.warm"], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True, cwd=settings.terraform, env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        )  # fmt: skip
    process.write_pid(settings.provider_pid_file, child.pid)


def stop_warm(settings: Settings) -> None:
    """What it has forked goes on, and what is started meanwhile starts by itself."""
    pid = process.read_pid(settings.provider_pid_file)
    if pid is not None:
        process.stop(pid)
    for file in (settings.provider_pid_file, settings.terraform / "warm.sock"):
        file.unlink(missing_ok=True)


def forget_choice(settings: Settings) -> None:
    """The next `up` decides anew; an installed provider stays installed."""
    for name in ("terraform.rc", REGISTRY_MARKER):
        (settings.terraform / name).unlink(missing_ok=True)


def registry_answers(timeout: float = 3.0) -> bool:
    try:
        with urllib.request.urlopen(REGISTRY, timeout=timeout) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def describe(settings: Settings) -> str:
    own, file = own_terraform.executable(settings), configuration(settings)
    found = str(own) if own else own_terraform.of_machine()
    if found is None:
        return "not installed"
    return f"{found}, {f'offline provider, {file}' if file else 'provider from registry.terraform.io'}"
