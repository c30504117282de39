"""What Terraform would have done to a thing that it had created is done to one that it takes in."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.recovery import redeploy as redeploy_run, taken_in
from ansible_collections.atena.aws.plugins.module_utils.recovery.taken_in import DATABASE, DATABASE_URL, PASSWORD, REDIS, REDIS_URL, Settling
from fakes import Asked

NAMES = {
    DATABASE: {"identifier": "a-db"},
    REDIS: {"cluster_id": "a-redis"},
    DATABASE_URL: {"name": "/a/DATABASE_URL"},
    REDIS_URL: {"name": "/a/REDIS_URL"},
}
IMPORTS = {DATABASE: "a-db", REDIS: "a-redis", DATABASE_URL: "/a/DATABASE_URL", REDIS_URL: "/a/REDIS_URL"}


def plan(*created: str, password: str = "drawn") -> dict[str, Any]:
    changes = [
        {"address": address, "type": address.split(".")[0], "change": {"actions": ["create" if address in created else "no-op"], "after": after}}
        for address, after in NAMES.items()
    ]
    known = [{"address": PASSWORD, "values": {"result": password}}] if password else []
    return {"resource_changes": changes, "prior_state": {"values": {"root_module": {"resources": known}}}}


class Aws(Asked):
    def __init__(self, **secrets: str) -> None:
        self.secrets, self.did = {f"/a/{name}": value for name, value in secrets.items()}, []
        super().__init__(self.one)

    def one(self, service: str, operation: str, doing: str, /, **arguments: Any) -> dict[str, Any]:
        return getattr(self, operation)(**arguments)

    def get_parameter(self, Name: str, **_: Any) -> dict[str, Any]:
        if Name not in self.secrets:
            raise failure("none", "ParameterNotFound")
        return {"Parameter": {"Name": Name, "Value": self.secrets[Name], "Type": "SecureString"}}

    def describe_parameters(self, **_: Any) -> dict[str, Any]:
        return {"Parameters": [{"Name": name, "Type": "SecureString"} for name in self.secrets]}

    def put_parameter(self, Name: str, Value: str, **_: Any) -> dict[str, Any]:
        self.secrets[Name] = Value
        self.did.append(f"wrote {Name}")
        return {"Version": 2}

    def describe_db_instances(self, **_: Any) -> dict[str, Any]:
        return {"DBInstances": [{"DBInstanceStatus": "available", "MasterUsername": "atena", "Endpoint": {"Address": "new-db", "Port": 5432}}]}

    def describe_cache_clusters(self, **_: Any) -> dict[str, Any]:
        return {"CacheClusters": [{"CacheNodes": [{"Endpoint": {"Address": "new-redis", "Port": 6379}}]}]}

    def modify_db_instance(self, MasterUserPassword: str, **_: Any) -> dict[str, Any]:
        self.did.append(f"password {MasterUserPassword}")
        return {}

    def describe_security_group_rules(self, **_: Any) -> dict[str, Any]:
        return {
            "SecurityGroupRules": [
                {"SecurityGroupRuleId": "sgr-open", "IsEgress": True, "IpProtocol": "-1", "CidrIpv4": "0.0.0.0/0"},
                {"SecurityGroupRuleId": "sgr-443", "IsEgress": True, "IpProtocol": "tcp", "CidrIpv4": "0.0.0.0/0"},
                {"SecurityGroupRuleId": "sgr-in", "IsEgress": False, "IpProtocol": "-1", "CidrIpv4": "0.0.0.0/0"},
            ]
        }

    def revoke_security_group_egress(self, GroupId: str, SecurityGroupRuleIds: list[str]) -> dict[str, Any]:
        self.did.append(f"closed {GroupId} {SecurityGroupRuleIds}")
        return {}


URL = "postgresql://atena:kept@old-db:5432/atena"


@pytest.mark.parametrize(
    ("planned", "imports", "url", "did"),
    [
        # DATABASE_URL says which password; its address may be another database's.
        (plan(), (DATABASE, DATABASE_URL), URL, ["wrote /a/DATABASE_URL", "password kept"]),
        (plan(), (DATABASE,), URL.replace("old-db", "new-db"), ["password kept"]),
        # It is going to be written, with what Terraform drew.
        (plan(DATABASE_URL), (DATABASE,), "", ["password drawn"]),
        # A database that stayed, while its DATABASE_URL went: as after a `terraform destroy` that stopped at its deletion protection.
        (plan(DATABASE_URL), (), "", ["password drawn"]),
        # An application's user of its own: nothing is known of the master's password.
        (plan(), (DATABASE,), "postgresql://app:x@new-db:5432/atena", []),
        # Nothing is taken in.
        (plan(), (), URL, []),
        (plan(DATABASE, DATABASE_URL), (), "", []),
    ],
)
def test_a_database_that_is_taken_in_has_the_password_of_database_url(planned, imports, url, did):
    aws = Aws(**({"DATABASE_URL": url} if url else {}))
    Settling(aws)(planned, {address: IMPORTS[address] for address in imports})
    assert aws.did == did
    assert not url or "@new-db:" in aws.secrets["/a/DATABASE_URL"] or not imports


def test_what_is_known_nowhere_is_not_guessed():
    with pytest.raises(CallFailed, match="Run infra.yml without infra_plan_file"):
        Settling(Aws())(plan(DATABASE_URL, password=""), {DATABASE: "a-db"})
    with pytest.raises(CallFailed, match="Delete the parameter /a/DATABASE_URL"):
        Settling(Aws(DATABASE_URL=URL))(plan(DATABASE), {DATABASE_URL: "/a/DATABASE_URL"})


def test_redis_url_leads_to_the_redis_that_is_taken_in_and_tasks_are_told_of():
    aws = Aws(REDIS_URL="redis://:token@old:6379/0")
    settling = Settling(aws)
    settling(plan(), {REDIS: "a-redis"})
    assert aws.secrets["/a/REDIS_URL"] == "redis://:token@new-redis:6379/0"
    assert settling.warnings() == ["REDIS_URL changed: tasks that run have the former one. restart.yml gives them the new one."]
    Settling(aws)(plan(REDIS_URL), {REDIS: "a-redis"})
    assert aws.did == ["wrote /a/REDIS_URL"]


def test_a_security_group_that_is_taken_in_is_closed_to_the_outside():
    aws = Aws()
    Settling(aws)(plan(), {"aws_security_group.ecs": "sg-1"})
    assert aws.did == ["closed sg-1 ['sgr-open']"]


@pytest.mark.parametrize(
    ("state", "made_at", "wrong"),
    [
        ("redeploying", "2026-11-30T10:05:00+00:00", False),
        ("redeploying", "2026-11-30T09:55:00+00:00", False),  # two clocks
        ("redeploying", "2026-11-30T08:00:00+00:00", True),
        ("redeploying", "", False),  # RDS tells it of none that is still being made
        ("destroyed", "2026-11-30T08:00:00+00:00", False),
    ],
)
def test_a_redeploy_takes_in_what_it_made_and_nothing_older(state, made_at, wrong):
    record = {"state": state, "began_at": "2026-11-30T10:00:00Z"}
    said = redeploy_run.older_than_the_redeploy(record, DATABASE, "a-db", made_at)
    assert bool(said) is wrong and (not wrong or "Delete it, and run redeploy.yml again" in said)
    assert taken_in.needs_password({"resource_changes": []}, {}) is False
