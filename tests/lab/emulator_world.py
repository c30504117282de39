"""A small environment of its own in the running lab, for the emulator's tests: network, load balancer, cluster, registry."""

from __future__ import annotations

import base64
import functools
import json
import os
import subprocess
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

BASE_IMAGE = "atena-lab/node:24-bookworm-slim"
FINAL = ("STOPPED",)


def until(ask: Callable[[], Any], seconds: float = 30, every: float = 0.1) -> Any:
    """The first true answer; the last one in the error if none came in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"nothing came within {seconds} s; the last answer was {answer!r}"
        time.sleep(every)


# Logins of these tests stay out of the user's own Docker configuration.
_DOCKER_CONFIG = tempfile.TemporaryDirectory(prefix="atena-docker-")


def docker(*arguments: str, stdin: str | None = None) -> str:
    environment = {**os.environ, "DOCKER_CONFIG": _DOCKER_CONFIG.name}
    result = subprocess.run(["docker", *arguments], capture_output=True, text=True, input=stdin, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def foreign_image(name: str, machine: str) -> str:
    """Make a local image that is for this CPU, without a program: on another CPU nobody gets as far as missing it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text('FROM scratch\nCOPY Dockerfile /program\nCMD ["/program"]\n')
        docker("build", "--quiet", "--platform", f"linux/{machine}", "--tag", name, folder)
    return name


class World:
    def __init__(self, endpoint: str) -> None:
        self.name = f"emu-{uuid.uuid4().hex[:8]}"
        self.registry = endpoint.partition("//")[2]
        self.endpoint = endpoint
        self.clients: dict[str, Any] = {}
        self.account = self.client("sts").get_caller_identity()["Account"]
        ec2 = self.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        self.network = {"awsvpcConfiguration": {"subnets": [self.subnet], "assignPublicIp": "DISABLED"}}
        self.client("logs").create_log_group(logGroupName=f"/ecs/{self.name}")
        self.client("ecs").create_cluster(clusterName=self.name)
        self.repository = self.client("ecr").create_repository(repositoryName=self.name)["repository"]["repositoryUri"]
        self.login()
        self.digest = self.push(BASE_IMAGE, "base")
        self.image = f"{self.repository}@{self.digest}"
        self.groups: list[str] = []
        self.balancer = self.client("elbv2").create_load_balancer(Name=self.name, Subnets=[self.subnet])["LoadBalancers"][0]["LoadBalancerArn"]

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = boto3.client(service, endpoint_url=self.endpoint)
        return self.clients[service]

    def login(self) -> None:
        token = self.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode().partition(":")
        docker("login", "--username", user, "--password-stdin", self.registry, stdin=password)

    def push(self, image: str, tag: str) -> str:
        """Push a local image and return the digest that docker printed."""
        name = f"{self.registry}/{self.name}:{tag}"
        docker("tag", image, name)
        output = docker("push", name)
        docker("rmi", name)
        return next(word for word in output.split() if word.startswith("sha256:") and len(word) == 71)

    @property
    def machines(self) -> tuple[str, str]:
        """Docker's names of the engine's CPU and of another one."""
        own = docker("version", "--format", "{{.Server.Arch}}").strip()
        return own, "amd64" if own == "arm64" else "arm64"

    @functools.cached_property
    def foreign(self) -> str:
        """Digest of an image for another CPU than this machine's."""
        name = foreign_image(f"{self.name}:foreign", self.machines[1])
        digest = self.push(name, "foreign")
        docker("rmi", name)
        return digest

    def index(self, tag: str, images: dict[str, str]) -> str:
        """Put an image of several CPUs {CPU: digest} into the registry, and return its digest."""
        ecr = self.client("ecr")
        kind = "application/vnd.docker.distribution.manifest"
        entries = []
        for machine, digest in images.items():
            manifest = ecr.batch_get_image(repositoryName=self.name, imageIds=[{"imageDigest": digest}])["images"][0]["imageManifest"]
            platform = {"architecture": machine, "os": "linux"}
            entries.append({"mediaType": f"{kind}.v2+json", "size": len(manifest.encode()), "digest": digest, "platform": platform})
        content = json.dumps({"schemaVersion": 2, "mediaType": f"{kind}.list.v2+json", "manifests": entries})
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        request = urllib.request.Request(f"{self.endpoint}/v2/{self.name}/manifests/{tag}", data=content.encode(), method="PUT")
        request.add_header("Authorization", f"Basic {token}")
        request.add_header("Content-Type", f"{kind}.list.v2+json")
        with urllib.request.urlopen(request) as answer:
            return answer.headers["Docker-Content-Digest"]

    def define(
        self, command: list[str], *, family: str = "task", image: str | None = None, memory: str = "512", executionRoleArn: str = "", **container: Any
    ) -> str:
        """Register a task definition that runs a Python program."""
        definition = {
            "name": "main",
            "image": image or self.image,
            "essential": True,
            "command": command,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": f"/ecs/{self.name}", "awslogs-region": "us-east-1", "awslogs-stream-prefix": family},
            },
            **container,
        }
        answer = self.client("ecs").register_task_definition(
            family=f"{self.name}-{family}", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory=memory,
            containerDefinitions=[definition], **({"executionRoleArn": executionRoleArn} if executionRoleArn else {}),
        )  # fmt: skip
        return answer["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition: str, **options: Any) -> str:
        request = {"cluster": self.name, "taskDefinition": definition, "launchType": "FARGATE", "networkConfiguration": self.network, **options}
        answer = self.client("ecs").run_task(**request)
        assert not answer["failures"]
        return answer["tasks"][0]["taskArn"]

    def task(self, arn: str) -> dict[str, Any]:
        return self.client("ecs").describe_tasks(cluster=self.name, tasks=[arn])["tasks"][0]

    def reach(self, arn: str, status: str, seconds: float = 30) -> dict[str, Any]:
        def ask() -> dict[str, Any] | None:
            task = self.task(arn)
            assert task["lastStatus"] == status or task["lastStatus"] not in FINAL, task
            return task if task["lastStatus"] == status else None

        return until(ask, seconds)

    def ended(self, command: list[str], **options: Any) -> dict[str, Any]:
        return self.reach(self.run(self.define(command, **options)), "STOPPED")

    def lines(self, task: dict[str, Any], family: str = "task") -> list[str]:
        stream = f"{family}/main/{task['taskArn'].rpartition('/')[2]}"
        events = self.client("logs").get_log_events(logGroupName=f"/ecs/{self.name}", logStreamName=stream, startFromHead=True)["events"]
        return [event["message"] for event in events]

    def target_group(self, *, listener: bool = True, delay: int = 5, interval: int = 5, **settings: Any) -> str:
        elbv2 = self.client("elbv2")
        arn = elbv2.create_target_group(
            Name=f"{self.name}-{len(self.groups)}", Protocol="HTTP", Port=3000, VpcId=self.vpc, TargetType="ip", HealthCheckPath="/health",
            HealthCheckIntervalSeconds=interval, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, UnhealthyThresholdCount=2, **settings,
        )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
        elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}])
        self.groups.append(arn)
        if listener:
            self.listen(arn)
        return arn

    def listen(self, group: str) -> int:
        listeners = self.client("elbv2").describe_listeners(LoadBalancerArn=self.balancer)["Listeners"]
        port = max((listener["Port"] for listener in listeners), default=7999) + 1
        self.client("elbv2").create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTP", Port=port, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}]
        )
        return port

    def health(self, group: str) -> list[dict[str, Any]]:
        return self.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]

    def service(self, name: str, definition: str, count: int, group: str | None = None, **deployment: Any) -> str:
        options = {"loadBalancers": [{"targetGroupArn": group, "containerName": "main", "containerPort": 3000}]} if group else {}
        self.client("ecs").create_service(
            cluster=self.name, serviceName=name, taskDefinition=definition, desiredCount=count, launchType="FARGATE", networkConfiguration=self.network,
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}, **deployment}, **options,
        )  # fmt: skip
        return name

    def describe(self, service: str) -> dict[str, Any]:
        return self.client("ecs").describe_services(cluster=self.name, services=[service])["services"][0]

    def primary(self, service: str) -> dict[str, Any]:
        return next(deployment for deployment in self.describe(service)["deployments"] if deployment["status"] == "PRIMARY")

    def stable(self, service: str, seconds: float = 120) -> dict[str, Any]:
        return until(lambda: len((now := self.describe(service))["deployments"]) == 1 and self.primary(service)["rolloutState"] == "COMPLETED" and now, seconds)

    def update(self, service: str, definition: str | None = None, **options: Any) -> None:
        if definition:
            options["taskDefinition"] = definition
        self.client("ecs").update_service(cluster=self.name, service=service, **options)

    def database(self) -> dict[str, Any]:
        """The database instance of this environment, when it is available."""

        def ask() -> dict[str, Any] | None:
            instance = self.client("rds").describe_db_instances(DBInstanceIdentifier=self.name)["DBInstances"][0]
            return instance if instance["DBInstanceStatus"] == "available" else None

        return until(ask, 60)

    def cache(self, name: str = "", **options: Any) -> str:
        """Make a cache cluster of one node; its name, at once."""
        name = name or self.name
        request = {"Engine": "redis", "EngineVersion": "7.1", "CacheNodeType": "cache.t4g.micro", "NumCacheNodes": 1, **options}
        self.client("elasticache").create_cache_cluster(CacheClusterId=name, **request)
        return name

    def cache_is(self, name: str = "", status: str = "available", seconds: float = 60) -> dict[str, Any]:
        """The cache when it is in this state, with its `Endpoint`."""

        def ask() -> dict[str, Any] | None:
            found = self.client("elasticache").describe_cache_clusters(CacheClusterId=name or self.name, ShowCacheNodeInfo=True)["CacheClusters"][0]
            return found if found["CacheClusterStatus"] == status else None

        found = until(ask, seconds)
        return {**found, "Endpoint": found["CacheNodes"][0]["Endpoint"] if found["CacheNodes"] else None}

    def drop_cache(self, name: str = "", **options: Any) -> None:
        """Delete a cache and wait until it is gone; one that is not there is gone."""
        elasticache, name = self.client("elasticache"), name or self.name
        try:
            elasticache.delete_cache_cluster(CacheClusterId=name, **options)
        except elasticache.exceptions.CacheClusterNotFoundFault:
            return
        until(lambda: not [one for one in elasticache.describe_cache_clusters()["CacheClusters"] if one["CacheClusterId"] == name], 60)

    def close(self) -> None:
        ecs, elbv2 = self.client("ecs"), self.client("elbv2")
        for arn in ecs.list_services(cluster=self.name)["serviceArns"]:
            ecs.delete_service(cluster=self.name, service=arn, force=True)
        for arn in ecs.list_tasks(cluster=self.name)["taskArns"]:
            ecs.stop_task(cluster=self.name, task=arn)
        for listener in elbv2.describe_listeners(LoadBalancerArn=self.balancer)["Listeners"]:
            elbv2.delete_listener(ListenerArn=listener["ListenerArn"])
        elbv2.delete_load_balancer(LoadBalancerArn=self.balancer)
        for arn in self.groups:
            elbv2.delete_target_group(TargetGroupArn=arn)
        self.client("ecr").delete_repository(repositoryName=self.name, force=True)
        self.client("logs").delete_log_group(logGroupName=f"/ecs/{self.name}")
        self.client("ec2").delete_subnet(SubnetId=self.subnet)
        self.client("ec2").delete_vpc(VpcId=self.vpc)


# A target of the load balancer: /health as asked for, / after a while, one log line for each request.
SERVER = """
const [status, wait, answer] = process.argv.slice(1);
const server = require("node:http").createServer((request, response) => {
  const health = request.url === "/health";
  setTimeout(() => response.writeHead(health ? Number(status) : 200, { Connection: "close" }).end(answer), health ? 0 : wait * 1000);
});
process.on("SIGTERM", () => server.close(() => console.log("done")));
server.listen(3000, () => console.log("serving"));
"""


def server(answer: str, *, health: int = 200, wait: float = 0) -> list[str]:
    return ["node", "-e", SERVER, str(health), str(wait), answer]
