# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A GitHub repository's secrets: what has to be written, and how a value is sealed.

GitHub tells a secret's name and when it was written, never its value. What we wrote is kept as a salted hash with the time that GitHub gave it: a
secret is written again if its value is another one, or if anybody else wrote it since.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re

try:
    from nacl import public

    HAS_NACL = True
except ImportError:
    HAS_NACL = False

CREATE, UPDATE, KEEP = "create", "update", "keep"
_ROUNDS = 200_000
_NAME = re.compile(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*")
# GitHub's limit for one secret.
LARGEST = 48 * 1024


# --- Decisions --------------------------------------------------------------------------------------------------------
def problems(wanted: dict[str, str]) -> list[str]:
    """What GitHub would refuse, all at once and by name only."""
    found = [f"{name} is no name of a secret: capital letters, digits and _, and not GITHUB_ at the beginning" for name in wanted if not _NAME.fullmatch(name)]
    found += [f"{name} is empty: GitHub takes no empty secret" for name, value in wanted.items() if value == ""]
    return found + [f"{name} is larger than 48 KB" for name, value in wanted.items() if len(value.encode()) > LARGEST]


def hashed(value: str, salt: str = "") -> dict:
    """{'salt', 'digest'}: slow on purpose, so that a short value cannot be guessed from the record."""
    salt = salt or os.urandom(16).hex()
    return {"salt": salt, "digest": hashlib.pbkdf2_hmac("sha256", value.encode(), bytes.fromhex(salt), _ROUNDS).hex()}


def is_same(value: str, kept: dict) -> bool:
    try:
        return hmac.compare_digest(hashed(value, kept["salt"])["digest"], kept["digest"])
    except (KeyError, ValueError):
        return False


def action(name: str, value: str, existing: dict[str, str], record: dict) -> tuple[str, str]:
    """(what is to be done with one secret, why). existing: {name: updated_at}, as GitHub tells; record: {name: {'salt', 'digest', 'updated_at'}}."""
    if name not in existing:
        return CREATE, "is not there"
    kept = record.get(name)
    if not kept:
        return UPDATE, "was not written from here: what it says cannot be known"
    if kept.get("updated_at") != existing[name]:
        return UPDATE, f"was written by somebody else at {existing[name]}"
    return (KEEP, "is as it should be") if is_same(value, kept) else (UPDATE, "has another value")


def plan(wanted: dict[str, str], existing: dict[str, str], record: dict) -> list[dict]:
    found = []
    for name in sorted(wanted):
        what, why = action(name, wanted[name], existing, record)
        found.append({"name": name, "action": what, "why": why})
    return found


def diff(planned: list[dict], existing: dict[str, str]) -> dict:
    """Names and times only."""
    changing = [entry["name"] for entry in planned if entry["action"] != KEEP]
    return {
        "before": "".join(f"{name}: written at {existing[name]}\n" for name in changing if name in existing),
        "after": "".join(f"{name}: written now\n" for name in changing),
    }


# --- Sealing ----------------------------------------------------------------------------------------------------------
def seal(value: str, key: str) -> str:
    """The value so that only GitHub can read it: libsodium's sealed box, in base64. key: the repository's public key, in base64."""
    return base64.b64encode(public.SealedBox(public.PublicKey(base64.b64decode(key))).encrypt(value.encode())).decode()
