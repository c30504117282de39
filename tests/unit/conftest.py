"""Makes `ansible_collections.atena.aws` importable from the checkout, as Ansible itself does it, and runs ansible-playbook for all that need it."""

import os
import sys
from pathlib import Path

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from warm_ansible import WarmAnsible

CHECKOUT = Path(__file__).resolve().parents[2]
# Tests of one package take fakes from those of another, by their file's name: each name is there once.
sys.path += sorted(str(place) for place in Path(__file__).parent.iterdir() if any(place.glob("test_*.py")))


def _install_finder():
    if any(isinstance(finder, _AnsibleCollectionFinder) for finder in sys.meta_path):
        return
    _AnsibleCollectionFinder(paths=[str(CHECKOUT / ".collections")])._install()


_install_finder()


@pytest.fixture(scope="session")
def ansible(tmp_path_factory):
    """What all runs share, as of a user of the installed collection: no ansible.cfg, and no ANSIBLE_ or AWS_ variables of the one who runs the tests."""
    home = tmp_path_factory.mktemp("home")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AWS_"))}
    # Modules go through a pipe, as the collection's own ansible.cfg has it.
    own = {"HOME": str(home), "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".collections"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"}
    warm = WarmAnsible(home, {**inherited, **own})
    yield warm
    warm.end()
