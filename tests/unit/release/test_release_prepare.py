"""Preparing a revision: images pinned by what ECR answers, nothing registered that is there."""

import io
import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, CredentialsRefused, failure
from ansible_collections.atena.aws.plugins.module_utils.images import bundle, configuration as ecr_configuration
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
        self.definitions, self.digests, self.registered, self.lost, self.read = definitions, digests, [], [], []

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
        self.read.append(arguments["taskDefinition"])
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
    assert call.read == ["a-api-template", "arn:running"], "what the newest revision is does not matter then"


def test_a_release_is_never_made_from_a_release():
    call = aws()
    call.definitions["a-api-template"] = (TEMPLATE, {})
    with pytest.raises(CallFailed, match="is no template"):
        prepare(call, {})


# --- The certificate bundle ---------------------------------------------------------------------------------------------
BUNDLE = "/etc/ssl/certs/rds-global-bundle.pem"
DIGEST = "sha256:" + "1" * 64


class WithImages(Aws):
    """And an ECR that gives out configurations. configurations: {digest: its `config`, or what is raised}."""

    def __init__(self, configurations, running=None):
        known = aws(running)
        super().__init__(known.definitions, known.digests)
        self.configurations = configurations

    def __call__(self, service, operation, doing, /, **arguments):
        if operation == "batch_get_image":
            digest = arguments["imageIds"][0]["imageDigest"]
            found = self.configurations.get(digest)
            if isinstance(found, Exception):
                raise found
            return {"images": [{"imageManifest": json.dumps({"config": {"digest": digest}})}] if found is not None else []}
        if operation == "get_download_url_for_layer":
            return {"downloadUrl": arguments["layerDigest"]}
        return super().__call__(service, operation, doing, **arguments)


@pytest.fixture
def images(monkeypatch):
    """{digest: its configuration}, which a test fills."""
    found = {}
    monkeypatch.setattr(ecr_configuration, "open_url", lambda url, timeout: io.BytesIO(json.dumps({"config": found[url]}).encode()))
    return found


def told(images, template=None, ca_bundles=True):
    """What the container api is told in its environment, beside nothing else."""
    call = WithImages(images)
    if template:
        call.definitions["a-api-template"] = (template, {"atena:template": "true"})
    item = {"name": "a-api", "images": {"api": f"{REGISTRY}/a-api@{DIGEST}"}}
    wanted = Preparation(call, item, {"taskDefinition": "arn:running"}, ca_bundles).wanted
    api, side = wanted["containerDefinitions"]
    assert "environment" not in side
    return {entry["name"]: entry["value"] for entry in api.get("environment", [])}


def test_a_container_is_told_where_its_image_has_certificates(images):
    images[DIGEST] = {"Labels": {bundle.LABEL: BUNDLE}}
    assert told(images) == {"NODE_EXTRA_CA_CERTS": BUNDLE, "PGSSLROOTCERT": BUNDLE}
    assert told(images, ca_bundles=False) == {}


@pytest.mark.parametrize("config", [{}, {"Labels": None}, {"Labels": {"other": "x"}, "Env": ["PATH=/bin"]}])
def test_a_container_of_an_image_that_says_nothing_is_told_nothing(images, config):
    images[DIGEST] = config
    assert told(images) == {}


def test_what_the_image_sets_itself_stays(images):
    images[DIGEST] = {"Labels": {bundle.LABEL: BUNDLE}, "Env": ["PGSSLROOTCERT=/its/own.pem"]}
    assert told(images) == {"NODE_EXTRA_CA_CERTS": BUNDLE}


def test_what_the_service_sets_stays(images):
    images[DIGEST] = {"Labels": {bundle.LABEL: BUNDLE}}
    api, side = TEMPLATE["containerDefinitions"]
    template = {**TEMPLATE, "containerDefinitions": [{**api, "environment": [{"name": "NODE_EXTRA_CA_CERTS", "value": "/mine.pem"}]}, side]}
    assert told(images, template) == {"NODE_EXTRA_CA_CERTS": "/mine.pem", "PGSSLROOTCERT": BUNDLE}
    assert template["containerDefinitions"][0]["environment"] == [{"name": "NODE_EXTRA_CA_CERTS", "value": "/mine.pem"}]


def test_an_image_that_is_not_there_is_left_to_the_preflight(images):
    assert told(images) == {}
    images[DIGEST] = failure("no such repository", "RepositoryNotFoundException")
    assert told(images) == {}


def running(**environment):
    """A release that runs, whose container api is told this."""
    api, side = TEMPLATE["containerDefinitions"]
    told = [{"name": name, "value": value} for name, value in environment.items()]
    return {**TEMPLATE, "containerDefinitions": [{**api, "environment": told}, side]}


def test_of_an_image_that_cannot_be_read_nothing_is_taken_away_and_that_is_said(images):
    images[DIGEST] = failure("not for you", "AccessDeniedException")
    call = WithImages(images, running(PSQL="x", PGSSLROOTCERT="/before.pem"))
    preparation = Preparation(call, {"name": "a-api", "images": {"api": f"{REGISTRY}/a-api@{DIGEST}"}}, {"taskDefinition": "arn:running"}, True)
    assert preparation.wanted["containerDefinitions"][0]["environment"] == [{"name": "PGSSLROOTCERT", "value": "/before.pem"}]
    [warning] = [text for text in preparation.warnings() if "is not known" in text]
    assert "atena_ca_bundle" in warning and "ecr:BatchGetImage and ecr:GetDownloadUrlForLayer" in warning


def test_of_an_image_that_a_check_would_only_build_nothing_else_is_told(images):
    call = WithImages(images, running(PGSSLROOTCERT="/before.pem"))
    item = {"name": "a-api", "images": {"api": f"{REGISTRY}/a-api@sha256:known-after-push"}}
    preparation = Preparation(call, item, {"taskDefinition": "arn:running"}, True)
    assert list(preparation.changes) == ["containerDefinitions[api].image"]


def test_credentials_that_are_refused_end_it(images):
    images[DIGEST] = failure("expired", "ExpiredTokenException")
    with pytest.raises(CredentialsRefused):
        told(images)
