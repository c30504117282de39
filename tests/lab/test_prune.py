"""Prune takes what no release needs, and nothing else."""

import uuid

import pytest
from wire import Wire

# The release that runs is the only one kept, however young the others are.
STRICT = ("-e", "atena_kept_releases=1", "-e", "prune_min_age_days=0")
NOTES = "packages/api/NOTES.md"


def active(lab, family):
    arns = lab.client("ecs").list_task_definitions(familyPrefix=family, status="ACTIVE")["taskDefinitionArns"]
    return [arn for arn in arns if arn.rsplit("/", 1)[-1].rpartition(":")[0] == family]


def images(lab, repository):
    """{digest: tags}"""
    details = lab.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
    return {image["imageDigest"]: image.get("imageTags", []) for image in details}


def image_of(lab, arn):
    definition = lab.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    return definition["containerDefinitions"][0]["image"].rpartition("@")[2]


@pytest.fixture
def elsewhere(lab):
    """The workers' revision of now is also what a service has that no release knows."""
    ecs, held = lab.client("ecs"), lab.revisions()[f"{lab.name}-workers"]
    network = lab.services()[f"{lab.name}-workers"]["networkConfiguration"]
    ecs.create_service(cluster=lab.cluster, serviceName="elsewhere", taskDefinition=held, desiredCount=0, launchType="FARGATE", networkConfiguration=network)
    yield held
    ecs.delete_service(cluster=lab.cluster, service="elsewhere", force=True)


def test_prune_takes_what_nothing_needs_and_only_that(lab, elsewhere):
    api, workers = f"{lab.name}-api", f"{lab.name}-workers"
    old = lab.revisions()
    for _ in range(2):
        lab.app.change("Another release", **{NOTES: f"{uuid.uuid4()}\n"})
        lab.playbook("deploy.yml", "-e", "atena_kept_releases=1").must_succeed()
    runs, templates = lab.revisions(), {name: active(lab, f"{name}-template") for name in (api, workers)}
    before = {name: (active(lab, name), images(lab, name)) for name in (api, workers)}
    # Somebody protects the image of the release in between by hand.
    between = next(arn for arn in reversed(active(lab, api)) if arn != runs[api])
    manifest = lab.client("ecr").batch_get_image(repositoryName=api, imageIds=[{"imageDigest": image_of(lab, between)}])["images"][0]["imageManifest"]
    lab.client("ecr").put_image(repositoryName=api, imageManifest=manifest, imageTag="kept-by-hand")

    with Wire(lab.endpoint) as wire:
        predicted = lab.playbook("prune.yml", "--check", "--diff", *STRICT, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert wire.calls
    assert wire.writes() == []
    assert predicted.changed == 1
    gone = {arn for arn in before[api][0] if arn != runs[api]} | {arn for arn in before[workers][0] if arn not in (runs[workers], elsewhere)}
    assert old[api] in gone
    for arn in gone:
        assert f"task definition {arn.rsplit('/', 1)[-1]}," in predicted.text
        assert f"-task definition {arn.rsplit('/', 1)[-1]}," in predicted.output
    assert f"task definition {elsewhere.rsplit('/', 1)[-1]}," not in predicted.text
    assert {name: (active(lab, name), set(images(lab, name))) for name in (api, workers)} == {
        name: (arns, set(found)) for name, (arns, found) in before.items()
    }

    lab.playbook("prune.yml", *STRICT).must_succeed()
    assert active(lab, api) == [runs[api]]
    assert set(active(lab, workers)) == {runs[workers], elsewhere}
    assert {name: active(lab, f"{name}-template") for name in (api, workers)} == templates
    assert set(images(lab, api)) == {image_of(lab, runs[api]), image_of(lab, between)}
    assert set(images(lab, workers)) == {image_of(lab, runs[workers]), image_of(lab, elsewhere)}
    assert lab.client("ecs").describe_task_definition(taskDefinition=old[api])["taskDefinition"]["status"] == "INACTIVE"

    with Wire(lab.endpoint) as wire:
        again = lab.playbook("prune.yml", *STRICT, environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert again.changed == 0
    assert "Nothing to delete" in again.text
    assert wire.writes(besides_lock=True) == []

    assert lab.app.version == lab.app.commit
    assert lab.plan()[0] == 0
    assert lab.playbook("deploy.yml").must_succeed().changed == 0


def test_by_default_what_is_young_stays(lab):
    run = lab.playbook("prune.yml").must_succeed()
    assert run.changed == 0
    assert "Nothing to delete" in run.text


def test_counts_that_would_keep_nothing_are_refused(lab):
    with Wire(lab.endpoint) as wire:
        run = lab.playbook("prune.yml", "-e", "prune_keep_newest=0", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_fail()
    assert "keep_newest is 0; it must be 1 at the least" in run.text
    assert wire.writes(besides_lock=True) == []
