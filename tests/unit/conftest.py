"""Makes `ansible_collections.atena.aws` importable from the checkout, as Ansible itself does it, and runs ansible-playbook for all that need it."""

import functools
import gc
import os
import sys
from pathlib import Path

import pytest
import yaml
from _pytest.runner import runtestprotocol
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from warm_ansible import WarmAnsible

CHECKOUT = Path(__file__).resolve().parents[2]
# Tests of one package take fakes from those of another, by their file's name: each name is there once.
sys.path += sorted(str(place) for place in Path(__file__).parent.iterdir() if any(place.glob("test_*.py")))
# pytest keeps all that it collects, thousands of tests: to look through it for garbage as often as it is by default takes a tenth of the time.
gc.set_threshold(50_000, 20, 20)
# The parser in C, where PyYAML has it: the one in Python took a tenth of the tests' time to read the roles.
yaml.safe_load = functools.partial(yaml.load, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _install_finder():
    if any(isinstance(finder, _AnsibleCollectionFinder) for finder in sys.meta_path):
        return
    _AnsibleCollectionFinder(paths=[str(CHECKOUT / ".collections")])._install()


_install_finder()


def pytest_runtest_protocol(item, nextitem):
    """A worker of pytest-xdist tells of a test that passes once, not five times: for thousands of short tests that was half of what the workers cost.

    So --durations has no setups and teardowns beside -n; what writes reports in files (--junitxml) is told everything.
    """
    if not hasattr(item.config, "workerinput") or item.config.getoption("xmlpath", None):
        return None
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        if report.when == "call" or not report.passed or report.sections:
            item.ihook.pytest_runtest_logreport(report=report)
    return True


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
