"""What stands in layers (layering.py) imports lower ones only: what is below never waits for what is above."""

from __future__ import annotations

from dataclasses import replace

import pytest
from layering import CHECKOUT, MODULE_UTILS, TREES, Tree, drawn


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.path)
def test_a_package_imports_lower_layers_only(tree):
    told = list(tree.offences())
    assert not told, "\n".join(told)


def test_every_file_of_module_utils_is_in_a_package_of_its_own():
    assert sorted(path.name for path in MODULE_UTILS.root.glob("*.py")) == [], "at the top, where no layer holds it: move it into a package"
    assert sorted(name for name in MODULE_UTILS.files if name.count(".") > 1) == [], "in a package within a package, which the layers know nothing of"


def test_an_init_is_empty():
    """One that imports brings what it imports into the archive of each module that needs one file of the package."""
    assert [str(path.relative_to(CHECKOUT)) for path in MODULE_UTILS.root.rglob("__init__.py") if path.stat().st_size] == []
    assert [package for package in MODULE_UTILS.layer_of if not (MODULE_UTILS.root / package / "__init__.py").is_file()] == [], "Ansible finds none without one"


# --- The rule itself, on small trees ----------------------------------------------------------------------------------
FINE = {"low/one.py": "", "low/two.py": "from . import one\n", "high/it.py": "from tree.low import two\n"}


@pytest.fixture
def tree(tmp_path):
    def tree(**changes: str) -> Tree:
        for name, text in {**FINE, **{name.replace("__", "/") + ".py": text for name, text in changes.items()}}.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            (path.parent / "__init__.py").touch()
        return Tree(path=str(tmp_path), name="tree", layers=("low beside", "high"), apart="others.")

    return tree


def told(tree: Tree) -> str:
    return "\n".join(tree.offences())


def test_what_goes_down_is_fine(tree):
    assert told(tree(beside__it="import json\n")) == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"low__one": "from tree.high import it\n"}, "low/one.py (layer 0) imports high.it (layer 1)"),
        ({"low__one": "import tree.high.it\n"}, "low/one.py (layer 0) imports high.it (layer 1)"),
        ({"low__one": "def late():\n    from ..high import it\n"}, "low/one.py (layer 0) imports high.it (layer 1)"),
        ({"low__one": "from tree.high.it import thing\n"}, "low/one.py (layer 0) imports high.it (layer 1)"),
        ({"beside__it": "from ..low import one\n"}, "beside/it.py (layer 0) imports low.one (layer 0)"),
        ({"beside__it": "from others.plugins import thing\n"}, "beside/it.py imports others.plugins"),
        ({"beside__it": "", "low__one": "from . import two\n"}, "a circle: low."),
        ({"beside__it": "", "new__it": ""}, "new is in no layer"),
        ({}, "layer 0 names beside, which is not in"),
    ],
)
def test_what_breaks_it_is_named(tree, changes, says):
    assert says in told(tree(**changes))


def test_a_part_stands_in_one_layer(tree):
    assert "a part stands in two layers" in told(replace(tree(beside__it=""), layers=("low beside", "high low")))


# --- The page ---------------------------------------------------------------------------------------------------------
def test_the_page_shows_the_imports_as_they_are():
    assert (CHECKOUT / "docs" / "layers.md").read_text() == drawn(MODULE_UTILS), "run tests/bin/draw-layers"


def test_an_arrow_that_others_make_superfluous_is_left_out(tree):
    page = drawn(replace(tree(top__it="from tree.high import it\nfrom tree.low import one\n"), layers=("low", "high", "top")))
    assert "top --> high" in page and "high --> low" in page and "top --> low" not in page
    assert "| 2 | `top` | 1 | high, low |" in page
