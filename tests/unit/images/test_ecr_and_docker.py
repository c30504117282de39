"""Where images are pushed, which are missing, and how docker's failures are told."""

import json
import os

import pytest
from ansible_collections.atena.aws.plugins.module_utils.images import docker as docker_cli, plan as ecr_plan

PROXY = "https://123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("endpoint", "wanted"),
    [
        ("https://api.ecr.us-east-1.amazonaws.com", "123456789012.dkr.ecr.us-east-1.amazonaws.com"),
        ("https://ecr.us-east-1.api.aws", "123456789012.dkr.ecr.us-east-1.amazonaws.com"),
        ("http://localhost:4566", "localhost:4566"),
        ("http://127.0.0.1:9999", "127.0.0.1:9999"),
    ],
)
def test_a_custom_endpoint_is_also_where_images_go(endpoint, wanted):
    assert ecr_plan.push_registry(endpoint, PROXY) == wanted


@pytest.mark.parametrize(
    ("details", "wanted"),
    [
        ([], {"build": True, "digest": None, "retag": ["latest"]}),
        ([{"imageDigest": "d1", "imageTags": ["sha-1", "latest"]}], {"build": False, "digest": "d1", "retag": []}),
        ([{"imageDigest": "d1", "imageTags": ["sha-1"]}], {"build": False, "digest": "d1", "retag": ["latest"]}),
        (
            [{"imageDigest": "d1", "imageTags": ["sha-1"]}, {"imageDigest": "d0", "imageTags": ["latest"]}],
            {"build": False, "digest": "d1", "retag": ["latest"]},
        ),
        ([{"imageDigest": "d0", "imageTags": ["latest"]}], {"build": True, "digest": None, "retag": ["latest"]}),
    ],
)
def test_what_is_in_the_registry_is_not_built_again(details, wanted):
    assert ecr_plan.plan("sha-1", ["latest"], details) == wanted


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", "does not answer"),
        ("permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock", "group `docker`"),
        ("write /x: no space left on device", "disk is full"),
        ("Step 3/4 : RUN make\nmake: *** no rule", "make: *** no rule"),
    ],
)
def test_docker_failures_come_with_a_remedy(output, word):
    assert word in docker_cli.failure(output)


def test_a_missing_docker_command_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(docker_cli.DockerFailed, match="there is no `docker` command"):
        docker_cli.run(["version"], "try")


def test_the_registry_password_is_in_no_file_and_nothing_stays():
    with docker_cli.login("localhost:1", "AWS", "hunter2", "unix:///x") as environment:
        directory = environment["DOCKER_CONFIG"]
        texts = [open(os.path.join(directory, name), encoding="utf-8").read() for name in os.listdir(directory)]
        assert len(texts) == 2 and not any("hunter2" in text for text in texts)
        assert json.loads(environment["ATENA_REGISTRY_CREDENTIALS"])["Secret"] == "hunter2"
        assert os.stat(directory).st_mode & 0o077 == 0
    assert not os.path.exists(directory)
