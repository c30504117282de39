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
    ("digests", "wanted"),
    [
        ({}, {"build": True, "digest": None, "retag": ["latest"]}),
        ({"sha-1": "d1", "latest": "d1"}, {"build": False, "digest": "d1", "retag": []}),
        ({"sha-1": "d1"}, {"build": False, "digest": "d1", "retag": ["latest"]}),
        ({"sha-1": "d1", "latest": "d0"}, {"build": False, "digest": "d1", "retag": ["latest"]}),
        ({"latest": "d0"}, {"build": True, "digest": None, "retag": ["latest"]}),
    ],
)
def test_what_is_in_the_registry_is_not_built_again(digests, wanted):
    assert ecr_plan.plan("sha-1", ["latest"], digests) == wanted


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


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("Step 3/7 : RUN npm ci", "[3/7] RUN npm ci"),
        ("#12 [build 3/7] RUN npm ci", "[build 3/7] RUN npm ci"),
        ("#5 [2/4] COPY . .", "[2/4] COPY . ."),
        ("#12 1.234 added 200 packages", ""),
        ("#1 [internal] load build definition from Dockerfile", ""),
        (" ---> 5d0da3dc9764", ""),
    ],
)
def test_the_steps_of_a_build_are_told_and_nothing_else_of_it(line, step):
    assert docker_cli.step(line) == step


def test_dockers_lines_are_told_as_they_come_and_returned_whole(tmp_path, monkeypatch):
    (tmp_path / "docker").write_text("#!/bin/sh\necho one\necho two >&2\nexit $1\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    told = []
    assert docker_cli.run(["0"], "try", on_line=told.append) == "one\ntwo\n" and told == ["one", "two"]
    with pytest.raises(docker_cli.DockerFailed, match="Could not try: docker says:\none\ntwo"):
        docker_cli.run(["1"], "try")
