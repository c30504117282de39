"""How each service reads, writes and removes tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]


def to_list(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict]:
    return [{key: name, value: text} for name, text in sorted(tags.items())]


def to_dict(tags: Any) -> dict[str, str]:
    if isinstance(tags, dict):
        return dict(tags)
    return {tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) or "" for tag in tags or []}


@dataclass(frozen=True)
class Tagging:
    """`fetch` is empty where the resource's own description has its tags."""

    target: Callable[[Values], dict]
    fetch: str
    where: str
    add: str
    remove: str
    tags: Callable[[dict[str, str]], Any] = to_list
    add_name: str = "Tags"
    remove_name: str = "TagKeys"
    keys: Callable[[list[str]], Any] = list

    def read(self, ctx: Any, answer: Values, values: Values) -> dict[str, str]:
        if not self.fetch:
            return to_dict(answer.get(self.where))
        response: Any = ctx.call(self.fetch, **self.target(values))
        for step in self.where.split("."):
            response = (response or [{}])[0].get(step) if isinstance(response, list) else response.get(step)
        return to_dict(response)

    def write(self, ctx: Any, values: Values, before: dict[str, str], after: dict[str, str]) -> None:
        gone = [name for name in before if name not in after]
        new = {name: text for name, text in after.items() if before.get(name) != text}
        if gone:
            ctx.call(self.remove, **self.target(values), **{self.remove_name: self.keys(gone)})
        if new:
            ctx.call(self.add, **self.target(values), **{self.add_name: self.tags(new)})


def _arn(name: str, many: bool = False) -> Callable[[Values], dict]:
    return lambda values: {name: [values["arn"]] if many else values["arn"]}


TAGGING = {
    "ec2": Tagging(
        lambda values: {"Resources": [values["id"]]}, "", "Tags", "create_tags", "delete_tags",
        remove_name="Tags", keys=lambda names: [{"Key": name} for name in names],
    ),
    "elbv2": Tagging(_arn("ResourceArns", many=True), "describe_tags", "TagDescriptions.Tags", "add_tags", "remove_tags"),
    "ecs": Tagging(
        _arn("resourceArn"), "list_tags_for_resource", "tags", "tag_resource", "untag_resource",
        tags=lambda tags: to_list(tags, "key", "value"), add_name="tags", remove_name="tagKeys",
    ),
    "ecr": Tagging(_arn("resourceArn"), "list_tags_for_resource", "tags", "tag_resource", "untag_resource", add_name="tags", remove_name="tagKeys"),
    "logs": Tagging(_arn("resourceArn"), "list_tags_for_resource", "tags", "tag_resource", "untag_resource", tags=dict, add_name="tags", remove_name="tagKeys"),
    "iam": Tagging(lambda values: {"RoleName": values["name"]}, "list_role_tags", "Tags", "tag_role", "untag_role"),
    "oidc": Tagging(_arn("OpenIDConnectProviderArn"), "", "Tags", "tag_open_id_connect_provider", "untag_open_id_connect_provider"),
    "rds": Tagging(_arn("ResourceName"), "list_tags_for_resource", "TagList", "add_tags_to_resource", "remove_tags_from_resource"),
    "elasticache": Tagging(_arn("ResourceName"), "list_tags_for_resource", "TagList", "add_tags_to_resource", "remove_tags_from_resource"),
    "ssm": Tagging(
        lambda values: {"ResourceType": "Parameter", "ResourceId": values["name"]},
        "list_tags_for_resource", "TagList", "add_tags_to_resource", "remove_tags_from_resource",
    ),
}  # fmt: skip
