"""Every atena_* variable that a message or a page names can be set: it is in a role's defaults or arguments, or a role sets it."""

import ast
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"(?<![A-Za-z0-9_])atena_[a-z0-9_]*[a-z0-9](?![A-Za-z0-9_*])(?:\.([a-z_]+))?")
DEFAULTS = yaml.safe_load((ROOT / "roles/environment/defaults/main.yml").read_text())
# Written by our callback for AWX; users of the database `atena` in an example; a user's own variable, and one that is misspelt on purpose.
OTHERS = {"atena_result", "atena_app_a", "atena_app_b", "atena_owner", "atena_team", "atena_log_retension_days"}
PLACES = ("plugins/**/*.py", "roles/**/*.yml", "roles/**/*.md", "roles/**/*.j2", "docs/**/*.md", "playbooks/*.yml", "infra/*.tf", "extensions/**/*.yml")


def known() -> set[str]:
    files = [file for part in ("defaults/*", "vars/*", "tasks/*", "meta/argument_specs") for file in ROOT.glob(f"roles/*/{part}.yml")]
    return {name for file in files for name in re.findall(r"^\s*(?:- )?(atena_[a-z0-9_]+):", file.read_text(), re.M)} | OTHERS


def named() -> list[tuple[str, str, str]]:
    """(file, variable, attribute or '')."""
    files = [file for place in (*PLACES, "README.md") for file in ROOT.glob(place)]
    return [(str(file.relative_to(ROOT)), match[0].partition(".")[0], match[1] or "") for file in files for match in NAME.finditer(file.read_text())]


def test_each_variable_that_is_named_exists():
    names, found = known(), named()
    assert len({name for _file, name, _attribute in found}) > 60
    assert sorted({f"{file}: {name}" for file, name, _attribute in found if name not in names}) == []


def test_no_message_makes_up_a_name():
    """atena_{service}_memory is a name for two services, and none for a third."""
    made_up = []
    for file in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
                made_up += [f"{file.relative_to(ROOT)}:{node.lineno}: {text[:80]}" for _ in re.finditer(r"(?<![a-z0-9_])atena_[a-z0-9_]*\{\}", text)]
    assert made_up == []


def test_each_attribute_that_is_named_exists():
    told = [ROOT / "roles/environment/defaults/main.yml", ROOT / "roles/environment/meta/argument_specs.yml", ROOT / "infra/variables.tf"]
    attributes = {name for file in told for name in re.findall(r"(?<![a-z0-9_])([a-z][a-z0-9_]*)\s*[:=]", file.read_text())}
    dictionaries = {name for name, value in DEFAULTS.items() if isinstance(value, dict)}
    missing = {f"{file}: {name}.{at}" for file, name, at in named() if at and name in dictionaries and at not in attributes | METHODS}
    assert sorted(missing) == []


# Of dictionaries, in templates; and the ends of names of files.
METHODS = {"get", "keys", "items", "values", "yml"}
