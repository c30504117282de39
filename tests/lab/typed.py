"""The commands that people are told to type, and the place where they type them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
# Before the command: a variable for it alone, or what is piped into it.
_COMMAND = re.compile(r"\s*([A-Z_]+=(\$\(.*\)|\S+) |pass .*\| )?ansible-playbook ")


class Command(NamedTuple):
    place: str
    line: str


def commands(*pages: str) -> list[Command]:
    """Those of the code blocks, indented or fenced, of the pages (patterns below the checkout); a comment behind a command is left out."""
    found = []
    for page in sorted(path for pattern in pages for path in CHECKOUT.glob(pattern)):
        fenced = False
        for number, line in enumerate(page.read_text().splitlines(), 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            elif (fenced or line.startswith("    ") or re.match(r" {3}\S", line)) and _COMMAND.match(line):
                found.append(Command(f"{page.relative_to(CHECKOUT)}:{number}", re.sub(r"\s+# .*$", "", line).strip()))
    return found


def clone(to: Path) -> Path:
    """What `git clone` gives of the checkout once what is changed in it is committed: nothing that git ignores, and no link that a set-up made."""
    listed = subprocess.run(["git", "-C", str(CHECKOUT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = CHECKOUT / name, to / name
        if source.is_symlink() or source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return to
