"""What a release's task definition must be, and when one like it is there already."""

import botocore.session
import pytest
from ansible_collections.atena.aws.plugins.module_utils.ecs import revision as ecs_revision

DIGEST = "123456789012.dkr.ecr.us-east-1.amazonaws.com/atena-prod-api@sha256:aa"


def template(**changes):
    definition = {
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:1:task-definition/atena-prod-api-template:4",
        "family": "atena-prod-api-template",
        "revision": 4,
        "status": "ACTIVE",
        "cpu": "256",
        "memory": "512",
        "networkMode": "awsvpc",
        "executionRoleArn": "arn:aws:iam::1:role/x",
        "requiresCompatibilities": ["FARGATE"],
        "registeredAt": "2026-01-01",
        "compatibilities": ["EC2", "FARGATE"],
        "tags": [{"key": "atena:template", "value": "true"}],
        "containerDefinitions": [
            {
                "name": "api",
                "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/atena-prod-api:latest",
                "essential": True,
                "cpu": 0,
                "portMappings": [{"containerPort": 3000, "hostPort": 3000, "protocol": "tcp"}],
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "secrets": [{"name": "S", "valueFrom": "arn:s"}],
                "mountPoints": [],
            }
        ],
    }
    return {**definition, **changes}


def released(wanted, revision=7):
    arn = f"arn:aws:ecs:us-east-1:1:task-definition/atena-prod-api:{revision}"
    return {**wanted, "taskDefinitionArn": arn, "revision": revision, "status": "ACTIVE", "registeredAt": "2026-02-02", "tags": []}


def test_a_release_is_the_template_with_the_image_replaced():
    wanted = ecs_revision.compose(template(), "atena-prod-api", {"api": DIGEST})
    assert wanted["family"] == "atena-prod-api"
    assert wanted["containerDefinitions"][0]["image"] == DIGEST
    assert wanted["memory"] == "512"
    assert not {"taskDefinitionArn", "revision", "status", "registeredAt", "compatibilities", "tags"} & set(wanted)


def test_the_template_itself_is_not_changed():
    source = template()
    ecs_revision.compose(source, "f", {"api": DIGEST})
    assert source == template()


def test_an_image_for_a_container_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no container apl; it has: api"):
        ecs_revision.compose(template(), "f", {"apl": DIGEST})


def test_the_same_release_is_found_again():
    wanted = ecs_revision.compose(template(), "atena-prod-api", {"api": DIGEST})
    same = released(wanted)
    assert ecs_revision.choose(wanted, [None, same]) is same


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cpu": "512"}, "cpu"),
        ({"memory": "1024"}, "memory"),
        ({"executionRoleArn": "arn:aws:iam::1:role/y"}, "executionRoleArn"),
        ({"taskRoleArn": "arn:aws:iam::1:role/t"}, "taskRoleArn"),
        ({"networkMode": "bridge"}, "networkMode"),
        ({"runtimePlatform": {"cpuArchitecture": "ARM64"}}, "runtimePlatform.cpuArchitecture"),
        ({"ephemeralStorage": {"sizeInGiB": 50}}, "ephemeralStorage.sizeInGiB"),
    ],
)
def test_a_change_of_any_task_field_is_a_difference(change, field):
    old = released(ecs_revision.compose(template(), "atena-prod-api", {"api": DIGEST}))
    new = ecs_revision.compose(template(**change), "atena-prod-api", {"api": DIGEST})
    assert list(ecs_revision.differences(old, new)) == [field]
    assert ecs_revision.choose(new, [old]) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"environment": [{"name": "A", "value": "9"}, {"name": "B", "value": "2"}]}, "containerDefinitions[api].environment[A].value"),
        ({"secrets": [{"name": "S", "valueFrom": "arn:other"}]}, "containerDefinitions[api].secrets[S].valueFrom"),
        ({"command": ["x"]}, "containerDefinitions[api].command"),
        ({"stopTimeout": 120}, "containerDefinitions[api].stopTimeout"),
        ({"image": DIGEST.replace("aa", "bb")}, "containerDefinitions[api].image"),
    ],
)
def test_a_change_in_a_container_is_named_with_the_container(change, field):
    wanted = ecs_revision.compose(template(), "atena-prod-api", {"api": DIGEST})
    changed = {**wanted, "containerDefinitions": [{**wanted["containerDefinitions"][0], **change}]}
    assert list(ecs_revision.differences(released(wanted), changed)) == [field]


NAMED_AS_AN_ANSWER = ["status", "revision", "tags", "registeredAt", "registeredBy", "compatibilities", "requiresAttributes", "taskDefinitionArn"]


@pytest.mark.parametrize("name", NAMED_AS_AN_ANSWER)
@pytest.mark.parametrize("old", [None, "one"])
@pytest.mark.parametrize("new", ["two", ""])
def test_a_label_or_an_option_is_released_whatever_it_is_called(name, old, new):
    """What only DescribeTaskDefinition answers has names that are a user's, too, deeper within. An empty value is one."""

    def definition(value):
        words = {} if value is None else {name: value}
        container = {
            **template()["containerDefinitions"][0],
            "dockerLabels": {"kept": "yes", **words},
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/g", **words}},
            "firelensConfiguration": {"type": "fluentbit", "options": {"enable-ecs-log-metadata": "true", **words}},
        }
        volume = {"name": "v", "dockerVolumeConfiguration": {"driver": "local", "labels": {"kept": "yes", **words}}}
        return template(containerDefinitions=[container], volumes=[volume])

    before, after = (ecs_revision.compose(definition(value), "atena-prod-api", {"api": DIGEST}) for value in (old, new))
    assert ecs_revision.differences(released(before), after) == {
        f"containerDefinitions[api].dockerLabels.{name}": (old, new),
        f"containerDefinitions[api].firelensConfiguration.options.{name}": (old, new),
        f"containerDefinitions[api].logConfiguration.options.{name}": (old, new),
        f"volumes[v].dockerVolumeConfiguration.labels.{name}": (old, new),
    }
    assert ecs_revision.choose(after, [released(before)]) is None


def some(shape, within=()):
    """A value for all that a shape has, each with names that its answer has, too."""
    if shape.type_name == "structure":
        return {name: some(member, (*within, shape.name)) for name, member in shape.members.items() if member.name not in within}
    if shape.type_name == "list":
        return [some(shape.member, within)]
    if shape.type_name == "map":
        return dict.fromkeys(NAMED_AS_AN_ANSWER, "x")
    return {"integer": 1, "long": 1, "boolean": True}.get(shape.type_name, "x")


def test_all_that_can_be_registered_is_compared_and_nothing_else():
    operations = botocore.session.get_session().get_service_model("ecs")
    taken = some(operations.operation_model("RegisterTaskDefinition").input_shape)
    answered = some(operations.operation_model("DescribeTaskDefinition").output_shape.members["taskDefinition"])
    leaves = set(ecs_revision.flatten({name: value for name, value in taken.items() if name != "tags"}))
    assert set(ecs_revision.flatten(ecs_revision.canonical(taken))) == leaves
    assert set(ecs_revision.flatten(ecs_revision.canonical({**answered, "tags": []}))) == leaves
    assert set(ecs_revision.compose({**answered, "tags": []}, "f", {})) == set(taken) - {"tags"}


@pytest.mark.parametrize("answer", [{"deleteRequestedAt": "2026-01-01"}, {"deregisteredAt": "2026-01-01"}, {"status": "INACTIVE"}, {"registeredBy": "arn:x"}])
def test_what_only_aws_says_of_a_definition_is_no_difference(answer):
    wanted = ecs_revision.compose(template(), "atena-prod-api", {"api": DIGEST})
    assert ecs_revision.differences({**released(wanted), **answer}, wanted) == {}
    assert ecs_revision.compose(template(**answer), "atena-prod-api", {"api": DIGEST}) == wanted


@pytest.mark.parametrize(
    "change",
    [
        {"environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]},
        {"mountPoints": None},
        {"volumesFrom": []},
        {"portMappings": [{"containerPort": 3000}]},
        {"systemControls": []},
    ],
)
def test_other_spellings_of_the_same_are_no_difference(change):
    wanted = ecs_revision.compose(template(), "atena-prod-api", {"api": DIGEST})
    respelled = {**wanted, "containerDefinitions": [{**wanted["containerDefinitions"][0], **change}]}
    assert ecs_revision.differences(released(wanted), respelled) == {}


def test_the_order_of_a_command_matters():
    wanted = ecs_revision.compose(template(), "f", {"api": DIGEST})
    one, two = ({**wanted, "containerDefinitions": [{**wanted["containerDefinitions"][0], "command": c}]} for c in (["a", "b"], ["b", "a"]))
    assert ecs_revision.differences(released(one), two)


def test_a_first_release_differs_in_everything():
    assert "cpu" in ecs_revision.differences(None, template())


def test_templates_are_known_by_their_tag():
    assert ecs_revision.is_template(template())
    assert not ecs_revision.is_template(template(tags=[]))


@pytest.mark.parametrize(
    "image, parts",
    [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/b:2", ("123456789012.dkr.ecr.us-east-1.amazonaws.com", "123456789012", "team/b", "2")),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/b", ("123456789012.dkr.ecr.us-east-1.amazonaws.com", "123456789012", "b", None)),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/c@sha256:cc", None),
        ("public.ecr.aws/x/y:3", None),
    ],
)
def test_only_a_tag_in_ecr_can_be_pinned(image, parts):
    match = ecs_revision.ecr_name(image)
    assert (match and (match["registry"], match["account"], match["repository"], match["tag"])) == parts


def test_images_without_a_digest_are_named():
    definition = template(containerDefinitions=[{"name": "a", "image": "x@sha256:1"}, {"name": "b", "image": "public.ecr.aws/x/y:3"}])
    assert ecs_revision.unpinned(definition) == ["b: public.ecr.aws/x/y:3"]


def test_the_diff_shows_changed_fields_only():
    wanted = ecs_revision.compose(template(), "f", {"api": DIGEST})
    diff = ecs_revision.as_diff("x", ecs_revision.differences(released(wanted), {**wanted, "memory": "1024"}))
    assert (diff["before"], diff["after"]) == ("memory: 512\n", "memory: 1024\n")
