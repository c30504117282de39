"""What infra/, the roles and the modules call an environment's parts is one and the same."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import yaml
from ansible_collections.atena.aws.plugins.module_utils.core import resource_names

ROOT = Path(__file__).parents[3]
NAMES = {name: function("shop-prod") for name, function in inspect.getmembers(resource_names, inspect.isfunction)}


def test_infra_names_them_so():
    locals_ = (ROOT / "infra" / "locals.tf").read_text()
    found = {name: text.replace("${local.name}", "shop-prod") for name, text in re.findall(r'^ {4}(\w+) += "([^"]+)"', locals_, re.MULTILINE)}
    assert {"cluster", "database", "redis", "load_balancer"} <= found.keys() & NAMES.keys()
    assert {name: NAMES[name] for name in found if name in NAMES} == {name: text for name, text in found.items() if name in NAMES}


def test_roles_name_them_so():
    said = yaml.safe_load((ROOT / "roles" / "environment" / "vars" / "main.yml").read_text())["atena_names"]
    assert {name: text.replace("{{ atena_name }}", "shop-prod") for name, text in said.items()} == {name: NAMES[name] for name in said}


def test_nowhere_else_are_they_put_together():
    """A name that is written out a second time is the one that is forgotten when it changes."""
    endings = "|".join(re.escape(text.removeprefix("shop-prod-")) for text in NAMES.values())
    written = re.compile(rf"""(?:name|service|\]|\}}\}})["' ]*\}}{{1,2}}-(?:{endings})["' /]""")
    places = [*(ROOT / "infra").glob("*.tf"), *(ROOT / "roles").glob("*/tasks/*.yml"), *(ROOT / "plugins").rglob("*.py")]
    own = {"infra/locals.tf", "plugins/module_utils/core/resource_names.py"}
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in places
        if str(path.relative_to(ROOT)) not in own
        for line in path.read_text().splitlines()
        if written.search(line)
    ]
    assert not found, "\n".join(found)
