"""The lab's directory: what `down` removes of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import apprepo, terraform
from .report import warn
from .settings import Settings


def discard(settings: Settings, *, tools_too: bool) -> None:
    """Remove everything, except an application with work of the user's in it, with the authority that it knows, and the installed provider (a tool, as
    images are)."""
    if not settings.directory.exists():
        return
    terraform.forget_choice(settings)
    for entry in settings.directory.iterdir():
        if entry == settings.bundle.parent and apprepo.has_work(settings.app):
            continue  # the authority whose certificate that application has
        if entry == settings.app and apprepo.has_work(settings.app):
            warn(f"{settings.app} has work of yours and stays")
        elif entry != settings.terraform or tools_too:
            _remove(entry)
    for directory in (settings.terraform, settings.directory):
        if directory.exists() and not any(directory.iterdir()):
            directory.rmdir()


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
