"""A cache cluster keeps the security groups and the upgrade setting that it was given.

MiniStack drops SecurityGroupIds and AutoMinorVersionUpgrade, so nobody, Terraform least of all, notices that they changed.
"""

from __future__ import annotations

from typing import Any

from ministack.services import elasticache

from ..common.patching import replace


def apply() -> None:
    for name in ("_create_cache_cluster", "_modify_cache_cluster"):
        replace(elasticache, name, _keeping_settings)
    replace(elasticache, "_cluster_xml_inner", _telling_upgrades)


def given(params: dict[str, Any]) -> dict[str, Any]:
    """What a request says of these settings, as the record holds it."""
    names = ("SecurityGroupIds.SecurityGroupId", "SecurityGroupIds.member")
    groups = [value for name in names for value in _members(params, name)]
    settings: dict[str, Any] = {}
    if groups:
        settings["SecurityGroups"] = [{"SecurityGroupId": group, "Status": "active"} for group in groups]
    upgrade = elasticache._p(params, "AutoMinorVersionUpgrade")
    if upgrade:
        settings["AutoMinorVersionUpgrade"] = upgrade.lower() == "true"
    return settings


def _members(params: dict[str, Any], name: str) -> list[str]:
    values, number = [], 1
    while value := elasticache._p(params, f"{name}.{number}"):
        values.append(value)
        number += 1
    return values


def _keeping_settings(act: Any) -> Any:
    def act_and_keep(params: dict[str, Any]) -> Any:
        answer = act(params)
        cluster = elasticache._clusters.get(elasticache._p(params, "CacheClusterId"))
        if answer[0] == 200 and cluster is not None:
            cluster.update(given(params))
        return answer

    return act_and_keep


def _telling_upgrades(render: Any) -> Any:
    def render_all(cluster: dict[str, Any]) -> str:
        upgrade = str(cluster.get("AutoMinorVersionUpgrade", True)).lower()
        return f"{render(cluster)}<AutoMinorVersionUpgrade>{upgrade}</AutoMinorVersionUpgrade>"

    return render_all
