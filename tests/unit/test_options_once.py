"""An option that modules share is described once, in a doc fragment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

PLUGINS = Path(__file__).parents[2] / "plugins"


def documentation(path: Path) -> dict:
    text = path.read_text()
    begin = text.index('DOCUMENTATION = r"""') + len('DOCUMENTATION = r"""')
    return yaml.safe_load(text[begin : text.index('"""', begin)])


OPTIONS = [
    (path.stem, name, option)
    for folder in ("modules", "doc_fragments")
    for path in sorted((PLUGINS / folder).glob("*.py"))
    for name, option in (documentation(path).get("options") or {}).items()
]


def test_they_are_read():
    assert {("lock", "lock"), ("ecs_release", "migration")} <= {(place, name) for place, name, _option in OPTIONS}


def shape(option: dict) -> str:
    """What a group of options is, by its own words if it is small: the same two names may mean two things."""
    subs = option["suboptions"]
    if len(subs) < 4:
        return json.dumps([option["description"], subs], sort_keys=True)
    return json.dumps({key: {part: value for part, value in sub.items() if part != "description"} for key, sub in subs.items()}, sort_keys=True)


@pytest.mark.parametrize("name", sorted({name for _place, name, option in OPTIONS if "suboptions" in option}))
def test_a_group_of_options_is_described_once(name):
    described: dict[str, list[str]] = {}
    for place, found, option in OPTIONS:
        if found == name and "suboptions" in option:
            described.setdefault(shape(option), []).append(place)
    assert not [places for places in described.values() if len(places) > 1]
