"""Which tests a run takes: the core of `make test`, all of `make test-all`, or what takes hours, of `make test-soak`.

The core is a fixed list, by the mark `core`: every playbook for real, again and with --check; a night; a database restored; an environment destroyed
and made again; a fault of each mechanism; two runs at once; a run that was killed; the upgrade. It does not shrink when a later change needs room.
`--also` adds whole files to it: those that a change reaches (reached.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from pathlib import Path

CORE, ALL, SOAK = "core", "all", "soak"
TIERS = (CORE, ALL, SOAK)
QUARANTINE = Path(__file__).with_name("quarantine.txt")


def is_taken(tier: str, marks: Collection[str], file: str, also: Collection[str] = ()) -> bool:
    """Whether a run of this tier has a test with these marks."""
    core, soak = CORE in marks, SOAK in marks
    if tier == SOAK:
        return soak and not core
    return core or (not soak and (tier == ALL or file in also))


def quarantined(lines: Iterable[str]) -> dict[str, tuple[datetime.date, str]]:
    """{test: (since when, why)} of lines `test_x.py::test_it | 2026-11-30 | why`. Raises ValueError."""
    found = {}
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 3 or not all(parts) or "::" not in parts[0]:
            raise ValueError(f"quarantine.txt: '{line.strip()}' is not of the form 'test_x.py::test_it | 2026-11-30 | why'")
        found[parts[0]] = (datetime.date.fromisoformat(parts[1]), parts[2])
    return found
