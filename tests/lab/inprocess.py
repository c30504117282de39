"""The collection's own Python, called by a test in its own process: for many questions to one lab, where a playbook for each would take minutes."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

CHECKOUT = Path(__file__).resolve().parents[2]


def module_utils(name: str):
    """A file of plugins/module_utils, imported as Ansible does it."""
    if not any(isinstance(finder, _AnsibleCollectionFinder) for finder in sys.meta_path):
        _AnsibleCollectionFinder(paths=[str(CHECKOUT / ".collections")])._install()
    return importlib.import_module(f"ansible_collections.atena.aws.plugins.module_utils.{name}")


class _Module:
    """As much of an AnsibleAWSModule as a Caller needs; the rest is in the environment's variables."""

    def __init__(self, region: str):
        self.params = {"region": region, "validate_certs": True}

    def fail_json(self, msg: str, **_):
        raise AssertionError(msg)


def caller(region: str = "us-east-1"):
    return module_utils("core.calls").Caller(_Module(region))


def run_module(module_name: str, endpoint: str, check: bool = False, /, **options) -> dict:
    """The result of a module's own main(), as Ansible would get it from its standard output; a second or two cheaper than by a playbook."""
    from ansible.module_utils import basic

    options.update(_ansible_check_mode=check, _ansible_diff=True, endpoint_url=endpoint, region="us-east-1")
    module_utils("core.calls")  # makes the collection importable
    module = importlib.import_module(f"ansible_collections.atena.aws.plugins.modules.{module_name}")
    output, before = io.StringIO(), (basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE)
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode(), "legacy"
    try:
        with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            module.main()
    finally:
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = before
    return json.loads(output.getvalue().strip().splitlines()[-1])
