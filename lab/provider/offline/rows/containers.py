"""ECS, ECR, and the logs that containers write."""

from __future__ import annotations

import json
from typing import Any

from ..row import Call, Row, Update
from ..values import is_empty

Values = dict[str, Any]

# -- cluster -------------------------------------------------------------------------------------------------------------------

CLUSTER = Row(
    "aws_ecs_cluster",
    "ecs",
    aliases={"name": "clusterName"},
    create=Call("create_cluster", take="name configuration service_connect_defaults setting"),
    made=lambda v, answer: dict.fromkeys(("id", "arn"), answer["cluster"]["clusterArn"]),
    updates=(Update("update_cluster", lambda v: {"cluster": v["id"]}, take="configuration service_connect_defaults setting", changed_only=True),),
    read=Call("describe_clusters", lambda v: {"clusters": [v["id"]], "include": ["SETTINGS", "CONFIGURATIONS"]}),
    at="clusters[0]",
    got=lambda answer, v, ctx: {"arn": answer["clusterArn"], "id": answer["clusterArn"]},
    is_gone=lambda answer: answer["status"] == "INACTIVE",
    delete=Call("delete_cluster", lambda v: {"cluster": v["id"]}),
    tags="cluster",
    imports=lambda identifier, ctx: {"id": identifier},
)

# -- task definition -----------------------------------------------------------------------------------------------------------


def plain_containers(text: str) -> list | None:
    """Container definitions without what ECS adds by itself, in an order of their own."""

    def tidy(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: tidy(item) for key, item in value.items() if not is_empty(item)}
        return [tidy(item) for item in value] if isinstance(value, list) else value

    try:
        containers = json.loads(text)
    except ValueError:
        return None
    for container in containers:
        for name in ("environment", "secrets"):
            container[name] = sorted(container.get(name) or [], key=lambda one: one.get("name", ""))
        for port in container.get("portMappings") or []:
            port.setdefault("protocol", "tcp")
            port["hostPort"] = port.get("hostPort") or port["containerPort"]  # in awsvpc mode they are the same
        container["essential"] = container.get("essential", True)
    return sorted((tidy(container) for container in containers), key=lambda one: one.get("name", ""))


def same_containers(left: str, right: str) -> bool:
    return plain_containers(left) == plain_containers(right)


def is_part(wanted: Any, actual: Any) -> bool:
    """Everything that was asked for is there; ECS may have added more."""
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(is_part(value, actual.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(actual, list) and len(wanted) == len(actual) and all(map(is_part, wanted, actual))
    return wanted == actual


def definition_details(answer: dict, v: Values, ctx: Any) -> Values:
    actual, state = json.dumps(answer["containerDefinitions"], separators=(",", ":")), v.get("container_definitions")
    kept = state and is_part(plain_containers(state), plain_containers(actual))
    return {
        "id": answer["family"],
        "arn": answer["taskDefinitionArn"],
        "arn_without_revision": answer["taskDefinitionArn"].rsplit(":", 1)[0],
        "container_definitions": state if kept else actual,
        "volume": [{"name": one["name"], "host_path": (one.get("host") or {}).get("sourcePath")} for one in answer.get("volumes") or []],
    }


TASK_DEFINITION = Row(
    "aws_ecs_task_definition",
    "ecs",
    equal={"container_definitions": same_containers},
    create=Call(
        "register_task_definition",
        take="container_definitions cpu enable_fault_injection ephemeral_storage execution_role_arn family ipc_mode memory network_mode pid_mode "
        "placement_constraints requires_compatibilities runtime_platform task_role_arn",
    ),
    made=lambda v, answer: {"id": v["family"], "arn": answer["taskDefinition"]["taskDefinitionArn"]},
    read=Call("describe_task_definition", lambda v: {"taskDefinition": v["family"] if v.get("track_latest") else v["arn"]}),
    at="taskDefinition",
    got=definition_details,
    is_gone=lambda answer: answer["status"] != "ACTIVE",
    delete=Call("deregister_task_definition", lambda v: {"taskDefinition": v["arn"]}),
    keep=lambda v: bool(v.get("skip_destroy")),
    local="skip_destroy track_latest",
    tags="task-definition",
    imports=lambda identifier, ctx: {"id": identifier.rsplit("/", 1)[1].split(":")[0], "arn": identifier},
)

# -- service -------------------------------------------------------------------------------------------------------------------


def send_service(v: Values, sent: dict) -> None:
    """What Terraform has side by side and ECS inside deploymentConfiguration or awsvpcConfiguration."""
    deployment = sent.pop("deploymentConfiguration", {})
    if v.get("scheduling_strategy") != "DAEMON":
        deployment |= {"maximumPercent": int(v["deployment_maximum_percent"]), "minimumHealthyPercent": int(v["deployment_minimum_healthy_percent"])}
    for breaker in v.get("deployment_circuit_breaker") or [{"enable": False, "rollback": False}]:
        deployment["deploymentCircuitBreaker"] = {"enable": bool(breaker["enable"]), "rollback": bool(breaker["rollback"])}
    for alarms in v.get("alarms") or []:
        deployment["alarms"] = {"alarmNames": alarms["alarm_names"], "enable": alarms["enable"], "rollback": alarms["rollback"]}
    if {"deployment_maximum_percent", "service"} & sent.keys() or "serviceName" in sent:
        sent["deploymentConfiguration"] = deployment
    if "networkConfiguration" in sent:
        network = v["network_configuration"][0]
        sent["networkConfiguration"] = {
            "awsvpcConfiguration": {
                "subnets": network["subnets"],
                "securityGroups": network.get("security_groups") or [],
                "assignPublicIp": "ENABLED" if network.get("assign_public_ip") else "DISABLED",
            }
        }


def service_details(answer: dict, v: Values, ctx: Any) -> Values:
    deployment, network = answer.get("deploymentConfiguration") or {}, answer.get("networkConfiguration") or {}
    breaker, vpc = deployment.get("deploymentCircuitBreaker"), network.get("awsvpcConfiguration")
    family = answer["taskDefinition"].rsplit("/", 1)[1]
    return {
        "id": answer["serviceArn"],
        "arn": answer["serviceArn"],
        # Both may be written by name, and then stay so.
        "cluster": v["cluster"] if v.get("cluster") and answer["clusterArn"].endswith(f"/{v['cluster']}") else answer["clusterArn"],
        "task_definition": family if v.get("task_definition") == family else answer["taskDefinition"],
        "deployment_maximum_percent": deployment.get("maximumPercent"),
        "deployment_minimum_healthy_percent": deployment.get("minimumHealthyPercent"),
        "deployment_circuit_breaker": [breaker] if breaker else [],
        "network_configuration": [
            {"subnets": vpc["subnets"], "security_groups": vpc.get("securityGroups"), "assign_public_ip": vpc.get("assignPublicIp") == "ENABLED"}
        ]
        if vpc
        else [],
        "propagate_tags": None if answer.get("propagateTags") in (None, "NONE") else answer["propagateTags"],
    }


def scale_down(ctx: Any, v: Values) -> None:
    """ECS deletes no service that is asked to run tasks."""
    if v.get("scheduling_strategy") != "DAEMON" and not v.get("force_delete"):
        found = ctx.call("describe_services", cluster=v["cluster"], services=[v["id"]])["services"]
        if found and found[0]["status"] == "ACTIVE" and found[0].get("desiredCount"):
            ctx.call("update_service", cluster=v["cluster"], service=v["id"], desiredCount=0)


SERVICE_UPDATES = (
    "availability_zone_rebalancing capacity_provider_strategy desired_count enable_ecs_managed_tags enable_execute_command "
    "health_check_grace_period_seconds load_balancer network_configuration placement_constraints platform_version propagate_tags "
    "service_connect_configuration service_registries task_definition"
)
DEPLOYMENT = "deployment_maximum_percent deployment_minimum_healthy_percent deployment_circuit_breaker alarms"

SERVICE = Row(
    "aws_ecs_service",
    "ecs",
    # The API knows the service by several names: serviceName on the way in, schedulingStrategy and so on as they are.
    aliases={"name": "serviceName", "iam_role": "role"},
    create=Call(
        "create_service",
        take=f"{SERVICE_UPDATES} {DEPLOYMENT} cluster deployment_controller iam_role launch_type name scheduling_strategy",
        adjust=send_service,
    ),
    made=lambda v, answer: dict.fromkeys(("id", "arn"), answer["service"]["serviceArn"]),
    updates=(
        Update("update_service", lambda v: {"cluster": v["cluster"], "service": v["id"]}, take=SERVICE_UPDATES, changed_only=True, adjust=send_service),
        Update("update_service", lambda v: {"cluster": v["cluster"], "service": v["id"]}, take=DEPLOYMENT, adjust=send_service),
    ),
    read=Call("describe_services", lambda v: {"cluster": v["cluster"], "services": [v["id"]]}),
    at="services[0]",
    got=service_details,
    by_hand="network_configuration",
    unread="deployment_configuration deployment_controller iam_role",
    local="force_delete force_new_deployment sigint_rollback triggers wait_for_steady_state",
    is_gone=lambda answer: answer["status"] == "INACTIVE",
    before_delete=scale_down,
    delete=Call("delete_service", lambda v: {"cluster": v["cluster"], "service": v["id"], "force": bool(v.get("force_delete"))}),
    tags="service",
    imports=lambda identifier, ctx: {
        "id": identifier.partition("/")[2],
        "cluster": ctx.arn("ecs", f"cluster/{identifier.partition('/')[0]}"),
        "name": identifier.partition("/")[2],
    },
)

# -- log group -----------------------------------------------------------------------------------------------------------------


def set_retention(ctx: Any, prior: Values | None, v: Values) -> None:
    if v.get("retention_in_days"):
        ctx.call("put_retention_policy", logGroupName=v["name"], retentionInDays=int(v["retention_in_days"]))
    elif prior:
        ctx.call("delete_retention_policy", logGroupName=v["name"])


LOG_GROUP = Row(
    "aws_cloudwatch_log_group",
    "logs",
    aliases={"name": "logGroupName"},
    create=Call("create_log_group", take="log_group_class name"),
    updates=(Update(take="retention_in_days", run=set_retention, after_create=True),),
    read=Call("describe_log_groups", lambda v: {"logGroupNamePrefix": v["id"]}),
    at=lambda v: f"logGroups[?logGroupName=='{v['id']}'] | [0]",
    got=lambda answer, v, ctx: {"arn": answer["arn"].removesuffix(":*"), "log_group_class": answer.get("logGroupClass") or "STANDARD"},
    keep=lambda v: bool(v.get("skip_destroy")),
    delete=Call("delete_log_group", lambda v: {"logGroupName": v["id"]}),
    local="skip_destroy",
    tags="log-group",
    imports=lambda identifier, ctx: {"id": identifier, "name": identifier},
)

# -- registry ------------------------------------------------------------------------------------------------------------------

REPOSITORY = Row(
    "aws_ecr_repository",
    "ecr",
    aliases={"name": "repositoryName", "arn": "repositoryArn", "repository_url": "repositoryUri"},
    create=Call("create_repository", take="encryption_configuration image_scanning_configuration image_tag_mutability name"),
    updates=(
        Update("put_image_tag_mutability", lambda v: {"repositoryName": v["id"]}, take="image_tag_mutability"),
        Update("put_image_scanning_configuration", lambda v: {"repositoryName": v["id"]}, take="image_scanning_configuration"),
    ),
    read=Call("describe_repositories", lambda v: {"repositoryNames": [v["id"]]}),
    at="repositories[0]",
    delete=Call("delete_repository", lambda v: {"repositoryName": v["id"], "force": bool(v.get("force_delete"))}),
    local="force_delete",
    tags="repository",
)

LIFECYCLE_POLICY = Row(
    "aws_ecr_lifecycle_policy",
    "ecr",
    create=Call("put_lifecycle_policy", lambda v: {"repositoryName": v["repository"], "lifecyclePolicyText": v["policy"]}),
    made=lambda v, answer: {"id": v["repository"]},
    read=Call("get_lifecycle_policy", lambda v: {"repositoryName": v["id"]}),
    aliases={"repository": "repositoryName", "policy": "lifecyclePolicyText"},
    delete=Call("delete_lifecycle_policy", lambda v: {"repositoryName": v["id"]}),
    local="policy repository",
)

ROWS = [CLUSTER, TASK_DEFINITION, SERVICE, LOG_GROUP, REPOSITORY, LIFECYCLE_POLICY]
