"""Which trees of the repository stand in layers, what their files import of one another, and what breaks the rule: a package imports lower layers only."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import resolve_name
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Tree:
    """path: below the checkout. name: how its files import it. layers: from the ground up, its packages and the modules beside them; those of one layer know
    nothing of one another. apart: what begins so, and is not in the tree, none of its files may import."""

    path: str
    name: str
    layers: tuple[str, ...]
    apart: str = ""

    @property
    def root(self) -> Path:
        return CHECKOUT / self.path

    @cached_property
    def layer_of(self) -> dict[str, int]:
        return {part: number for number, parts in enumerate(self.layers) for part in parts.split()}

    @cached_property
    def files(self) -> dict[str, Path]:
        """{dotted name below the tree: file}; a package by its own name, the whole tree by the empty one."""
        found = {}
        for file in sorted(self.root.rglob("*.py")):
            *packages, stem = file.relative_to(self.root).with_suffix("").parts
            found[".".join(packages if stem == "__init__" else [*packages, stem])] = file
        return found

    @cached_property
    def named(self) -> dict[str, set[str]]:
        """{file's dotted name: all that it imports, by whole names}, wherever in it that stands and however it is written."""
        return {module: set(self._named(module, file)) for module, file in self.files.items()}

    def _named(self, module: str, file: Path) -> Iterator[str]:
        whole = f"{self.name}.{module}".rstrip(".")
        package = whole if file.stem == "__init__" else whole.rpartition(".")[0]
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = resolve_name("." * node.level + (node.module or ""), package)
                for alias in node.names:
                    name = f"{base}.{alias.name}"
                    yield name if self._own(name) in self.files else base

    def _own(self, name: str) -> str | None:
        """The dotted name below the tree; None of what is not in it."""
        if name == self.name:
            return ""
        return name.removeprefix(f"{self.name}.") if name.startswith(f"{self.name}.") else None

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """{file's dotted name: those of this tree that it imports}."""
        return {module: {own for name in named if (own := self._own(name)) in self.files} for module, named in self.named.items()}

    def arrows(self) -> dict[tuple[str, str], int]:
        """{(part, part): imports of the one by the other}, across the parts of the tree."""
        found: dict[tuple[str, str], int] = {}
        for module, imported in self.imports.items():
            for other in imported:
                if part(module) != part(other):
                    found[part(module), part(other)] = found.get((part(module), part(other)), 0) + 1
        return found

    def offences(self) -> Iterator[str]:
        """What breaks the rule, each with the file's name."""
        parts = {part(module) for module in self.files if module}
        doubly = sum(len(names.split()) for names in self.layers) - len(self.layer_of)
        yield from ["a part stands in two layers"] * bool(doubly)
        yield from (f"{self.path}/{one} is in no layer" for one in sorted(parts - self.layer_of.keys()))
        yield from (f"layer {self.layer_of[one]} names {one}, which is not in {self.path}" for one in sorted(self.layer_of.keys() - parts))
        for module, imported in self.imports.items():
            # The tree's own __init__ is below all.
            here, place = self.layer_of.get(part(module), -1), f"{self.path}/{self.files[module].relative_to(self.root)}"
            for other in sorted(imported):
                there = self.layer_of.get(part(other), -1)
                if part(other) != part(module) and there >= here:
                    yield f"{place} (layer {here}) imports {other} (layer {there}): only lower layers may be imported"
            strangers = [name for name in sorted(self.named[module]) if self.apart and name.startswith(self.apart) and self._own(name) is None]
            yield from (f"{place} imports {name}, which is not in {self.path}" for name in strangers)
        try:
            graphlib.TopologicalSorter(self.imports).prepare()
        except graphlib.CycleError as circle:
            yield f"a circle: {' imports '.join(reversed(circle.args[1]))}"


def part(module: str) -> str:
    """The package, or the module beside packages."""
    return module.partition(".")[0]


MODULE_UTILS = Tree(
    path="plugins/module_utils",
    name="ansible_collections.atena.aws.plugins.module_utils",
    layers=(
        "core",
        "git github logs schedule secrets terraform",
        "ecs",
        "environment exec images redis services",
        "power preflight rotation",
        "cost diagnosis recovery",
        "release status",
    ),
    apart="ansible_collections.atena.aws.",
)
EXTENSION = Tree(
    path="lab/emulator/extension", name="extension", layers=("common", "ec2 ecr elasticache elbv2 faults iam logs rds scheduler ssm", "ecs"), apart="atena_lab"
)
PROVIDER = Tree(
    path="lab/provider/offline",
    name="offline",
    layers=("failure front schema tagging values", "plan row shapes validate", "aws wire", "rows", "core", "server", "__main__ warm"),
    apart="atena_lab",
)
TREES = (MODULE_UTILS, EXTENSION, PROVIDER)

HEAD = """# Layers of module_utils

A package imports lower layers only ([why](decisions/packages-in-layers.md)); `tests/unit/test_layers.py` holds that. This page is made by `make docs`.

An arrow leads from a package to one that it imports; left out are those to what it reaches by other arrows anyway.

"""


def drawn(tree: Tree) -> str:
    """A page of Markdown with the layers as a picture and as a table."""
    needs: dict[str, set[str]] = {package: set() for package in sorted(tree.layer_of)}
    for package, other in tree.arrows():
        needs[package].add(other)
    lines = ["```mermaid", "flowchart BT"]
    for number, packages in enumerate(tree.layers):
        lines += [f'  subgraph layer{number}["{number}"]', *(f"    {package}" for package in sorted(packages.split())), "  end"]
    lines += [f"  {package} --> {other}" for package in needs for other in sorted(needs[package] - reached_through(needs, package))]
    lines += ["```", "", "| Layer | Package | Files | Imports |", "| --- | --- | --- | --- |"]
    for number, packages in reversed(list(enumerate(tree.layers))):
        for package in sorted(packages.split()):
            files = sum(1 for module in tree.files if part(module) == package and "." in module)
            lines.append(f"| {number} | `{package}` | {files} | {', '.join(sorted(needs[package])) or 'nothing of ours'} |")
    return HEAD + "\n".join(lines) + "\n"


def reached_through(needs: dict[str, set[str]], package: str) -> set[str]:
    """What is reached through what the package needs."""
    found: set[str] = set()
    waiting = list(needs[package])
    while waiting:
        further = needs[waiting.pop()] - found
        found |= further
        waiting += further
    return found
