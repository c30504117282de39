# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Terraform does to a thing that it creates, and would not do to one that it takes in: it sets a database's password, writes the address into DATABASE_URL
and REDIS_URL, and closes a security group to the outside. It is done here, before the apply that takes the thing in: a run that dies in between does it again.

A password is never told, nor is a URL.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.core.connection_url import ConnectionUrl
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Say
from ansible_collections.atena.aws.plugins.module_utils.environment.read import describe_database, describe_redis, redis_endpoint
from ansible_collections.atena.aws.plugins.module_utils.secrets import address as address_secret, store as parameter_store
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl
from ansible_collections.atena.aws.plugins.module_utils.secrets.redis_url import RedisUrl

DATABASE, REDIS = "aws_db_instance.main", "aws_elasticache_cluster.main[0]"
DATABASE_URL, REDIS_URL, PASSWORD = "aws_ssm_parameter.database_url", "aws_ssm_parameter.redis_url", "random_password.database"
_PATIENCE, _LOOK_EVERY = 1800, 5
# Everything may leave: what AWS gives to each new security group.
_OPEN = ("0.0.0.0/0", "::/0")


# --- Decisions --------------------------------------------------------------------------------------------------------
def resource_of(plan: dict[str, Any], address: str) -> dict[str, Any]:
    """The plan's entry of this address; {} if it has none."""
    return next((one for one in plan.get("resource_changes", []) if one["address"] == address), {})


def creates(plan: dict[str, Any], address: str) -> bool:
    return "create" in resource_of(plan, address).get("change", {}).get("actions", [])


def planned(plan: dict[str, Any], address: str, attribute: str) -> str:
    return ((resource_of(plan, address).get("change") or {}).get("after") or {}).get(attribute) or ""


def password_in_state(plan: dict[str, Any]) -> str:
    """What Terraform drew for the database; '' if that is in no state."""
    resources = plan.get("prior_state", {}).get("values", {}).get("root_module", {}).get("resources", [])
    return next((one["values"].get("result") or "" for one in resources if one["address"] == PASSWORD), "")


def needs_password(plan: dict[str, Any], imports: dict[str, str]) -> bool:
    """Whether a database that is there gets to be the one of a DATABASE_URL that does not come from it: it is taken in, or its DATABASE_URL is made anew."""
    return DATABASE in imports or (bool(resource_of(plan, DATABASE)) and creates(plan, DATABASE_URL) and not creates(plan, DATABASE))


def open_rules(rules: list[dict[str, Any]]) -> list[str]:
    """Ids of the rules that let everything leave: infra/ has none that does."""
    return [rule["SecurityGroupRuleId"] for rule in rules if rule.get("IsEgress") and rule.get("IpProtocol") == "-1" and _leads_anywhere(rule)]


def _leads_anywhere(rule: dict[str, Any]) -> bool:
    return rule.get("CidrIpv4") in _OPEN or rule.get("CidrIpv6") in _OPEN


# --- Doing it ---------------------------------------------------------------------------------------------------------
class Settling:
    """`settle` of terraform.run.plan_and_apply."""

    def __init__(self, call: Aws, *, say: Say = lambda text: None, guard: Callable[[], None] = lambda: None) -> None:
        self.call, self.say, self.guard = call, say, guard
        self.moved: list[str] = []

    def __call__(self, plan: dict[str, Any], imports: dict[str, str]) -> None:
        for address, identity in imports.items():
            if address.startswith("aws_security_group."):
                self._close(identity)
        if DATABASE_URL in imports and creates(plan, DATABASE):
            raise CallFailed(
                f"{imports[DATABASE_URL]} is there, of a database that is gone: the one that Terraform would make now has another password. Nothing was "
                f"changed. Delete the parameter {imports[DATABASE_URL]}, then run this again: Terraform writes it again."
            )
        if needs_password(plan, imports):
            self._database(plan)
        if REDIS in imports and not creates(plan, REDIS_URL):
            self._redis(plan)

    def warnings(self) -> list[str]:
        moved = " and ".join(self.moved)
        return [f"{moved} changed: tasks that run have the former one. restart.yml gives them the new one."] if moved else []

    def _close(self, group: str) -> None:
        filters = [{"Name": "group-id", "Values": [group]}]
        rules = self.call.pages("ec2", "describe_security_group_rules", f"read the rules of {group}", "SecurityGroupRules", Filters=filters)
        found = open_rules(rules)
        if found:
            self.call("ec2", "revoke_security_group_egress", f"close {group} to the outside", GroupId=group, SecurityGroupRuleIds=found)

    def _value(self, name: str) -> str:
        """A secret's value; '' if it is not there."""
        try:
            return address_secret.read(self.call, name)
        except NotFound:
            return ""

    def _moved(self, name: str, kind: type[ConnectionUrl], endpoint: dict[str, Any]) -> str:
        """A URL brought to the address that is there; what it is now."""
        there, wanted = address_secret.read_and_move(self.call, name, kind, (endpoint["Address"], endpoint["Port"]), "infra.yml")
        if wanted != there:
            parameter_store.rewrite(self.call, name, wanted)
            self.moved.append(name.rsplit("/", 1)[-1])
        return wanted

    def _redis(self, plan: dict[str, Any]) -> None:
        name, found = planned(plan, REDIS_URL, "name"), describe_redis(self.call, planned(plan, REDIS, "cluster_id"))
        endpoint = redis_endpoint(found or {})
        if name and endpoint and self._value(name):
            self._moved(name, RedisUrl, endpoint)

    def _database(self, plan: dict[str, Any]) -> None:
        """DATABASE_URL gets the address, and the database the password that DATABASE_URL has, or is going to have."""
        identifier, name = planned(plan, DATABASE, "identifier"), planned(plan, DATABASE_URL, "name")
        found = describe_database(self.call, identifier)
        if found is None:
            raise CallFailed(f"The database {identifier} went away. Nothing was changed. Run this again.")
        password = password_in_state(plan)
        if not creates(plan, DATABASE_URL) and self._value(name):
            url = DatabaseUrl.parse(self._moved(name, DatabaseUrl, found["Endpoint"]))
            password = url.password if url.user == found["MasterUsername"] else ""
        elif not password:
            raise CallFailed(
                f"The password that {identifier} is to have is drawn in an apply of its own, which a plan that was kept in a file cannot have. Nothing was "
                "changed. Run infra.yml without infra_plan_file."
            )
        if password:
            self._set_password(identifier, password)

    def _set_password(self, identifier: str, password: str) -> None:
        self.guard()
        doing = f"set the password of the database {identifier}"
        self.call("rds", "modify_db_instance", doing, DBInstanceIdentifier=identifier, MasterUserPassword=password, ApplyImmediately=True)
        self.say(f"database: {identifier} gets the password that is in DATABASE_URL")
        deadline = Deadline(_PATIENCE)
        while self._changing(identifier):
            self.guard()
            if deadline.passed:
                raise CallFailed(f"The password of {identifier} is being set all the time. Check it in RDS, then run this again: it resumes.")
            time.sleep(pace(deadline.elapsed, _LOOK_EVERY))

    def _changing(self, identifier: str) -> bool:
        found = describe_database(self.call, identifier) or {}
        return found.get("DBInstanceStatus") != "available" or "MasterUserPassword" in (found.get("PendingModifiedValues") or {})
