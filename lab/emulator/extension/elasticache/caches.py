"""Cache clusters and replication groups, as the pieces about caches see them: one kind of thing."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from ministack.services import elasticache

REDIS_LIKE = ("redis", "valkey")


@dataclass(frozen=True)
class Cache:
    kind: str  # cluster or replication_group
    id: str
    record: dict[str, Any]

    @property
    def status(self) -> str:
        return self.record["CacheClusterStatus" if self.kind == "cluster" else "Status"]

    def set_status(self, status: str) -> None:
        """A group's members and node groups share its state."""
        if self.kind == "cluster":
            self.record["CacheClusterStatus"] = status
            return
        self.record["Status"] = status
        for group in self.record["NodeGroups"]:
            group["Status"] = status
        for member in self.members:
            member["CacheClusterStatus"] = status

    @property
    def members(self) -> list[dict[str, Any]]:
        """The clusters of a group; a cluster is its own only one."""
        if self.kind == "cluster":
            return [self.record]
        return [elasticache._clusters[name] for name in self.record["MemberClusters"] if name in elasticache._clusters]

    @property
    def is_there(self) -> bool:
        """Whether this is still what its name stands for, and not one that was made later under the same name."""
        store = elasticache._clusters if self.kind == "cluster" else elasticache._replication_groups
        return store.get(self.id) is self.record

    @property
    def containers(self) -> dict[str, str]:
        """{node group: id of the container with its data}"""
        if self.kind == "cluster":
            return {"0001": self.record["_docker_container_id"]} if self.record.get("_docker_container_id") else {}
        groups = [group["NodeGroupId"] for group in self.record["NodeGroups"]]
        return dict(zip(groups, self.record.get("_docker_container_ids") or [], strict=False))

    @property
    def parameter_group(self) -> str:
        return self.record["CacheParameterGroupName"] if self.kind == "replication_group" else self.record["CacheParameterGroup"]["CacheParameterGroupName"]

    def run(self, container: str, script: str) -> str:
        """What a shell script says in one of its containers; `redis` is redis-cli with the options that reach the server there."""
        # A node's token is in its group's record.
        keeper = elasticache._replication_groups.get(self.record.get("ReplicationGroupId") or "") or self.record
        options = elasticache._node_cli_args(self.record.get("TransitEncryptionEnabled"), elasticache._record_auth(keeper))
        command = f'redis() {{ {shlex.join(["redis-cli", *options])} "$@"; }}; {script}'
        result = elasticache._get_docker().containers.get(container).exec_run(["sh", "-euc", command])
        text = result.output.decode("utf-8", "replace").strip()
        if result.exit_code != 0:
            raise RuntimeError(f"{self.id}: {text}")
        return text


def cluster(name: str) -> Cache | None:
    """A cluster that belongs to no replication group, or that is a member of one."""
    record = elasticache._clusters.get(name)
    return Cache("cluster", name, record) if record else None


def replication_group(name: str) -> Cache | None:
    record = elasticache._replication_groups.get(name)
    return Cache("replication_group", name, record) if record else None


def every() -> list[Cache]:
    """All caches of this account and region with containers of their own."""
    alone = [Cache("cluster", name, record) for name, record in elasticache._clusters.items() if not record.get("ReplicationGroupId")]
    return alone + [Cache("replication_group", name, record) for name, record in elasticache._replication_groups.items()]
