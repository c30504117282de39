"""Users install what the collection asks for, and no more: nothing that they run may name another collection."""

import re
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
DEPENDENCIES = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["dependencies"]
HAVE = {"ansible.builtin", "ansible.legacy", "atena.aws", *DEPENDENCIES}
# What ships and names plugins; modules' documentation may compare with others'.
SHIPPED = sorted(path for folder in ("playbooks", "roles", "extensions/awx", "inventories") for path in (CHECKOUT / folder).rglob("*.y*ml"))
# Who administers AWX runs these, with AWX's own collection (docs/awx.md).
ALSO = {"extensions": {"awx.awx"}}
# A module as a task's key, or a filter, test or lookup in an expression.
NAMED = re.compile(
    r"^\s*(?:- )?([a-z][a-z0-9_]*\.[a-z][a-z0-9_]*)\.[a-z0-9_]+:(?:\s|$)"
    r"|(?:\||\bis(?: not)?|(?:lookup|query|map|select|reject)\(['\"])\s*([a-z]\w*\.[a-z]\w*)\.\w+"
)
CODE = sorted(path for path in (CHECKOUT / "plugins").rglob("*.py"))


def named(text):
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return {one or other for line in lines for one, other in NAMED.findall(line)}


def test_a_name_is_seen():
    text = "\n".join(
        [
            "- name: A task",
            "  community.aws.ecs_task:",
            "    services: \"{{ keys | map('community.general.dict_kv', 'name') | list }}\"",
            "    other: \"{{ lookup('community.docker.x') }} {{ 1 | cloud.terraform.y }}\"",
            "    # community.crypto.z:",
        ]
    )
    assert named(text) == {"community.aws", "community.general", "community.docker", "cloud.terraform"}


def test_what_ships_names_dependencies_only():
    found = {path.relative_to(CHECKOUT): named(path.read_text()) - HAVE for path in SHIPPED}
    found = {path: names - ALSO.get(path.parts[0], set()) for path, names in found.items()}
    assert {path: names for path, names in found.items() if names} == {}
    assert {name for path in SHIPPED for name in named(path.read_text())} >= {"ansible.builtin", "atena.aws"}


def test_code_imports_dependencies_only():
    found = {".".join(words) for path in CODE for words in re.findall(r"ansible_collections\.(\w+)\.(\w+)", path.read_text())}
    assert found <= HAVE


@pytest.mark.parametrize("name", sorted(DEPENDENCIES))
def test_each_is_used(name):
    used = "".join(path.read_text() for path in (*SHIPPED, *CODE))
    assert f"ansible_collections.{name}." in used or f"{name}." in "".join(re.findall(rf"\n *{re.escape(name)}\.\w+:", used))


def test_requirements_file_and_action_group_say_the_same():
    wanted = yaml.safe_load((CHECKOUT / "requirements.yml").read_text())["collections"]
    assert {entry["name"]: entry["version"] for entry in wanted} == DEPENDENCIES
    # A group of a collection that is not there cannot be resolved, and a user's module_defaults warn of it.
    group = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["action_groups"]["aws"]
    assert {entry.rpartition(".")[0] for member in group if isinstance(member, dict) for entry in member["metadata"]["extend_group"]} <= set(DEPENDENCIES)
