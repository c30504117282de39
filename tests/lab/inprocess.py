"""The collection's own Python, called by a test in its own process: for many questions to one lab, where a playbook for each would take minutes."""

from __future__ import annotations

import importlib
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
    return module_utils("aws_calls").Caller(_Module(region))
