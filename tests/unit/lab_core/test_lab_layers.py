"""The lab's programs lie in layers: what is in one imports from lower ones only, never from its own, and inside a package nothing goes in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

LAB = Path(__file__).resolve().parents[3] / "lab"
# From the ground: packages, and the modules beside them.
LAYERS = {
    "emulator/extension": ("common", "ec2 ecr elasticache elbv2 faults iam logs rds scheduler ssm", "ecs"),
    "provider/offline": ("failure front schema tagging values", "plan row shapes validate", "aws wire", "rows", "core", "server", "__main__ warm"),
}


def named(file: Path, module: str, modules: set[str]) -> Iterator[str]:
    """What a file imports, wherever in it: a module, or the package whose name it takes."""
    package = module if file.stem == "__init__" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from (name if (name := f"{base}.{alias.name}") in modules else base for alias in node.names)


def offences(tree: Path, layers: tuple[str, ...]) -> Iterator[str]:
    files = {".".join(file.relative_to(tree.parent).with_suffix("").parts).removesuffix(".__init__"): file for file in sorted(tree.rglob("*.py"))}
    layer = {"": -1, **{part: number for number, parts in enumerate(layers) for part in parts.split()}}
    graph = {module: sorted(set(named(file, module, set(files))) & files.keys()) for module, file in files.items()}

    def part(module: str) -> str:
        """The package, or the module beside packages; empty for the whole tree, whose __init__ is below all."""
        return f"{module}.".split(".")[1]

    parts = {part(module) for module in files}
    yield from (f"{tree.name}/{one} is in no layer" for one in sorted(parts - layer.keys()))
    yield from (f"layer {layer[one]} of {tree.name} names {one}, which is not there" for one in sorted(layer.keys() - parts))
    for module, imported in graph.items():
        here, place = layer.get(part(module)), files[module].relative_to(LAB)
        for other in imported:
            there = layer.get(part(other))
            if part(other) != part(module) and here is not None and there is not None and there >= here:
                yield f"{place} (layer {here}) imports {other} (layer {there}): only lower layers may be imported"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        yield f"a circle: {' imports '.join(reversed(circle.args[1]))}"


@pytest.mark.parametrize("tree", LAYERS)
def test_each_package_of_the_lab_imports_lower_layers_only(tree):
    told = list(offences(LAB / tree, LAYERS[tree]))
    assert not told, "\n".join(told)
