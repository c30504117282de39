"""A lock of the state that a killed Terraform left on this machine is given back, and no other; then the digest is mended."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import this_host
from ansible_collections.atena.aws.plugins.module_utils.terraform import cli as terraform_cli
from ansible_collections.atena.aws.plugins.modules import terraform_apply

BACKEND = {"bucket": "state", "key": "a/terraform.tfstate", "dynamodb_table": "locks"}


class StateLock:
    """The lock, and what became of it."""

    def __init__(self, holder: dict[str, str] | None) -> None:
        self.holder, self.mended = holder, False

    def __call__(self, *_where: Any) -> StateLock:
        return self

    def read(self) -> dict[str, str] | None:
        return self.holder

    def release(self, identity: str) -> bool:
        assert self.holder is not None and self.holder["ID"] == identity
        self.holder = None
        return True

    def mend_if_free(self) -> bool:
        self.mended = self.holder is None
        return self.mended


def holder(**changes: str) -> dict[str, str]:
    return {"ID": "id-1", "Who": this_host(), "Created": "2026-11-30T10:00:00.5Z", "Operation": "OperationTypeApply", **changes}


@pytest.mark.parametrize(
    ("found", "locked", "at_work", "free"),
    [
        (holder(), True, False, True),
        (None, True, False, True),
        (holder(), False, False, False),  # whether another run of ours goes on is not known
        (holder(), True, True, False),
        (holder(Who="ana@laptop"), True, False, False),
    ],
)
def test_only_what_a_killed_terraform_of_this_machine_held_is_given_back(tmp_path: Path, monkeypatch, found, locked, at_work, free):
    (tmp_path / "backend_override.tf.json").write_text(json.dumps({"terraform": {"backend": {"s3": BACKEND}}}))
    lock, warned = StateLock(found), []
    monkeypatch.setattr(terraform_apply, "StateLock", lock)
    monkeypatch.setattr(terraform_apply, "Caller", lambda module: None)
    monkeypatch.setattr(terraform_cli, "others_at_work", lambda *_: at_work)
    module = types.SimpleNamespace(params={"lock": {"token": "t"} if locked else None}, warn=warned.append)
    terraform_apply.free_state(module, terraform_cli.Terraform("terraform", tmp_path))
    assert (lock.holder is None, lock.mended) == (free, free)
    assert any("was released" in line for line in warned) is bool(free and found)


def test_another_backend_has_no_such_lock(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(terraform_apply, "StateLock", lambda *_: pytest.fail("it was asked"))
    terraform_apply.free_state(types.SimpleNamespace(params={}, warn=None), terraform_cli.Terraform("terraform", tmp_path))
