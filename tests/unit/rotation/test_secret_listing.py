"""What is told of secrets: the list, the comparison, who reads them; and that no value is."""

import datetime
import json

from ansible_collections.atena.aws.plugins.module_utils.environment.rotation_record import Rotation
from ansible_collections.atena.aws.plugins.module_utils.rotation import listing as secret_listing, readers as secret_readers
from ansible_collections.atena.aws.plugins.module_utils.rotation.listing import Fingerprint

PATH, PLACEHOLDER = "/atena/prod", "CHANGE_ME"
WHEN = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
ARN = "arn:aws:ecs:us-east-1:1:task-definition/"
OURS = f"arn:aws:ssm:us-east-1:1:parameter{PATH}/"


def parameter(name, value, **more):
    return {"Name": f"{PATH}/{name}", "Value": value, "Type": "SecureString", "Version": 2, "LastModifiedDate": WHEN, **more}


def listed(readers=None, expected=("A", "B")):
    parameters = [parameter("A", "hush-hush"), parameter("OLD", PLACEHOLDER, Type="String"), parameter("deep/C", " ")]
    described = [{"Name": f"{PATH}/A", "Tier": "Advanced", "LastModifiedUser": "arn:aws:iam::1:user/ana"}]
    return secret_listing.entries(PATH, parameters, described, readers or {"api": {"A", "GONE"}, "workers": {"A"}}, list(expected), PLACEHOLDER)


def test_what_is_there_and_what_is_wanted_or_read_is_listed():
    found = {item["name"]: item for item in listed()}
    assert {name: item["state"] for name, item in found.items()} == {"A": "set", "B": "absent", "GONE": "absent", "OLD": "CHANGE_ME", "deep/C": "empty"}
    assert found["A"] == {
        **{"name": "A", "state": "set", "type": "SecureString", "tier": "Advanced", "version": 2, "last_modified": "2026-01-31T12:00:00+00:00"},
        **{"last_modified_by": "arn:aws:iam::1:user/ana", "services": ["api", "workers"]},
    }
    assert found["GONE"]["services"] == ["api"] and found["OLD"]["services"] == []
    assert "hush" not in json.dumps(listed())


def test_the_list_for_people():
    lines = secret_listing.lines(listed(), [["A", "B"]], [])
    assert lines[0].split() == ["name", "state", "type", "tier", "version", "last", "changed", "read", "by"]
    assert lines[1].split() == ["A", "set", "SecureString", "Advanced", "2", "2026-01-31T12:00:00Z", "api,workers"]
    assert lines[-1] == "The same value is in A and B."
    assert "nobody" in lines[4]


def test_services_lose_what_their_names_begin_with():
    assert secret_listing.lines(listed({"p-api": {"A"}, "p-workers": {"A"}}), [], [], "p-")[1].endswith("  api,workers")


def test_two_names_with_one_value_are_told():
    values = {"A": "one", "B": "two", "C": "one", "D": PLACEHOLDER, "E": PLACEHOLDER, "F": "", "G": ""}
    assert secret_listing.duplicates(values, PLACEHOLDER) == [["A", "C"]]


def test_the_last_rotation_is_told():
    times = {"started_at": "", "ended_at": "2026-01-31T12:00:00Z"}
    entry = Rotation(secrets=["A"], outcome="reverted", operator="arn:aws:iam::1:user/ana", reason="no\nmore", **times)
    assert secret_listing.lines(listed(), [], [entry])[-1] == "Last rotation: 2026-01-31 12:00:00  A  reverted, by ana: no"


def compared(current, wanted, desired=("A", "B"), optional=(), key=b"k"):
    found = secret_listing.compare(current, list(desired), list(optional), wanted, PLACEHOLDER, Fingerprint(key))
    return {item["name"]: item for item in found}, found


def test_each_name_is_compared():
    current = {"A": "same", "B": "old", "C": PLACEHOLDER, "D": "any", "X": "stray", "ADMIN": "made"}
    found, whole = compared(current, {"A": "same", "B": "new", "C": "new"}, desired="ABCDE", optional=["ADMIN"])
    says = {name: item["says"] for name, item in found.items()}
    assert says == {"A": "same", "B": "different", "C": "not set", "D": "set", "E": "missing", "X": "unmanaged", "ADMIN": "set"}
    assert secret_listing.differs(whole) == ["B", "C", "E"]
    assert found["E"]["before"] == "absent" and found["C"]["before"] == "CHANGE_ME" and found["D"]["after"] == "set"


def test_what_differs_shows_as_a_diff_with_fingerprints_only():
    found, whole = compared({"A": "1234", "B": "x"}, {"A": "4321"})
    lines = secret_listing.comparison_lines(whole)
    assert lines[:2] == [f"- A: {found['A']['before']}", f"+ A: {found['A']['after']}"] and lines[2] == "  B: set, with no value to compare with"
    assert "1234" not in json.dumps(whole) and "4321" not in json.dumps(whole)


def test_fingerprints_tell_the_same_within_a_run_and_nothing_in_another():
    one, other = Fingerprint(), Fingerprint()
    assert one.of("1234") == one.of("1234") != one.of("1235")
    assert one.of("1234") != other.of("1234") and len(one.of("x" * 8192)) == 12


def definition(*references, options=()):
    container = {"name": "api", "secrets": [{"name": "n", "valueFrom": item} for item in references]}
    return {"taskDefinitionArn": f"{ARN}api:1", "containerDefinitions": [{**container, "logConfiguration": {"secretOptions": list(options)}}]}


def test_who_reads_what_is_read_from_the_task_definitions():
    other = "arn:aws:secretsmanager:us-east-1:1:secret:x"
    found = definition(
        f"{OURS}A", f"{PATH}/B", f"{OURS}C:3", other, "arn:aws:ssm:us-east-1:1:parameter/atena/production/D", options=[{"valueFrom": f"{OURS}E"}]
    )
    assert secret_readers.names_below(found, PATH) == {"A", "B", "C", "E"}


def test_a_service_that_is_not_there_reads_nothing():
    class Aws:
        def __call__(self, service, operation, doing, /, **arguments):
            if operation == "describe_services":
                return {"services": [{"serviceName": "api", "status": "ACTIVE", "taskDefinition": f"{ARN}api:1"}]}
            return {"taskDefinition": definition(f"{OURS}A")}

    assert secret_readers.read(Aws(), "c", ["api", "workers"], PATH) == {"api": {"A"}}
