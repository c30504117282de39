"""The inventory's services as the lists that the modules of a release take."""

from ansible_collections.atena.aws.plugins.filter import release

SERVICES = {"api": {"dockerfile": "packages/api/Dockerfile", "desired_count": 2}, "workers": {"architecture": "ARM64"}}


def test_each_service_has_an_image_in_a_repository_of_its_name():
    assert release.release_images(SERVICES, "shop-prod") == [
        {"name": "api", "repository": "shop-prod-api", "dockerfile": "packages/api/Dockerfile", "architecture": "X86_64"},
        {"name": "workers", "repository": "shop-prod-workers", "dockerfile": "Dockerfile", "architecture": "ARM64"},
    ]


def test_services_are_prepared_in_the_order_of_the_rollout():
    images = {"api": {"image": "r/api@sha256:1"}, "workers": {"image": "r/workers@sha256:2"}}
    assert release.release_services(["workers", "api"], "shop-prod", images) == [
        {"name": "shop-prod-workers", "images": {"workers": "r/workers@sha256:2"}},
        {"name": "shop-prod-api", "images": {"api": "r/api@sha256:1"}},
    ]


def test_a_rollout_knows_the_count_of_a_first_release():
    revisions = [
        {"service": "shop-prod-api", "task_definition": "shop-prod-api:7", "changed": True},
        {"service": "shop-prod-workers", "task_definition": "w:1"},
    ]
    assert release.rollout_services(revisions, "shop-prod", SERVICES) == [
        {"name": "shop-prod-api", "task_definition": "shop-prod-api:7", "initial_count": 2},
        {"name": "shop-prod-workers", "task_definition": "w:1", "initial_count": 1},
    ]
