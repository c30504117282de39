"""Elastic Load Balancing v2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..failure import Failure
from ..row import Call, Row, Update
from ..shapes import nested_from_aws

Values = dict[str, Any]

# Attributes that AWS keeps in a list of keys and texts.
LB_ATTRIBUTES = {
    "client_keep_alive": "client_keep_alive.seconds",
    "desync_mitigation_mode": "routing.http.desync_mitigation_mode",
    "drop_invalid_header_fields": "routing.http.drop_invalid_header_fields.enabled",
    "enable_cross_zone_load_balancing": "load_balancing.cross_zone.enabled",
    "enable_deletion_protection": "deletion_protection.enabled",
    "enable_http2": "routing.http2.enabled",
    "enable_tls_version_and_cipher_suite_headers": "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
    "enable_waf_fail_open": "waf.fail_open.enabled",
    "enable_xff_client_port": "routing.http.xff_client_port.enabled",
    "enable_zonal_shift": "zonal_shift.config.enabled",
    "idle_timeout": "idle_timeout.timeout_seconds",
    "preserve_host_header": "routing.http.preserve_host_header.enabled",
    "xff_header_processing_mode": "routing.http.xff_header_processing.mode",
}
GROUP_ATTRIBUTES = {
    "deregistration_delay": "deregistration_delay.timeout_seconds",
    "load_balancing_algorithm_type": "load_balancing.algorithm.type",
    "load_balancing_anomaly_mitigation": "load_balancing.algorithm.anomaly_mitigation",
    "load_balancing_cross_zone_enabled": "load_balancing.cross_zone.enabled",
    "slow_start": "slow_start.duration_seconds",
}


def text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def set_attributes(operation: str, target: str, table: dict[str, str]) -> Callable[[Any, Values | None, Values], None]:
    def run(ctx: Any, prior: Values | None, v: Values) -> None:
        wanted = {key: text(v[name]) for name, key in table.items() if v.get(name) is not None}
        reader = operation.replace("modify", "describe")
        current = {one["Key"]: one["Value"] for one in ctx.call(reader, **{target: v["id"]})["Attributes"]}
        # A load balancer of one kind refuses the keys of another: only what differs is sent.
        changed = [{"Key": key, "Value": value} for key, value in wanted.items() if current.get(key) != value]
        changed = [one for one in changed if one["Key"] in current or one["Value"] not in ("", "false", "0")]
        if changed:
            ctx.call(operation, **{target: v["id"]}, Attributes=changed)

    return run


def get_attributes(ctx: Any, operation: str, target: str, arn: str, table: dict[str, str]) -> Values:
    """Keys that AWS does not list for this kind of load balancer are left out: nothing can be said about them."""
    current = {one["Key"]: one["Value"] for one in ctx.call(operation, **{target: arn})["Attributes"]}
    return {name: current[key] for name, key in table.items() if key in current}


def lb_details(answer: dict, v: Values, ctx: Any) -> Values:
    zones = answer.get("AvailabilityZones") or []
    return {
        **get_attributes(ctx, "describe_load_balancer_attributes", "LoadBalancerArn", v["id"], LB_ATTRIBUTES),
        "arn": answer["LoadBalancerArn"],
        "arn_suffix": answer["LoadBalancerArn"].split(":loadbalancer/")[1],
        "internal": answer.get("Scheme") == "internal",
        "subnets": [zone["SubnetId"] for zone in zones],
        "subnet_mapping": [{"subnet_id": zone["SubnetId"]} for zone in zones],
    }


def lb_state(answer: dict) -> bool:
    state = answer["State"]["Code"]
    if state == "failed":
        raise Failure("aws_lb: creation failed", f"unexpected state '{state}', wanted target 'active': {answer['State'].get('Reason') or 'no reason given'}")
    return state in ("active", "active_impaired")


LB = Row(
    "aws_lb",
    "elbv2",
    aliases={"name": "LoadBalancerName", "load_balancer_type": "Type", "zone_id": "CanonicalHostedZoneId"},
    create=Call(
        "create_load_balancer",
        lambda v: {"Name": v["name"], "Scheme": "internal" if v.get("internal") else "internet-facing"},
        take="ip_address_type load_balancer_type security_groups subnets name internal",
    ),
    made=lambda v, answer: dict.fromkeys(("id", "arn"), answer["LoadBalancers"][0]["LoadBalancerArn"]),
    updates=(
        Update(
            take=f"{' '.join(LB_ATTRIBUTES)} dns_record_client_routing_policy",
            run=set_attributes("modify_load_balancer_attributes", "LoadBalancerArn", LB_ATTRIBUTES),
            after_create=True,
        ),
        Update("set_security_groups", lambda v: {"LoadBalancerArn": v["id"]}, take="security_groups"),
        Update("set_subnets", lambda v: {"LoadBalancerArn": v["id"]}, take="subnets"),
        Update("set_ip_address_type", lambda v: {"LoadBalancerArn": v["id"]}, take="ip_address_type"),
    ),
    read=Call("describe_load_balancers", lambda v: {"LoadBalancerArns": [v["id"]]}),
    at="LoadBalancers[0]",
    got=lb_details,
    # Application load balancers always spread over zones; the real provider leaves that attribute alone too.
    unread="enable_cross_zone_load_balancing",
    settle=lb_state,
    delete=Call("delete_load_balancer", lambda v: {"LoadBalancerArn": v["id"]}),
    tags="loadbalancer",
    name_max=32,
    imports=lambda identifier, ctx: {"id": identifier, "arn": identifier},
)

# -- target group --------------------------------------------------------------------------------------------------------------

HEALTH = {
    "enabled": "HealthCheckEnabled",
    "healthy_threshold": "HealthyThresholdCount",
    "interval": "HealthCheckIntervalSeconds",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
    "timeout": "HealthCheckTimeoutSeconds",
    "unhealthy_threshold": "UnhealthyThresholdCount",
}


def send_health(v: Values, sent: dict) -> None:
    for check in v.get("health_check") or []:
        sent.update({key: check[name] for name, key in HEALTH.items() if check.get(name) is not None})
        if check.get("matcher"):
            sent["Matcher"] = {"GrpcCode" if v.get("protocol_version") == "GRPC" else "HttpCode": check["matcher"]}


def group_details(answer: dict, v: Values, ctx: Any) -> Values:
    matcher = answer.get("Matcher") or {}
    health = {name: answer.get(key) for name, key in HEALTH.items()}
    return {
        **get_attributes(ctx, "describe_target_group_attributes", "TargetGroupArn", v["id"], GROUP_ATTRIBUTES),
        "arn": answer["TargetGroupArn"],
        "arn_suffix": answer["TargetGroupArn"].rsplit(":", 1)[1],
        "health_check": [{**health, "matcher": matcher.get("HttpCode") or matcher.get("GrpcCode")}],
    }


TARGET_GROUP = Row(
    "aws_lb_target_group",
    "elbv2",
    aliases={"name": "TargetGroupName"},
    create=Call(
        "create_target_group",
        lambda v: {"Name": v["name"]},
        take="ip_address_type port protocol protocol_version target_type vpc_id name health_check",
        adjust=send_health,
    ),
    made=lambda v, answer: dict.fromkeys(("id", "arn"), answer["TargetGroups"][0]["TargetGroupArn"]),
    updates=(
        Update("modify_target_group", lambda v: {"TargetGroupArn": v["id"]}, take="health_check", adjust=send_health),
        Update(
            take=" ".join(GROUP_ATTRIBUTES),
            run=set_attributes("modify_target_group_attributes", "TargetGroupArn", GROUP_ATTRIBUTES),
            after_create=True,
        ),
    ),
    read=Call("describe_target_groups", lambda v: {"TargetGroupArns": [v["id"]]}),
    at="TargetGroups[0]",
    got=group_details,
    delete=Call("delete_target_group", lambda v: {"TargetGroupArn": v["id"]}),
    tags="targetgroup",
    name_max=32,
    imports=lambda identifier, ctx: {"id": identifier, "arn": identifier},
)

# -- listener ------------------------------------------------------------------------------------------------------------------


def in_order(actions: list[dict]) -> None:
    for order, action in enumerate(actions, 1):
        action.setdefault("Order", order)
        groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
        if len(groups) == 1:
            action["TargetGroupArn"] = groups[0]["TargetGroupArn"]  # the emulator routes by this one alone


def send_actions(v: Values, sent: dict) -> None:
    in_order(sent["DefaultActions"])
    if v.get("certificate_arn"):
        sent["Certificates"] = [{"CertificateArn": v["certificate_arn"]}]


def as_written(found: list[Values], before: list[Values]) -> list[Values]:
    """One target group can be written in two ways, and AWS answers with both: the state keeps its own."""
    for index, action in enumerate(found):
        prior = before[index : index + 1]
        if prior and prior[0].get("forward"):
            # The emulator answers with the single group alone.
            action["forward"] = action["forward"] or [{"target_group": [{"arn": action["target_group_arn"], "weight": 1}]}]
            action["target_group_arn"] = None
        elif action["target_group_arn"]:
            action["forward"] = []
    return found


def read_actions(answer: dict, v: Values, ctx: Any) -> Values:
    shape = ctx.shape("describe_listeners").output_shape.members["Listeners"].member.members["DefaultActions"]
    found = nested_from_aws(LISTENER.block.blocks["default_action"], answer.get("DefaultActions"), shape, ACTIONS)
    found = as_written(found, v.get("default_action") or [])
    certificates = answer.get("Certificates") or [{}]
    return {"arn": answer["ListenerArn"], "default_action": found, "certificate_arn": certificates[0].get("CertificateArn")}


ACTIONS = {
    "arn": "TargetGroupArn",
    "duration": "DurationSeconds",
    "fixed_response": "FixedResponseConfig",
    "forward": "ForwardConfig",
    "redirect": "RedirectConfig",
    "stickiness": "TargetGroupStickinessConfig",
}


def send_server_header(ctx: Any, prior: Values | None, v: Values) -> None:
    """The real provider sends this attribute of every HTTP and HTTPS listener that it makes: whoever may not call this cannot make one."""
    enabled = v.get("routing_http_response_server_enabled")
    attribute = {"Key": "routing.http.response.server.enabled", "Value": text(True if enabled is None else enabled)}
    ctx.call("modify_listener_attributes", ListenerArn=v["id"], Attributes=[attribute])


LISTENER = Row(
    "aws_lb_listener",
    "elbv2",
    aliases=ACTIONS,
    create=Call("create_listener", take="load_balancer_arn port protocol ssl_policy certificate_arn default_action", adjust=send_actions),
    made=lambda v, answer: dict.fromkeys(("id", "arn"), answer["Listeners"][0]["ListenerArn"]),
    updates=(
        Update(
            "modify_listener",
            lambda v: {"ListenerArn": v["id"]},
            take="port protocol ssl_policy certificate_arn default_action",
            adjust=send_actions,
        ),
        Update(take="routing_http_response_server_enabled", run=send_server_header, after_create=True),
    ),
    read=Call("describe_listeners", lambda v: {"ListenerArns": [v["id"]]}),
    at="Listeners[0]",
    got=read_actions,
    unread="alpn_policy",
    delete=Call("delete_listener", lambda v: {"ListenerArn": v["id"]}),
    tags="listener",
    imports=lambda identifier, ctx: {"id": identifier, "arn": identifier},
)

# -- listener rule -------------------------------------------------------------------------------------------------------------

CONDITIONS = {
    "host_header": "HostHeaderConfig",
    "http_header": "HttpHeaderConfig",
    "http_request_method": "HttpRequestMethodConfig",
    "path_pattern": "PathPatternConfig",
    "query_string": "QueryStringConfig",
    "source_ip": "SourceIpConfig",
}
FIELDS = {key: name.replace("_", "-") for name, key in CONDITIONS.items()}


def send_rule(v: Values, sent: dict) -> None:
    in_order(sent.get("Actions", []))
    for condition in sent.get("Conditions", []):
        condition["Field"] = FIELDS[next(iter(condition))]


def send_priority(ctx: Any, prior: Values | None, v: Values) -> None:
    ctx.call("set_rule_priorities", RulePriorities=[{"RuleArn": v["id"], "Priority": int(v["priority"])}])


def rule_details(answer: dict, v: Values, ctx: Any) -> Values:
    shape = ctx.shape("describe_rules").output_shape.members["Rules"].member
    names = {**ACTIONS, **CONDITIONS}
    actions = nested_from_aws(RULE.block.blocks["action"], answer.get("Actions"), shape.members["Actions"], names)
    arn = answer["RuleArn"]
    return {
        "arn": arn,
        # …:listener-rule/app/name/balancer/listener/rule
        "listener_arn": arn.rsplit("/", 1)[0].replace(":listener-rule/", ":listener/"),
        "priority": None if answer["Priority"] == "default" else int(answer["Priority"]),
        "action": as_written(actions, v.get("action") or []),
    }


RULE = Row(
    "aws_lb_listener_rule",
    "elbv2",
    aliases={**ACTIONS, **CONDITIONS},
    create=Call("create_rule", take="listener_arn priority action condition", adjust=send_rule),
    made=lambda v, answer: dict.fromkeys(("id", "arn"), answer["Rules"][0]["RuleArn"]),
    updates=(
        Update("modify_rule", lambda v: {"RuleArn": v["id"]}, take="action condition", adjust=send_rule),
        Update(take="priority", run=send_priority),
    ),
    read=Call("describe_rules", lambda v: {"RuleArns": [v["id"]]}),
    at="Rules[0]",
    got=rule_details,
    delete=Call("delete_rule", lambda v: {"RuleArn": v["id"]}),
    tags="listener-rule",
    imports=lambda identifier, ctx: {"id": identifier, "arn": identifier},
)

ROWS = [LB, TARGET_GROUP, LISTENER, RULE]
