"""Stops and starts of the lab's environment, as the tests of power use them: by playbook, or in the test's own process, which takes less time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from inprocess import caller, module_utils
from redis_wire import Redis

QUEUE = "bull:notes"


@contextmanager
def without_new_snapshots(lab) -> Iterator[None]:
    """Snapshots that a destroy leaves go afterwards: a stop in another file would take them for its backup."""
    rds, cache, redis = lab.client("rds"), lab.client("elasticache"), f"{lab.name}-redis"

    def databases() -> set[str]:
        return {one["DBSnapshotIdentifier"] for one in rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]}

    before = databases()
    yield
    for name in databases() - before:
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)
    for one in cache.describe_snapshots(CacheClusterId=redis)["Snapshots"]:
        if f"{redis}-final-" in one["SnapshotName"]:
            cache.delete_snapshot(SnapshotName=one["SnapshotName"])


class Power:
    """The lab's environment with its queue."""

    def __init__(self, lab):
        self.lab = lab
        self.bucket = f"atena-terraform-state-{lab.account}"

    # --- Stop and start -----------------------------------------------------------------------------------------------
    def params(self, state: str, **changes: Any) -> dict:
        """environment_power's options, as the role gives them in the lab."""
        name = self.lab.name
        made = {
            **{"name": name, "state": state, "cluster": None, "operator": "arn:aws:iam::000000000042:user/test", "tags": {}, "reenqueue": None},
            **{"database_id": f"{name}-db", "redis_id": f"{name}-redis", "redis_url_parameter": "/atena/prod/REDIS_URL"},
            "services": [{"name": f"{name}-{key}", "desired_count": 1} for key in ("api", "workers")],
            "storage": {
                **{"bucket": self.bucket, "state_key": "atena/prod/terraform.tfstate"},
                **{"gates_key": "atena/prod/gates.json", "journal_key": "atena/prod/power.json"},
            },
            "terraform": {"project_path": str(self.lab.infra), "executable": "terraform", "lock_timeout": 5, "parallelism": 10, "allow_destroy": []},
            "lock": {"table": "atena-terraform-locks", "name": name, "expires_in": 300, "wait": 30},
            "database": {"backup_max_age_hours": 24, "snapshots_kept": 7},
            "redis": {"snapshots_kept": 7, "snapshot": "", "without_queue": ""},
            "health": {"url": self.lab.app.url, "path": "/health", "attempts": 10, "delay": 1},
            "domain": {},
            "costs": {"running": 101, "stopped": 8, "stopped_parts": {}, "currency": "$", "source": "Estimated."},
            "timeouts": {"tasks": 60, "database": 120, "redis": 120},
            **{"wait_timeout": 120, "wait_delay": 1, "log_lines": 20},
        }
        for key, value in changes.items():
            made[key] = {**made[key], **value} if isinstance(made[key], dict) else value
        return made

    def run(self, state: str, *, check_mode: bool = False, **changes: Any) -> dict:
        """Raises PowerFailed or CallFailed; else the module's result, with what was told as `said`."""
        kind = module_utils("power.stop").Stop if state == "stopped" else module_utils("power.start").Start
        said: list[str] = []
        power = kind(caller(), self.params(state, **changes), say=said.append, check_mode=check_mode)
        return {**power.run(), "said": said, "warnings": power.warnings}

    def fails(self, state: str, **changes: Any) -> str:
        """Why a stop or start that has to fail did."""
        failures = (module_utils("power.run").PowerFailed, module_utils("core.calls").CallFailed)
        try:
            result = self.run(state, **changes)
        except failures as failed:
            return str(failed)
        raise AssertionError(f"it ended well: {result}")

    # --- What there is ------------------------------------------------------------------------------------------------
    def stored(self, name: str) -> dict:
        return json.load(self.lab.client("s3").get_object(Bucket=self.bucket, Key=f"atena/prod/{name}.json")["Body"])

    @property
    def state(self) -> str:
        """As the journal has it; an environment that was never stopped has none, and runs."""
        try:
            return self.journal["state"]
        except self.lab.client("s3").exceptions.NoSuchKey:
            return "running"

    @property
    def counts_on_record(self) -> dict | None:
        """{service: count to come back to}; None of an environment that was never stopped."""
        try:
            return {name: entry["desired_count"] for name, entry in self.journal["services"].items()}
        except self.lab.client("s3").exceptions.NoSuchKey:
            return None

    @property
    def journal(self) -> dict:
        return self.stored("power")

    @property
    def gates(self) -> dict:
        return self.stored("gates")

    def cache(self) -> dict | None:
        client = self.lab.client("elasticache")
        try:
            return client.describe_cache_clusters(CacheClusterId=f"{self.lab.name}-redis", ShowCacheNodeInfo=True)["CacheClusters"][0]
        except client.exceptions.CacheClusterNotFoundFault:
            return None

    def database(self) -> dict:
        return self.lab.client("rds").describe_db_instances(DBInstanceIdentifier=f"{self.lab.name}-db")["DBInstances"][0]

    def redis(self) -> Redis:
        endpoint = self.cache()["CacheNodes"][0]["Endpoint"]
        return Redis(endpoint["Address"], endpoint["Port"])

    def redis_url(self) -> str:
        return self.lab.client("ssm").get_parameter(Name="/atena/prod/REDIS_URL", WithDecryption=True)["Parameter"]["Value"]

    def content(self) -> dict:
        """Every key that has no time to live, with its value, byte for byte."""
        with self.redis() as connection:
            return connection.values()

    def snapshots(self) -> list[str]:
        found = self.lab.client("elasticache").describe_snapshots(CacheClusterId=f"{self.lab.name}-redis")["Snapshots"]
        return sorted(one["SnapshotName"] for one in found)

    def counts(self) -> dict:
        return {name: service["desiredCount"] for name, service in self.lab.services().items()}

    def load_balancers(self) -> list[str]:
        """The environment's own: tests of other files may have left theirs."""
        found = self.lab.client("elbv2").describe_load_balancers()["LoadBalancers"]
        return [one["LoadBalancerName"] for one in found if one["LoadBalancerName"].startswith(f"{self.lab.name}-")]

    def is_off(self) -> None:
        """All that a stop switches off is off, and nothing of it is half-done."""
        assert self.gates["power"] == "off" and self.gates["redis"] == "absent"
        assert self.journal["state"] == "stopped"
        assert set(self.counts().values()) == {0}
        assert self.database()["DBInstanceStatus"] == "stopped"
        assert self.cache() is None
        assert self.journal["redis"]["snapshot"] in self.snapshots() and self.journal["redis"]["restored"] is False
        assert self.load_balancers() == []
        self.settled()

    def is_on(self, **counts: int) -> None:
        wanted = {f"{self.lab.name}-{key}": count for key, count in ({"api": 1, "workers": 1} | counts).items()}
        assert self.counts() == wanted
        assert self.gates == {"power": "on", "redis": "present"}
        assert self.journal["state"] == "running"
        assert self.database()["DBInstanceStatus"] == "available"
        assert self.cache()["CacheClusterStatus"] == "available"
        assert len(self.load_balancers()) == 1
        own = {"Name": "tag:Name", "Values": [f"{self.lab.name}-nat"]}
        gateways = self.lab.client("ec2").describe_nat_gateways(Filters=[own])["NatGateways"]
        assert [gateway["State"] for gateway in gateways if gateway["State"] != "deleted"] == ["available"]
        assert self.lab.app.get("/health")[0] == 200
        self.settled()

    def settled(self) -> None:
        """A person's plan is empty, and nothing is locked. (A run that died with its work done leaves a lock that expires: the next has no need of it.)"""
        code, output = self.lab.plan()
        assert code == 0, output
        held = self.lab.lock()
        assert held is None or int(held["expires_at"]["N"]) < time.time(), held


@contextmanager
def emptied_afterwards(lab) -> Iterator[Power]:
    """Power over the lab, which is left running and with nothing in Redis."""
    made = Power(lab)
    yield made
    made.run("started", redis={"without_queue": "true"})
    with made.redis() as connection:
        connection("FLUSHALL")


def plan_says(code: int, output: str) -> str:
    """'empty', 'locked' (a stop or start has the state's lock, as any apply has it), or the whole output."""
    if code == 0:
        return "empty"
    return "locked" if "Error acquiring the state lock" in output and ("stop of " in output or "start of " in output) else output
