"""How many instances a resource has must follow from variables, data and gates: Terraform refuses an import where it follows from another resource."""

import re
from pathlib import Path

import pytest

INFRA = Path(__file__).resolve().parents[2] / "infra"
RESOURCES = set(re.findall(r'^resource "(\w+)"', "".join(path.read_text() for path in INFRA.glob("*.tf")), re.MULTILINE))


@pytest.mark.parametrize("file", sorted(path.name for path in INFRA.glob("*.tf")))
def test_no_count_asks_a_resource(file):
    counts = re.findall(r"^\s*(?:count|for_each)\s*=\s*(.+)$", (INFRA / file).read_text(), re.MULTILINE)
    # data.aws_x is read before; aws_x[...] alone is an instance.
    asked = {name for count in counts for name in re.findall(r"(?<!data\.)\b(\w+)\.", count) if name in RESOURCES}
    assert asked == set()
