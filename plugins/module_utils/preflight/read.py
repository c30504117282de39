# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gathers what a preflight judges: some forty calls, side by side as far as one does not need another's answer.

A fact that could not be read is {"unread": why}; one that does not exist is None. Only what would make every further call fail is raised.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, is_fatal
from ansible_collections.atena.aws.plugins.module_utils.core.look import Look
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.ecs import references as task_references
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_task_definition
from ansible_collections.atena.aws.plugins.module_utils.ecs.revision import is_template
from ansible_collections.atena.aws.plugins.module_utils.environment import sources, unfinished
from ansible_collections.atena.aws.plugins.module_utils.environment.read import describe_database, describe_redis
from ansible_collections.atena.aws.plugins.module_utils.images import read as image_read
from ansible_collections.atena.aws.plugins.module_utils.preflight import access as preflight_access, roles as preflight_roles
from ansible_collections.atena.aws.plugins.module_utils.preflight.findings import unread

_THREADS = 16
# Of the option `checks`: neither images, roles, log groups, load balancer nor network.
STATE = "state"
# Limits of the API references.
_SERVICES_A_CALL = 10
_PARAMETERS_A_CALL = 10
_DESCRIBED_PARAMETERS_A_CALL = 50
# The order in which their clients are made, one at a time, while the first answers are on their way.
_CLIENTS = ("ec2", "elbv2", "iam", "ssm", "ecr", "logs")


def _chunks(items: list[str], size: int) -> list[list[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _listed_together(groups: list[str], name: str) -> list[list[str]]:
    """Log groups that are found by one list: those with the environment's name after the same beginning. Others may share theirs with thousands."""
    own: dict[str, list[str]] = {}
    for group in sorted(groups):
        begins, found, _rest = group.partition(name)
        own.setdefault(begins if found else group, []).append(group)
    return list(own.values())


class _Reading:
    """One gathering. Its tasks start further tasks and never wait for one another, so that they cannot wait for ever."""

    def __init__(self, call: Aws, request: dict, pool: concurrent.futures.Executor) -> None:
        self.call, self.request, self._pool = call, request, pool
        self._started: list[concurrent.futures.Future[object]] = []
        self._lock = threading.Lock()
        self._policies: dict[str, Any] = {}
        self.facts: dict[str, Any] = {
            "scope": None,
            "services": {service["name"]: None for service in request["services"]},
            **{key: {} for key in ("templates", "running", "definitions", "service_images", "images", "parameters", "roles", "log_groups")},
            **{key: {} for key in ("target_groups", "attributes", "balancers", "network")},
            "access": [],
        }

    def start(self, function: Callable[..., object], *arguments: object) -> concurrent.futures.Future[object]:
        future = self._pool.submit(function, *arguments)
        self._started.append(future)
        return future

    def finish(self) -> None:
        for future in self._started:  # it grows meanwhile: a task starts others before it ends
            future.result()

    def read(self, store: dict[str, Any], key: str, function: Callable[..., object], *arguments: object) -> None:
        try:
            store[key] = function(self.call, *arguments)
        except CallFailed as failed:
            if is_fatal(failed):
                raise
            store[key] = {"unread": str(failed)}

    def run(self) -> dict:
        facts, request = self.facts, self.request
        first = [self.start(self.services, names) for names in _chunks(list(facts["services"]), _SERVICES_A_CALL)]
        for service in request["services"]:
            wanted = service.get("task_definition") or service.get("template") or resource_names.template(service["name"])
            first.append(self.start(self.read, facts["templates"], service["name"], describe_task_definition, wanted, True))
        self.environment()
        for name in _CLIENTS if request.get("checks") != STATE else ():
            self.start(self.call.client, name)
        for future in first:
            future.result()
        found = {name: service["taskDefinition"] for name, service in facts["services"].items() if service and not unread(service)}
        for future in [self.start(self.read, facts["running"], name, describe_task_definition, arn, True) for name, arn in found.items()]:
            future.result()
        self.choose()
        self.references()
        self.finish()
        return facts

    def environment(self) -> None:
        """What does not depend on the services."""
        request = self.request
        for key, reader, *arguments in (
            ("gates", sources.gates, request.get("gates_bucket"), request.get("gates_key")),
            ("journal", sources.journal, request.get("journal_key") and request.get("gates_bucket"), request.get("journal_key")),
            ("destroyed", sources.destroyed, request.get("destroy_record_key") and request.get("gates_bucket"), request.get("destroy_record_key")),
            ("unfinished", unfinished.read, request.get("records"), request["name"]),
            ("lock", sources.lock, request.get("lock_table"), request["name"], request.get("own_token") or ""),
            ("database", describe_database, request.get("database_id")),
            ("redis", describe_redis, request.get("redis_id")),
        ):
            if arguments[0]:
                self.start(self.read, self.facts, key, reader, *arguments)

    def services(self, names: list[str]) -> None:
        cluster, facts = self.request["cluster"], self.facts
        answer: dict[str, Any] = {}
        arguments = {"cluster": cluster, "services": names}
        self.read(answer, "is", lambda call: call("ecs", "describe_services", f"read the services of {cluster}", **arguments))
        if unread(answer["is"]):
            facts["services"].update(dict.fromkeys(names, answer["is"]))
            return
        found = {service["serviceName"]: service for service in answer["is"]["services"] if service["status"] == "ACTIVE"}
        facts["services"].update(found)
        if self.request.get("checks") == STATE:
            return
        subnets = {subnet for service in found.values() for subnet in sources.vpc_configuration(service).get("subnets", [])}
        if subnets:
            self.start(self.network, sorted(subnets))
        groups = {item["targetGroupArn"] for service in found.values() for item in service.get("loadBalancers", []) if item.get("targetGroupArn")}
        if groups:
            self.start(self.target_groups, sorted(groups))
        for arn in groups:
            self.start(self.read, facts["attributes"], arn, sources.attributes, arn)

    def choose(self) -> None:
        """For each service the definition that its next release is made of, and the images that it will run."""
        facts = self.facts
        for service in self.request["services"]:
            name, images = service["name"], service.get("images") or {}
            template, running = (None if unread(facts[kind].get(name)) else facts[kind].get(name) for kind in ("templates", "running"))
            definition = template or running
            if definition:
                if not images and not service.get("task_definition") and running and not is_template(running):
                    images = task_references.images_of(running)
                facts["definitions"][name] = definition
                facts["service_images"][name] = task_references.images_of(definition, images)
                facts["scope"] = facts["scope"] or preflight_access.arn_scope(definition["taskDefinitionArn"])

    def references(self) -> None:
        """What the chosen definitions name."""
        facts, scope = self.facts, self.facts["scope"]
        names: dict[str | None, str] = {}
        groups: dict[str, str] = {}
        roles: dict[str, str] = {}
        needs: dict[str, list[dict[str, Any]]] = {}
        for service, definition in facts["definitions"].items():
            images = facts["service_images"][service]
            names.update((task_references.parameter_name(reference, scope["region"]), service) for reference in task_references.secrets_of(definition))
            if self.request.get("checks") == STATE:
                continue
            facts["images"].update(dict.fromkeys(images.values()))
            groups.update(task_references.log_groups_of(definition, scope["region"]))
            roles.update((definition[key], service) for key in ("executionRoleArn", "taskRoleArn") if definition.get(key))
            if definition.get("executionRoleArn"):
                needs.setdefault(definition["executionRoleArn"], []).extend(preflight_access.needs_of(definition, images, scope))
        for arn, wanted in needs.items():
            facts["access"].append({"role": arn, "needs": preflight_access.merged(wanted)})
            for need in facts["access"][-1]["needs"]:
                self.start(self.access, arn, need)
        for reference in facts["images"]:
            self.start(self.read, facts["images"], reference, image_read.image, reference, scope["region"])
        for arn in roles:
            self.start(self.read, facts["roles"], arn, preflight_roles.role, arn)
        known = sorted(name for name in names if name)
        for some in _chunks(known, _PARAMETERS_A_CALL):
            self.start(self.parameters, some)
        for some in _chunks(sorted({name.split(":", 1)[0] for name in known}), _DESCRIBED_PARAMETERS_A_CALL) if needs else ():
            self.start(self.decryption, some)
        for some in _listed_together([group for group, region in groups.items() if region == scope["region"]], self.request["name"]):
            self.start(self.log_groups, some)

    def log_groups(self, names: list[str]) -> None:
        answer: dict[str, Any] = {}
        self.read(answer, "there", sources.log_groups, names)
        there = answer["there"]
        self.facts["log_groups"].update(dict.fromkeys(names, there) if unread(there) else there)

    def parameters(self, names: list[str]) -> None:
        self.facts["parameters"].update(sources.parameters(self.call, names, self.request.get("placeholder") or "CHANGE_ME"))

    def decryption(self, names: list[str]) -> None:
        """Adds the need to decrypt parameters that have a key of their own to each role that reads them."""
        answer: dict[str, Any] = {}
        scope = self.facts["scope"]
        self.read(answer, "keys", preflight_roles.keys, names)
        for entry in self.facts["access"]:
            resources = {resource for need in list(entry["needs"]) if need["purpose"] == "secrets" for resource in need["resources"]}
            if unread(answer["keys"]):
                mine = [{**preflight_access.decryption(names[0], "*", scope), **answer["keys"]}] if resources else []
            else:
                owned = {name: key for name, key in answer["keys"].items() if preflight_access.parameter_arn(name, scope) in resources}
                mine = [preflight_access.decryption(name, key, scope) for name, key in owned.items()]
            entry["needs"].extend(mine)
            for need in mine:
                if "unread" not in need:
                    self.start(self.access, entry["role"], need)

    def access(self, arn: str, need: dict) -> None:
        """IAM's own simulation; where the caller may not use it or it leaves something out, the policies themselves."""
        answer: dict[str, Any] = {}
        self.read(answer, "simulated", preflight_roles.simulation, arn, need)
        if answer["simulated"] and not unread(answer["simulated"]):
            need["decisions"] = answer["simulated"]
            return
        with self._lock:  # the first who needs them reads them
            if arn not in self._policies:
                self.read(self._policies, arn, preflight_roles.policies, arn)
        found = self._policies[arn]
        if unread(found):
            need["unread"] = f"{unread(answer['simulated']) or ''} {found['unread']}".strip()
        else:
            need["decisions"] = preflight_access.from_policies(found, need)

    def target_groups(self, arns: list[str]) -> None:
        """One after the other: they share a load balancer, which is read once, for all of them."""
        facts = self.facts
        users: dict[str, list[str]] = {}
        for arn in arns:
            self.read(facts["target_groups"], arn, sources.target_group, arn)
            for balancer in (facts["target_groups"][arn] or {}).get("LoadBalancerArns", []):
                users.setdefault(balancer, []).append(arn)
        for balancer, groups in users.items():
            self.start(self.read, facts["balancers"], balancer, sources.balancer, balancer, groups)

    def network(self, identifiers: list[str]) -> None:
        store = self.facts["network"]
        answer: dict[str, Any] = {}
        self.read(answer, "subnets", sources.subnets, identifiers)
        if unread(answer["subnets"]):
            store["subnets"] = answer["subnets"]
            return
        vpcs = sorted({subnet["VpcId"] for subnet in answer["subnets"]})
        for part in sources.NETWORK:
            self.start(self.read, store, part, sources.of_vpcs, part, vpcs)


def gather(call: Aws, request: dict) -> dict[str, Any]:
    """All facts of one preflight. What several checks ask for is read once; call: a Look, where what it has read already is to count."""
    call = call if isinstance(call, Look) else Look(call)
    call.client("ecs")  # a profile or region that cannot be used fails here, once, and not in each thread
    with concurrent.futures.ThreadPoolExecutor(max_workers=_THREADS) as pool:
        try:
            return _Reading(call, request, pool).run()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
