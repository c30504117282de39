"""Makes `ansible_collections.atena.aws` importable from the checkout, as Ansible itself does it."""

import sys
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

CHECKOUT = Path(__file__).resolve().parents[2]


def _install_finder():
    if any(isinstance(finder, _AnsibleCollectionFinder) for finder in sys.meta_path):
        return
    _AnsibleCollectionFinder(paths=[str(CHECKOUT / ".collections")])._install()


_install_finder()
