"""Preparing a revision: images pinned by what ECR answers, nothing registered that is there."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.release.prepare import Preparation, pin

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
TEMPLATE = {
    "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/a-api-template:3",
    "family": "a-api-template",
    "containerDefinitions": [{"name": "api", "image": f"{REGISTRY}/a-api:latest"}, {"name": "side", "image": "public.ecr.aws/x:1"}],
    "memory": "512",
}


class Aws:
    """Answers what the test recorded, and keeps what was registered."""

    def __init__(self, definitions, digests):
        self.definitions, self.digests, self.registered, self.lost = definitions, digests, [], []

    def once(self, *arguments, **options):
        return self(*arguments, **options)

    def __call__(self, service, operation, doing, /, **arguments):
        if operation == "describe_images":
            tag = arguments["imageIds"][0]["imageTag"]
            if tag not in self.digests:
                raise failure("no such image", "ImageNotFoundException")
            return {"imageDetails": [{"imageDigest": self.digests[tag]}]}
        if operation == "register_task_definition":
            self.registered.append(arguments)
            made = {**arguments, "taskDefinitionArn": f"arn:new/{arguments['family']}:{len(self.registered)}"}
            if self.lost:
                # Carried out, or not at all.
                if self.lost.pop():
                    self.definitions[arguments["family"]] = (made, {})
                raise failure("Could not register it: no answer.", status=500)
            return {"taskDefinition": made}
        assert operation == "describe_task_definition"
        if arguments["taskDefinition"] not in self.definitions:
            raise failure("no such definition", "ClientException")
        definition, tags = self.definitions[arguments["taskDefinition"]]
        return {"taskDefinition": definition, "tags": [{"key": key, "value": value} for key, value in tags.items()]}


def aws(running=None, **digests):
    definitions = {"a-api-template": (TEMPLATE, {"atena:template": "true", "Team": "x"})}
    definitions["arn:running"] = (running, {}) if running else (TEMPLATE, {"atena:template": "true"})
    return Aws(definitions, digests)


def prepare(call, images):
    return Preparation(call, {"name": "a-api", "images": images}, {"taskDefinition": "arn:running"})


def test_a_tag_becomes_its_digest_and_a_public_image_stays():
    pinned = pin(aws(**{"sha-1": "sha256:1"}), TEMPLATE, {"api": f"{REGISTRY}/a-api:sha-1"})
    assert pinned == {"api": f"{REGISTRY}/a-api@sha256:1"}


def test_the_templates_own_tag_is_pinned_too():
    assert pin(aws(latest="sha256:9"), TEMPLATE, {}) == {"api": f"{REGISTRY}/a-api@sha256:9"}


def test_an_image_that_is_not_there_is_refused_by_name():
    with pytest.raises(CallFailed, match=r"no image a-api:sha-2, which container api needs. Nothing was changed"):
        pin(aws(), TEMPLATE, {"api": f"{REGISTRY}/a-api:sha-2"})


def test_a_first_release_registers_once_with_where_it_comes_from():
    call = aws()
    preparation = prepare(call, {"api": f"{REGISTRY}/a-api@sha256:1"})
    assert (preparation.is_first, preparation.arn, preparation.rollout_needed) == (True, "a-api:next", True)
    assert call.registered == []
    preparation.register(call, "0123abc", {"Stage": "prod"})
    assert preparation.arn == "arn:new/a-api:1"
    tags = {tag["key"]: tag["value"] for tag in call.registered[0]["tags"]}
    assert tags == {"Team": "x", "Stage": "prod", "atena:release": "0123abc", "atena:from": TEMPLATE["taskDefinitionArn"]}


@pytest.mark.parametrize(("lost", "sent", "arn"), [([True], 1, "arn:new/a-api:1"), ([False], 2, "arn:new/a-api:2"), ([True, False], 2, "arn:new/a-api:2")])
def test_a_revision_whose_answer_was_lost_is_found_and_used(lost, sent, arn):
    call = aws()
    preparation = prepare(call, {"api": f"{REGISTRY}/a-api@sha256:1"})
    call.lost = lost
    preparation.register(call, "0123abc", {})
    assert (preparation.arn, len(call.registered)) == (arn, sent)


def test_where_nothing_answers_it_ends():
    call = aws()
    preparation = prepare(call, {"api": f"{REGISTRY}/a-api@sha256:1"})
    call.lost = [False] * 20
    with pytest.raises(CallFailed, match="no answer"):
        preparation.register(call, "0123abc", {})
    assert len(call.registered) == 6


def test_what_runs_already_is_taken_and_nothing_registered():
    running = {
        **TEMPLATE,
        "family": "a-api",
        "taskDefinitionArn": "arn:running",
        "containerDefinitions": [{"name": "api", "image": f"{REGISTRY}/a-api@sha256:1"}, TEMPLATE["containerDefinitions"][1]],
    }
    call = aws(running)
    preparation = prepare(call, {"api": f"{REGISTRY}/a-api@sha256:1"})
    preparation.register(call, "0123abc", {})
    assert (call.registered, preparation.rollout_needed, preparation.diff()) == ([], False, [])


def test_a_release_is_never_made_from_a_release():
    call = aws()
    call.definitions["a-api-template"] = (TEMPLATE, {})
    with pytest.raises(CallFailed, match="is no template"):
        prepare(call, {})
