"""IAM roles, and who else may assume them."""

from __future__ import annotations

import json
from typing import Any

from ..row import Call, Row, Update

Values = dict[str, Any]


def as_text(document: Any) -> str:
    """boto3 hands out policies parsed."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))


def attached(ctx: Any, name: str) -> list[str]:
    return [one["PolicyArn"] for one in ctx.call("list_attached_role_policies", RoleName=name)["AttachedPolicies"]]


def role_details(answer: dict, v: Values, ctx: Any) -> Values:
    return {
        "assume_role_policy": as_text(answer["AssumeRolePolicyDocument"]),
        "permissions_boundary": (answer.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
        "managed_policy_arns": attached(ctx, v["id"]),
        "unique_id": answer["RoleId"],
        "create_date": answer["CreateDate"],
    }


def empty_role(ctx: Any, v: Values) -> None:
    """IAM deletes no role that still has policies. Inline ones are in the real provider's state too, and go with the role."""
    for name in ctx.call("list_role_policies", RoleName=v["id"])["PolicyNames"]:
        ctx.call("delete_role_policy", RoleName=v["id"], PolicyName=name)
    for arn in attached(ctx, v["id"]):
        ctx.call("detach_role_policy", RoleName=v["id"], PolicyArn=arn)


ROLE = Row(
    "aws_iam_role",
    "iam",
    aliases={"name": "RoleName", "assume_role_policy": "AssumeRolePolicyDocument"},
    create=Call("create_role", take="assume_role_policy description max_session_duration name path permissions_boundary"),
    updates=(
        Update("update_assume_role_policy", lambda v: {"RoleName": v["id"], "PolicyDocument": v["assume_role_policy"]}, take="assume_role_policy"),
        Update("update_role", lambda v: {"RoleName": v["id"]}, take="description max_session_duration"),
        Update("put_role_permissions_boundary", lambda v: {"RoleName": v["id"]}, take="permissions_boundary"),
    ),
    read=Call("get_role", lambda v: {"RoleName": v["id"]}),
    at="Role",
    got=role_details,
    before_delete=empty_role,
    delete=Call("delete_role", lambda v: {"RoleName": v["id"]}),
    local="force_detach_policies",
    tags="role",
    imports=lambda identifier, ctx: {"id": identifier, "name": identifier},
)


def put_policy(v: Values) -> dict:
    return {"RoleName": v["role"], "PolicyName": v["name"], "PolicyDocument": v["policy"]}


def policy_of(v: Values) -> dict:
    role, _, name = v["id"].partition(":")
    return {"RoleName": role, "PolicyName": name}


ROLE_POLICY = Row(
    "aws_iam_role_policy",
    "iam",
    create=Call("put_role_policy", put_policy),
    made=lambda v, answer: {"id": f"{v['role']}:{v['name']}"},
    updates=(Update("put_role_policy", put_policy, take="policy"),),
    read=Call("get_role_policy", policy_of),
    aliases={"role": "RoleName", "name": "PolicyName"},
    got=lambda answer, v, ctx: {"policy": as_text(answer["PolicyDocument"])},
    delete=Call("delete_role_policy", policy_of),
    local="name policy role",
)


def without_scheme(url: str) -> str:
    """AWS keeps the host and the path alone."""
    return url.removeprefix("https://")


def set_clients(ctx: Any, prior: Values | None, v: Values) -> None:
    before, after = set((prior or {}).get("client_id_list") or []), set(v["client_id_list"])
    for name in sorted(after - before):
        ctx.call("add_client_id_to_open_id_connect_provider", OpenIDConnectProviderArn=v["id"], ClientID=name)
    for name in sorted(before - after):
        ctx.call("remove_client_id_from_open_id_connect_provider", OpenIDConnectProviderArn=v["id"], ClientID=name)


def provider_of(v: Values) -> dict:
    return {"OpenIDConnectProviderArn": v["id"]}


OIDC_PROVIDER = Row(
    "aws_iam_openid_connect_provider",
    "iam",
    aliases={"client_id_list": "ClientIDList"},
    equal={"url": lambda left, right: without_scheme(left) == without_scheme(right)},
    create=Call("create_open_id_connect_provider", take="client_id_list thumbprint_list url"),
    made=lambda v, answer: dict.fromkeys(("id", "arn"), answer["OpenIDConnectProviderArn"]),
    updates=(
        Update(take="client_id_list", run=set_clients),
        Update("update_open_id_connect_provider_thumbprint", provider_of, take="thumbprint_list"),
    ),
    read=Call("get_open_id_connect_provider", provider_of),
    got=lambda answer, v, ctx: {"arn": v["id"]},
    delete=Call("delete_open_id_connect_provider", provider_of),
    tags="oidc-provider",
    tagging="oidc",
    imports=lambda identifier, ctx: {"id": identifier, "arn": identifier},
)

ROWS = [ROLE, ROLE_POLICY, OIDC_PROVIDER]
