"""The schema of one type: the real provider's names and types (schema/*.json) plus what only our rows know."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA_DIR = Path(__file__).parent.parent / "schema"


def names() -> list[str]:
    """The providers that there are."""
    return sorted(path.stem for path in SCHEMA_DIR.glob("*.json"))


@dataclass
class Attr:
    """An argument or attribute; `type` is in Terraform's own JSON notation: "string", ["list", "string"], ["object", {...}]."""

    name: str
    type: Any
    required: bool = False
    computed: bool = False
    settable: bool = True
    sensitive: bool = False
    default: Any = None
    force_new: bool = False
    check: Any = None
    equal: Any = None


@dataclass
class Nested:
    """A nested block type; `computed` ones keep what AWS says when the configuration has no such block."""

    name: str
    nesting: str
    block: Block
    max: int = 0
    required: bool = False
    computed: bool = False
    force_new: bool = False


@dataclass
class Block:
    attrs: dict[str, Attr] = field(default_factory=dict)
    blocks: dict[str, Nested] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return name in self.attrs or name in self.blocks


@dataclass(frozen=True)
class Marks:
    """What the JSON does not hold, by dotted path of the attribute: one section of marks.toml, and what all types have in common."""

    computed: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    sensitive: frozenset[str] = frozenset()
    volatile: frozenset[str] = frozenset()
    conflicts: tuple[tuple[str, ...], ...] = ()
    exactly_one: tuple[tuple[str, ...], ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)

    def paths(self) -> set[str]:
        groups = (name for group in (*self.conflicts, *self.exactly_one) for name in group)
        return {*self.computed, *self.new, *self.sensitive, *self.volatile, *self.defaults, *self.checks, *groups}


NO_MARKS = Marks()


@cache
def all_marks() -> dict:
    return tomllib.loads((SCHEMA_DIR / "marks.toml").read_text())


def marks(type_name: str, attrs: dict) -> Marks:
    raw = all_marks().get(type_name, {})
    prefixed = [name for name in ("name", "identifier") if f"{name}_prefix" in attrs]
    names = {*prefixed, *(f"{name}_prefix" for name in prefixed)}
    return Marks(
        computed=frozenset({*raw.get("computed", "").split(), *names, *({"region", "tags_all"} & attrs.keys())}),
        new=frozenset({*raw.get("new", "").split(), *({"region"} & attrs.keys()), *(names - {"identifier", "identifier_prefix"})}),
        sensitive=frozenset(raw.get("sensitive", "").split()),
        volatile=frozenset(raw.get("volatile", "").split()),
        conflicts=tuple(tuple(group.split()) for group in raw.get("conflicts", ())),
        exactly_one=tuple(tuple(group.split()) for group in raw.get("exactly_one", ())),
        defaults=raw.get("defaults", {}),
        checks=raw.get("checks", {}),
    )


def parse_type(text: str, obj: dict | None = None) -> Any:
    """'set(string)' -> ["set", "string"]; an object's attributes come from the neighbouring `obj`."""
    match = re.fullmatch(r"(list|set|map)\((.+)\)", text)
    if match:
        return [match[1], parse_type(match[2], obj)]
    if text == "object":
        return ["object", {name: parse_type(spec["type"], spec.get("obj")) for name, spec in (obj or {}).items()}]
    return text


def build(spec: dict, marks: Marks = NO_MARKS, prefix: str = "") -> Block:
    block = Block()
    for name, raw in spec.get("attrs", {}).items():
        if raw.get("wo"):
            continue  # the protocol of `tf` is older than write-only arguments: to Terraform they do not exist here
        path, only_computed = prefix + name, bool(raw.get("computed_only") or raw.get("synth_id"))
        block.attrs[name] = Attr(
            name=name,
            type=parse_type(raw["type"], raw.get("obj")),
            required=bool(raw.get("req")),
            # Terraform lets a provider plan a value of its own only where the attribute is marked computed.
            computed=only_computed or path in marks.computed or path in marks.defaults,
            settable=not only_computed,
            sensitive=path in marks.sensitive,
            default=marks.defaults.get(path),
            force_new=path in marks.new,
            check=marks.checks.get(path),
        )
    for name, raw in spec.get("blocks", {}).items():
        path = prefix + name
        block.blocks[name] = Nested(
            name=name,
            nesting=raw["nesting"],
            block=build(raw, marks, path + "."),
            max=raw.get("max", 0),
            required=bool(raw.get("req")),
            computed=path in marks.computed,
            force_new=path in marks.new,
        )
    return block


@cache
def source(provider: str) -> dict:
    return json.loads((SCHEMA_DIR / f"{provider}.json").read_text())


def find(block: Block, path: str) -> Attr | Nested | None:
    *parents, last = path.split(".")
    for name in parents:
        if name not in block.blocks:
            return None
        block = block.blocks[name].block
    return block.attrs.get(last) or block.blocks.get(last)
