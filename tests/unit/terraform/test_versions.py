"""Which version of PostgreSQL a database may be planned to have."""

from __future__ import annotations

import pytest
from ansible_collections.atena.aws.plugins.module_utils.terraform import versions


@pytest.mark.parametrize(
    ("actual", "wanted", "allowed", "words"),
    [
        ("16.13", "16", False, ""),
        ("16.13", "16.13", False, ""),
        ("16.13", "16.14", False, ""),
        ("16.13", "17", False, "allow_major_version_upgrade: true in atena_database"),
        ("16.13", "17.2", False, "from PostgreSQL 16.13 to 17.2"),
        ("16.13", "17", True, ""),
        ("16.13", "16.9", True, "never returns to 16.9"),
        ("17.2", "16", True, "Set engine_version in atena_database to 17"),
        ("", "17", False, ""),
    ],
)
def test_another_major_version_is_a_persons_decision_and_none_goes_back(actual, wanted, allowed, words):
    said = versions.problem("aws_db_instance.main", actual, wanted, allowed)
    assert bool(said) is bool(words) and words in said
