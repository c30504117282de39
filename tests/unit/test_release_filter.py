"""The inventory's services as the lists that the modules of a release take."""

from ansible_collections.atena.aws.plugins.filter import release

SERVICES = {
    "api": {"dockerfile": "packages/api/Dockerfile", "desired_count": 2, "port": 3000, "health_check_path": "/up"},
    "workers": {"architecture": "ARM64", "stable_seconds": "120", "target": "worker"},
}


def test_each_service_has_an_image_in_a_repository_of_its_name():
    assert release.release_images(SERVICES, "shop-prod") == [
        {"name": "api", "repository": "shop-prod-api", "dockerfile": "packages/api/Dockerfile", "target": "", "architecture": "X86_64"},
        {"name": "workers", "repository": "shop-prod-workers", "dockerfile": "Dockerfile", "target": "worker", "architecture": "ARM64"},
    ]


def test_a_service_is_released_with_what_was_built_or_by_its_tag_in_the_order_of_the_rollout():
    images = {"api": {"image": "r/shop-prod-api@sha256:1"}}
    assert release.release_services(SERVICES, ["workers", "api"], "shop-prod", images, "r", "sha-2", 30) == [
        {"name": "shop-prod-workers", "images": {"workers": "r/shop-prod-workers:sha-2"}, "initial_count": 1, "stable_seconds": 120},
        {"name": "shop-prod-api", "images": {"api": "r/shop-prod-api@sha256:1"}, "initial_count": 2, "stable_seconds": 30, "health_path": "/up"},
    ]


def test_the_shared_time_to_stay_up_is_a_minute_unless_said_otherwise():
    assert release.release_services(SERVICES, ["api"], "shop-prod", {}, "r", "sha-2")[0]["stable_seconds"] == 60
