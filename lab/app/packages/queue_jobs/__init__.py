"""What the API, the worker and the re-enqueue program agree on: the queue's name, its jobs, and how the process logs."""

import logging
import os
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

QUEUE = "notes"
CREATE_NOTE = "create-note"
STATES = ("waiting", "delayed", "active", "completed", "failed")
ATTEMPTS = 5
# So many completed jobs stay on the queue to be counted.
KEPT = 20_000
# What a caller may ask of a note's job, with the largest number; the README tells what they do.
WISHES = {"delay": 7 * 86400, "fail": 1000, "attempts": 1000, "seconds": 3600}


def redis_url() -> str:
    return os.environ["REDIS_URL"]


def check_wishes(given: Mapping[str, Any]) -> dict[str, float]:
    """The wishes in a request; ValueError if one makes no sense."""
    wishes = {name: given[name] for name in WISHES if given.get(name) is not None}
    for name, value in wishes.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= WISHES[name]:
            raise ValueError(f"{name} is a number from 0 to {WISHES[name]}")
        if name in ("fail", "attempts") and not isinstance(value, int):
            raise ValueError(f"{name} is a whole number")
    if wishes.get("attempts") == 0:
        raise ValueError("attempts is 1 at least")
    return wishes


def note_job(note_id: str, text: str, wishes: Mapping[str, Any], due_at: datetime | None, now: datetime) -> dict[str, Any]:
    """The job of a note, as the queue takes it. Its id is the note's: the queue takes no second one while it knows the first."""
    options = {
        "jobId": note_id,
        "attempts": int(wishes.get("attempts", ATTEMPTS)),
        "backoff": {"type": "exponential", "delay": 500},
        "removeOnComplete": KEPT,
    }
    if due_at is not None and due_at > now:
        options["delay"] = round((due_at - now).total_seconds() * 1000)
    data = {"id": note_id, "text": text, **{name: wishes[name] for name in ("fail", "seconds") if wishes.get(name)}}
    return {"name": CREATE_NOTE, "data": data, "opts": options}


def configure_logging() -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)sZ %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
    logging.Formatter.converter = time.gmtime
