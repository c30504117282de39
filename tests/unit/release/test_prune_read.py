"""What prune reads, and how it deletes, on a small AWS of its own."""

import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.release import prune_read
from fakes import Pages
from test_ledger import record as release_record

INDEX = "application/vnd.oci.image.index.v1+json"


class Aws(Pages):
    """Answers by operation; lists are paged one item a page, as AWS may."""

    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    def client(self, service):
        return None

    def __call__(self, service, operation, doing, /, **arguments):
        self.calls.append((operation, arguments))
        answer = self.answers[operation]
        return answer(arguments) if callable(answer) else answer


class Ledger:
    def __init__(self, records):
        self.records, self.asked = records, []

    def recent(self, count):
        self.asked.append(count)
        return self.records[:count]


def record(number, release, outcome="succeeded"):
    return release_record(id=f"{number:04}", release=release, outcome=outcome, services=[])


def test_the_last_commits_are_found_behind_any_number_of_failures():
    records = [record(900 - index, f"bad{index}", "failed") for index in range(300)] + [record(500, "b"), record(499, "a"), record(498, "older")]
    ledger = Ledger(records)
    kept, unfinished = prune_read.records_to_keep(ledger, 2)
    assert [entry.release for entry in kept] == ["b", "a"]
    assert unfinished is None
    assert ledger.asked == [50, 200, 800]


def test_an_unfinished_release_is_found():
    _, unfinished = prune_read.records_to_keep(Ledger([record(2, "b", "interrupted"), record(1, "a")]), 5)
    assert unfinished.release == "b"


def test_what_any_service_or_task_of_the_cluster_has_is_in_use():
    service = {
        "serviceName": "other",
        "taskDefinition": "x/other:3",
        "deployments": [{"taskDefinition": "x/other:3"}, {"taskDefinition": "x/other:2"}],
        "taskSets": [{"taskDefinition": "x/other:1"}],
    }
    task = {"taskArn": "x/c/77", "taskDefinitionArn": "x/once:9", "containers": [{"imageDigest": "sha256:aa"}, {"name": "no image yet"}]}
    aws = Aws(
        list_services={"serviceArns": [f"s{index}" for index in range(11)]},
        describe_services=lambda arguments: {"services": [service]},
        list_tasks={"taskArns": ["x/c/77"]},
        describe_tasks={"tasks": [task]},
    )
    used, running = prune_read.what_runs(aws, "c")
    assert set(used) == {"other:1", "other:2", "other:3", "once:9"}
    assert running == {"sha256:aa": "the task 77 runs it"}
    assert [len(arguments["services"]) for operation, arguments in aws.calls if operation == "describe_services"] == [10, 1]


def test_a_task_that_is_listed_and_not_described_may_run_any_image():
    """It has only just been started: an image that is not known to be in use would be taken from under it."""
    aws = Aws(
        list_services={"serviceArns": []},
        list_tasks={"taskArns": ["x/c/77", "x/c/78"]},
        describe_tasks={"tasks": [{"taskArn": "x/c/77", "taskDefinitionArn": "x/once:9"}], "failures": [{"arn": "x/c/78", "reason": "MISSING"}]},
    )
    with pytest.raises(CallFailed, match="task 78 .*does not describe it.*Nothing was deleted. Run prune.yml again"):
        prune_read.what_runs(aws, "c")


def test_all_of_it_is_gathered():
    def definition(arguments):
        name = arguments["taskDefinition"].rsplit("/", 1)[-1]
        if name == "a-workers-template":
            raise failure("there is none", "ClientException")
        return {"taskDefinition": {"taskDefinitionArn": f"x/{name}", "containerDefinitions": []}, "tags": []}

    aws = Aws(
        list_services={"serviceArns": ["s"]},
        describe_services={"services": [{"serviceName": "s", "taskDefinition": "x/stranger:1"}]},
        list_tasks={"taskArns": []},
        list_task_definitions=lambda arguments: {"taskDefinitionArns": [f"x/{arguments['familyPrefix']}:1", f"x/{arguments['familyPrefix']}-template:4"]},
        describe_task_definition=definition,
        describe_images=lambda arguments: {
            "imageDetails": [{"imageDigest": "sha256:w", "imageManifestMediaType": INDEX}, {"imageDigest": "sha256:p"}]
            if arguments["repositoryName"] == "a-api"
            else []
        },
        batch_get_image={"images": [{"imageId": {"imageDigest": "sha256:w"}, "imageManifest": json.dumps({"manifests": [{"digest": "sha256:p"}]})}]},
    )
    facts = prune_read.gather(aws, names=["a-api", "a-workers"], cluster="c", ledger=Ledger([record(1, "a")]), kept_releases=3)
    assert [found["taskDefinitionArn"] for found in facts["revisions"]] == ["x/a-api:1", "x/a-workers:1"]
    assert [found["taskDefinitionArn"] for found in facts["others"]] == ["x/a-api-template", "x/stranger:1"]
    assert facts["parts"] == {"a-api": {"sha256:w": ["sha256:p"]}, "a-workers": {}}
    assert [len(facts["images"][name]) for name in ("a-api", "a-workers")] == [2, 0]
    assert [entry.release for entry in facts["kept"]] == ["a"]


def entries(count, part=False):
    return [{"digest": f"sha256:{'p' if part else ''}{index}", "part": part} for index in range(count)]


def test_images_are_deleted_by_digest_in_batches_and_parts_last():
    aws = Aws(batch_delete_image={"imageIds": [], "failures": []})
    assert prune_read.delete_images(aws, "r", [*entries(1, part=True), *entries(101)]) == []
    sizes = [[len(arguments["imageIds"]), set(arguments["imageIds"][0])] for _, arguments in aws.calls]
    assert sizes == [[100, {"imageDigest"}], [1, {"imageDigest"}], [1, {"imageDigest"}]]
    assert aws.calls[-1][1]["imageIds"] == [{"imageDigest": "sha256:p0"}]


@pytest.mark.parametrize(
    ("code", "words"),
    [("ImageNotFound", "r@sha256:0 was gone already"), ("ImageReferencedByManifestList", "r@sha256:0 is part of a multi-platform image that stays")],
)
def test_an_image_that_ecr_spares_is_told(code, words):
    aws = Aws(batch_delete_image={"failures": [{"imageId": {"imageDigest": "sha256:0"}, "failureCode": code}]})
    assert prune_read.delete_images(aws, "r", entries(1)) == [words]


def test_any_other_failure_is_one():
    aws = Aws(batch_delete_image={"failures": [{"imageId": {"imageDigest": "sha256:0"}, "failureCode": "KmsError", "failureReason": "no key"}]})
    with pytest.raises(CallFailed, match="r@sha256:0: KmsError no key.*run this again"):
        prune_read.delete_images(aws, "r", entries(1))
