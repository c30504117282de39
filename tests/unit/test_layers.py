"""The packages of module_utils stand in layers, and each imports lower ones only: what is below never waits for what is above."""

import ast
import graphlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"
PREFIX = "ansible_collections.atena.aws.plugins."
# From the ground up. Packages of one layer know nothing of one another.
LAYERS = [
    {"core"},
    {"git", "github", "logs", "schedule", "secrets", "terraform"},
    {"ecs"},
    {"environment", "exec", "images", "redis", "services"},
    {"power", "preflight", "rotation"},
    {"cost", "diagnosis", "recovery"},
    {"release", "status"},
]
LAYER_OF = {package: number for number, packages in enumerate(LAYERS) for package in packages}


def imports_of(path: Path) -> set[str]:
    """The dotted names below plugins/ of what a file imports of ours: module_utils.core.calls, whichever way it is written."""
    here = ["module_utils", *path.relative_to(ROOT).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(name.name.removeprefix(PREFIX) for name in node.names if name.name.startswith(PREFIX))
        elif isinstance(node, ast.ImportFrom):
            place = ".".join([*here[: len(here) + 1 - node.level], *filter(None, [node.module])]) if node.level else (node.module or "")
            if node.level or place.startswith(PREFIX):
                place = place.removeprefix(PREFIX)
                is_module = ROOT.parent.joinpath(*place.split(".")).with_suffix(".py").is_file()
                found.update([place] if is_module else [f"{place}.{name.name}" for name in node.names])
    return found


FILES = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py")) if path.name != "__init__.py"}
IMPORTS = {name: imports_of(path) for name, path in FILES.items()}


def package_of(name: str) -> str:
    """'core' of module_utils.core.calls; '' of what lies at the top, or in no module_utils."""
    parts = name.split(".")
    return parts[1] if parts[0] == "module_utils" and len(parts) > 2 else ""


def described(package: str) -> str:
    return f"{package} (layer {LAYER_OF[package]})" if package in LAYER_OF else f"{package or 'no package'} (in no layer)"


def test_every_package_is_in_a_layer_and_every_file_in_a_package():
    packages = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert sum(map(len, LAYERS)) == len(LAYER_OF), "a package is in two layers"
    assert sorted(packages - set(LAYER_OF)) == [], "in no layer: write it into LAYERS"
    assert sorted(set(LAYER_OF) - packages) == [], "in LAYERS, and not there"
    assert sorted(path.name for path in ROOT.glob("*.py")) == [], "at the top, where no layer holds it: move it into a package"
    assert sorted(name for name in FILES if name.count(".") > 2) == [], "in a package within a package, which LAYERS knows nothing of"


def test_a_package_imports_lower_layers_only():
    wrong = []
    for name, imported in IMPORTS.items():
        own = package_of(name)
        for other in sorted(imported):
            theirs = package_of(other)
            if own != theirs and not LAYER_OF.get(theirs, len(LAYERS)) < LAYER_OF.get(own, -1):
                wrong.append(f"{FILES[name].relative_to(ROOT)} imports {other}: {described(own)} -> {described(theirs)}")
    assert not wrong, "\n".join(wrong)


def test_no_files_import_each_other_in_a_circle():
    order = graphlib.TopologicalSorter({name: imported & FILES.keys() for name, imported in IMPORTS.items()})
    try:
        order.prepare()
    except graphlib.CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_an_init_is_empty():
    """One that imports brings what it imports into the archive of each module that needs one file of the package."""
    assert [str(path.relative_to(ROOT)) for path in ROOT.rglob("__init__.py") if path.stat().st_size] == []
    assert [package for package in sorted(LAYER_OF) if not (ROOT / package / "__init__.py").is_file()] == [], "Ansible finds no package without one"
