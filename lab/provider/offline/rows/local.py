"""hashicorp/random: resources that exist in the state only."""

from __future__ import annotations

import base64
import secrets
import string
from typing import Any

from ..row import Row

Values = dict[str, Any]

SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
GROUPS = {"lower": string.ascii_lowercase, "upper": string.ascii_uppercase, "numeric": string.digits}


def password(v: Values) -> str:
    groups = {**GROUPS, "special": v.get("override_special") or SPECIAL}
    letters = [secrets.choice(groups[name]) for name in groups for _ in range(int(v.get(f"min_{name}") or 0))]
    alphabet = "".join(text for name, text in groups.items() if v.get(name) is not False)
    letters += [secrets.choice(alphabet) for _ in range(int(v["length"]) - len(letters))]
    secrets.SystemRandom().shuffle(letters)
    return "".join(letters)


def password_of(text: str) -> Values:
    import bcrypt  # for this attribute only

    # bcrypt reads 72 bytes; the real provider cuts there too.
    return {"id": "none", "result": text, "bcrypt_hash": bcrypt.hashpw(text.encode()[:72], bcrypt.gensalt(10)).decode()}


def identifier(v: Values) -> Values:
    return identifier_of(secrets.token_bytes(int(v["byte_length"])), v.get("prefix") or "")


def identifier_of(data: bytes, prefix: str) -> Values:
    url = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    texts = {"b64_std": base64.b64encode(data).decode(), "b64_url": url, "dec": str(int.from_bytes(data, "big")), "hex": data.hex()}
    return {"id": url, **{name: prefix + text for name, text in texts.items()}}


def import_password(text: str, ctx: Any) -> Values:
    defaults = {name: True for name in (*GROUPS, "special", "number")} | {f"min_{name}": 0 for name in (*GROUPS, "special")}
    return {**password_of(text), **defaults, "length": len(text)}


def import_identifier(text: str, ctx: Any) -> Values:
    *prefix, url = text.split(",")
    data = base64.urlsafe_b64decode(url + "=" * (-len(url) % 4))
    return {**identifier_of(data, "".join(prefix)), "byte_length": len(data), "prefix": "".join(prefix) or None}


PASSWORD = Row(
    "random_password",
    made=lambda v, answer: {**password_of(password(v)), "number": v.get("number") is not False, "numeric": v.get("numeric") is not False},
    imports=import_password,
)

IDENTIFIER = Row(
    "random_id",
    made=lambda v, answer: identifier(v),
    imports=import_identifier,
)

ROWS = [PASSWORD, IDENTIFIER]


class Local:
    """Stands where AWS stands for the other provider."""

    default_tags: dict[str, str] = {}
    region = ""

    def warm(self, services: list[str]) -> None:
        pass

    def validate(self, config: Values) -> list:
        return []

    def configure(self, config: Values) -> None:
        pass

    def unsupported(self, row: Row, config: Values) -> list[str]:
        return []

    def create(self, row: Row, planned: Values, known: Values) -> Values:
        known.update(row.made(planned, {}))
        return known

    def update(self, row: Row, prior: Values, planned: Values, changed: list[str]) -> Values:
        return prior

    def read(self, row: Row, state: Values) -> Values:
        return {}

    def delete(self, row: Row, state: Values) -> None:
        pass

    def import_state(self, row: Row, identifier: str) -> Values:
        return row.imports(identifier, None)
