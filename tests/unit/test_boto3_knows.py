"""Every operation that the plugins ask AWS for, and every argument that they name, is known to the boto3 that is installed: from its oldest version on."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest
from ansible_collections.atena.aws.plugins.module_utils.environment.sources import NETWORK
from ansible_collections.atena.aws.plugins.module_utils.terraform.finders import EC2
from botocore import xform_name
from botocore.exceptions import DataNotFoundError
from fakes import SESSION

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
SERVICES = set(SESSION.get_available_services())


@functools.cache
def all_calls() -> list[tuple[str, ast.Call]]:
    """All calls of the plugins, and where each is: parsed once for all that is looked for."""
    parsed = ((file.relative_to(PLUGINS), ast.parse(file.read_text())) for file in sorted(PLUGINS.rglob("*.py")))
    return [(f"{file}:{node.lineno}", node) for file, tree in parsed for node in ast.walk(tree) if isinstance(node, ast.Call)]


@functools.cache
def asked() -> list[tuple[str, str, str, frozenset[str]]]:
    """Of calls with a service and an operation side by side: where, both, and the arguments in AWS's own spelling."""
    found = []
    for where, node in all_calls():
        words = [argument.value if isinstance(argument, ast.Constant) else None for argument in node.args[:3]]
        for service, operation in zip(words, words[1:], strict=False):
            if service in SERVICES and isinstance(operation, str) and re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", operation):
                # Those in lower case are some helper's own too.
                named = frozenset(word.arg for word in node.keywords if word.arg and re.search("[A-Z]", word.arg))
                found.append((where, service, operation, named))
    return found


@pytest.fixture(scope="module")
def operations():
    """By service and snake-case name."""
    known = {}
    for service in {service for _, service, _, _ in asked()}:
        model = SESSION.get_service_model(service)
        known[service] = {xform_name(name): functools.partial(model.operation_model, name) for name in model.operation_names}
    return known


def test_the_calls_are_found():
    """Of what is looked for in the source, and could be missed all at once by a change of its style."""
    assert len({(service, operation) for _, service, operation, _ in asked()}) > 60


def test_each_operation_is_known(operations):
    assert [f"{where}: {service} {operation}" for where, service, operation, _ in asked() if operation not in operations[service]] == []


def test_and_so_is_each_argument(operations):
    unknown = []
    for where, service, operation, named in asked():
        shape = operations[service][operation]().input_shape
        unknown += [f"{where}: {service} {operation} {name}" for name in sorted(named - set(shape.members if shape else ()))]
    assert unknown == []


# Of pages(), as everywhere (service, operation, what is being done, key of the items): not of GitHub's, whose first argument is a path.
@functools.cache
def paged() -> list[tuple[str, list]]:
    found = []
    for where, node in all_calls():
        if getattr(node.func, "attr", "") == "pages" and len(node.args) == 4:
            words = [argument.value if isinstance(argument, ast.Constant) else None for argument in node.args]
            found.append((where, [words[0], words[1], words[3]]))
    return found


# Stand between who asks and who sends, with the same arguments.
HAND_ON = {"module_utils/core/budget.py", "module_utils/core/look.py"}
# An answer to these has what they name, and no more than that: it has no second page.
NAMED = {
    *("Names", "LoadBalancerArns", "TargetGroupArns", "SubnetIds", "imageIds", "repositoryNames"),
    *("DBInstanceIdentifier", "DBSnapshotIdentifier", "DBSubnetGroupName", "CacheClusterId", "SnapshotName"),
}
# Read up to where enough was found, by tokens of their own.
NOT_TO_THEIR_END = {
    "module_utils/logs/search.py": {("logs", "filter_log_events")},
    # The first record that comes is the one that was asked for, or there is none.
    "module_utils/terraform/finders.py": {("route53", "list_resource_record_sets")},
}


@functools.cache
def pagination(service: str) -> dict[str, dict]:
    try:
        known = SESSION.get_component("data_loader").load_service_model(service, "paginators-1")["pagination"]
    except DataNotFoundError:
        known = {}
    return {xform_name(name): told for name, told in known.items()}


def test_no_list_is_taken_for_whole_after_its_first_page():
    """Where botocore knows pages of an operation, the second one is as much of the answer as the first."""
    read_whole = {where for where, _ in paged()}
    calls = [one for one in asked() if one[0] not in read_whole and one[2] in pagination(one[1])]
    listed = [(where, service, operation) for where, service, operation, named in calls if not identified(operation, named)]
    allowed = {(file, *one) for file, some in NOT_TO_THEIR_END.items() for one in some}
    found = {(where.partition(":")[0], service, operation) for where, service, operation in listed}
    assert sorted(found - allowed) == []
    assert sorted(allowed - found) == [], "not read so any more"


def identified(operation: str, named: frozenset[str]) -> bool:
    """Snapshots of a cluster are a list, the cluster itself is not."""
    return bool(named & (NAMED - ({"DBInstanceIdentifier", "CacheClusterId"} if "snapshot" in operation else set())))


def test_each_list_that_is_read_page_by_page_is_one_of_botocores():
    table = [where for where, words in paged() if None in words and where.partition(":")[0] not in HAND_ON]
    tables = ["module_utils/environment/sources.py", "module_utils/terraform/finders.py"]
    assert sorted({where.partition(":")[0] for where in table}) == tables, "their operations are NETWORK's and EC2's; no other may be a variable"
    named = [*(("NETWORK", ["ec2", *part[:2]]) for part in NETWORK.values()), *(("EC2", ["ec2", *part[:2]]) for part in EC2.values())]
    calls = [*((where, words) for where, words in paged() if None not in words), *named]
    assert len(calls) > 30
    unknown = []
    for where, (service, operation, key) in calls:
        keys = pagination(service).get(operation, {}).get("result_key", [])
        if key not in (keys if isinstance(keys, list) else [keys]):
            unknown.append(f"{where}: {service} {operation} {key}")
    assert unknown == []
