"""What a task definition's strings refer to."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.ecs import references as task_references

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("reference", "repository", "image_id"),
    [
        (f"{REGISTRY}/team/api:v1", "team/api", {"imageTag": "v1"}),
        (f"{REGISTRY}/api", "api", {"imageTag": "latest"}),
        (f"{REGISTRY}/api@{DIGEST}", "api", {"imageDigest": DIGEST}),
        (f"{REGISTRY}/api:v1@{DIGEST}", "api", {"imageDigest": DIGEST}),
        (f"{REGISTRY.replace('ecr', 'ecr-fips')}/api:v1", "api", {"imageTag": "v1"}),
        (f"{REGISTRY}.cn/api:v1", "api", {"imageTag": "v1"}),
    ],
)
def test_an_image_in_ecr(reference, repository, image_id):
    assert task_references.ecr_image(reference) == {"account": "123456789012", "region": "us-east-1", "repository": repository, "image_id": image_id}


@pytest.mark.parametrize("reference", ["", "nginx", "nginx:1", "public.ecr.aws/x/y:1", f"{REGISTRY}/api@sha256:short"])
def test_an_image_elsewhere(reference):
    assert task_references.ecr_image(reference) is None


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("TOKEN", "TOKEN"),
        ("/atena/prod/TOKEN", "/atena/prod/TOKEN"),
        ("arn:aws:ssm:us-east-1:1:parameter/atena/prod/TOKEN", "/atena/prod/TOKEN"),
        ("arn:aws:ssm:us-east-1:1:parameter/TOKEN", "TOKEN"),
        ("arn:aws:ssm:us-east-1:1:parameter/atena/prod/TOKEN:3", "/atena/prod/TOKEN:3"),
        ("arn:aws:ssm:eu-west-1:1:parameter/TOKEN", None),
        ("arn:aws:secretsmanager:us-east-1:1:secret:TOKEN-a1b2c3", None),
        ("arn:aws:ssm", None),
    ],
)
def test_a_secret(reference, name):
    assert task_references.parameter_name(reference, "us-east-1") == name


def test_log_drivers_have_secrets_too():
    definition = {
        "containerDefinitions": [
            {"name": "a", "secrets": [{"name": "X", "valueFrom": "x"}], "logConfiguration": {"secretOptions": [{"name": "Y", "valueFrom": "y"}]}},
            {"name": "b", "secrets": [{"name": "X", "valueFrom": "x"}]},
        ]
    }
    assert task_references.secrets_of(definition) == ["x", "y"]


def test_log_groups_that_must_exist():
    def container(driver="awslogs", **options):
        return {"name": "c", "logConfiguration": {"logDriver": driver, "options": {key.replace("_", "-"): value for key, value in options.items()}}}

    definition = {
        "containerDefinitions": [
            container(awslogs_group="/a"),
            container(awslogs_group="/b", awslogs_region="eu-west-1"),
            container(awslogs_group="/made-by-ecs", awslogs_create_group="true"),
            container("splunk", splunk_url="x"),
            {"name": "silent"},
        ]
    }
    assert task_references.log_groups_of(definition, "us-east-1") == {"/a": "us-east-1", "/b": "eu-west-1"}


def test_ports_of_a_container():
    definition = {"containerDefinitions": [{"name": "api", "portMappings": [{"containerPort": 3000}, {"containerPort": 9090}]}, {"name": "workers"}]}
    assert task_references.ports_of(definition, "api") == [3000, 9090]
    assert task_references.ports_of(definition, "workers") == []
    assert task_references.ports_of(definition, "other") is None
