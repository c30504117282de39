"""The mode in a database's address: read, and changed with all else as it was."""

from __future__ import annotations

import pytest
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl

ADDRESS = "postgresql://a:p%40ss@db.rds:5432/atena"


@pytest.mark.parametrize(
    ("rest", "mode", "changed"),
    [
        ("?sslmode=require", "require", "?sslmode=verify-full"),
        ("?connection_limit=5&sslmode=no-verify&pool_timeout=3", "no-verify", "?connection_limit=5&sslmode=verify-full&pool_timeout=3"),
        ("?uselibpqcompat=true", "", "?uselibpqcompat=true&sslmode=verify-full"),
        ("?xsslmode=no", "", "?xsslmode=no&sslmode=verify-full"),
        ("", "", "?sslmode=verify-full"),
        ("?sslmode=", "", "?sslmode=verify-full"),
        ("#part", "", "?sslmode=verify-full#part"),
        ("?sslmode=require&x=1&sslmode=no-verify", "require", "?sslmode=verify-full&x=1"),
    ],
)
def test_the_mode_alone_is_read_and_changed(rest: str, mode: str, changed: str) -> None:
    url = DatabaseUrl.parse(ADDRESS + rest)
    assert url.sslmode == mode
    assert url.with_sslmode("verify-full").text == ADDRESS + changed


def test_an_address_without_a_path_gets_one_too() -> None:
    assert DatabaseUrl.parse("postgres://a:b@h").with_sslmode("require").text == "postgres://a:b@h?sslmode=require"


def test_what_is_no_address_is_refused_without_telling_it() -> None:
    with pytest.raises(ValueError, match="it is no postgresql:// URL") as refused:
        DatabaseUrl.parse("mysql://hunter2@h/d")
    assert "hunter2" not in str(refused.value)
