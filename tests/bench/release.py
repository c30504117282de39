"""A release of images that are in ECR already: this collection, the floor, and AWS's command line with its waiters - round by round in one run.

Each contender releases alternately the one and the other of two commits, so that both services really change each time:

- floor: the same API calls made by one Python process that polls every 50 ms: migrate, update both services, stable and healthy
- deploy.yml: everything, health check included
- AWS CLI: run-task, wait tasks-stopped, and for each service update-service and wait services-stable, then the health check
- community.aws: community_aws.yml beside this file
- nothing: a playbook that asks AWS who one is and ends; what Ansible takes before any of the work is done
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3

CHECKOUT = Path(__file__).resolve().parents[2]
APP = Path(os.environ["ATENA_LAB_DIR"]) / "app"
CLUSTER, SERVICES = "atena-prod-cluster", ("atena-prod-api", "atena-prod-workers")
HEALTH = f"{os.environ['AWS_ENDPOINT_URL']}/_alb/atena-prod-alb/health"
MIGRATION = ["node", "packages/database/dist/migrate.js"]


def run(*command, directory=CHECKOUT):
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def git(*arguments):
    return run("git", "-C", str(APP), "-c", "user.name=Bench", "-c", "user.email=bench@example.com", *arguments).strip()


def deploy(*arguments):
    run("ansible-playbook", "-i", "inventories/lab", "playbooks/deploy.yml", *arguments)


def by_playbook(release):
    deploy("-e", f"release={release['commit']}")


def by_community_modules(release):
    variables = {"cluster": CLUSTER, "revisions": {name: release[name] for name in SERVICES}, "migration": MIGRATION, "health": HEALTH}
    run("ansible-playbook", "-i", "localhost,", "tests/bench/community_aws.yml", "-e", json.dumps(variables))


def by_nothing(release):
    run("ansible-playbook", "-i", "localhost,", "tests/bench/nothing.yml")


def by_floor(release):
    ecs, elbv2 = boto3.client("ecs"), boto3.client("elbv2")
    described = {service["serviceName"]: service for service in ecs.describe_services(cluster=CLUSTER, services=SERVICES)["services"]}
    overrides = {"containerOverrides": [{"name": "api", "command": MIGRATION}]}
    network = described[SERVICES[0]]["networkConfiguration"]
    task = ecs.run_task(cluster=CLUSTER, taskDefinition=release[SERVICES[0]], launchType="FARGATE", overrides=overrides, networkConfiguration=network)
    arn = task["tasks"][0]["taskArn"]
    while (state := ecs.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"][0])["lastStatus"] != "STOPPED":
        time.sleep(0.05)
    assert state["containers"][0]["exitCode"] == 0
    ids = {}
    for name in SERVICES:
        updated = ecs.update_service(cluster=CLUSTER, service=name, taskDefinition=release[name])["service"]
        ids[name] = next(deployment["id"] for deployment in updated["deployments"] if deployment["status"] == "PRIMARY")
    group = described[SERVICES[0]]["loadBalancers"][0]["targetGroupArn"]
    while True:
        services = ecs.describe_services(cluster=CLUSTER, services=SERVICES)["services"]
        mine = [deployment for service in services for deployment in service["deployments"] if deployment["id"] in ids.values()]
        stable = all(deployment["rolloutState"] == "COMPLETED" for deployment in mine) and all(
            service["runningCount"] == service["desiredCount"] and service["pendingCount"] == 0 for service in services
        )
        if stable and any(t["TargetHealth"]["State"] == "healthy" for t in elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]):
            break
        time.sleep(0.05)
    urllib.request.urlopen(HEALTH, timeout=10).read()


def by_command_line(release):
    aws = (os.environ["ATENA_BENCH_AWS"], "--endpoint-url", os.environ["AWS_ENDPOINT_URL"], "ecs")
    network = json.loads(run(*aws, "describe-services", "--cluster", CLUSTER, "--services", SERVICES[0]))["services"][0]["networkConfiguration"]
    overrides = json.dumps({"containerOverrides": [{"name": "api", "command": MIGRATION}]})
    options = ("--launch-type", "FARGATE", "--network-configuration", json.dumps(network), "--overrides", overrides)
    task = json.loads(run(*aws, "run-task", "--cluster", CLUSTER, "--task-definition", release[SERVICES[0]], *options))["tasks"][0]["taskArn"]
    run(*aws, "wait", "tasks-stopped", "--cluster", CLUSTER, "--tasks", task)
    for name in SERVICES:
        run(*aws, "update-service", "--cluster", CLUSTER, "--service", name, "--task-definition", release[name])
        run(*aws, "wait", "services-stable", "--cluster", CLUSTER, "--services", name)
    urllib.request.urlopen(HEALTH, timeout=10).read()


CONTENDERS = {
    "floor": by_floor,
    "deploy.yml": by_playbook,
    "community.aws, migration not waited for": by_community_modules,
    "AWS CLI with waiters": by_command_line,
    "a playbook that does nothing": by_nothing,
}
# Those that leave the other release behind them: each release has to be one that does not run.
RELEASING = [name for name in CONTENDERS if name != "a playbook that does nothing"]


def prepare():
    """The environment, and two releases of it whose images are in ECR."""
    run("ansible-playbook", "-i", "inventories/lab", "playbooks/site.yml")
    releases = []
    for word in ("one", "two"):
        (APP / "packages" / "api" / "BENCH.md").write_text(f"{word}\n")
        git("add", "--all")
        git("commit", "--quiet", "-m", f"Bench {word}")
        deploy()
        services = boto3.client("ecs").describe_services(cluster=CLUSTER, services=SERVICES)["services"]
        releases.append({"commit": git("rev-parse", "HEAD"), **{service["serviceName"]: service["taskDefinition"] for service in services}})
    return releases


def settle():
    """What the last contender left is over: nothing of it is to slow the next."""
    ecs = boto3.client("ecs")
    while any(len(service["deployments"]) > 1 for service in ecs.describe_services(cluster=CLUSTER, services=SERVICES)["services"]):
        time.sleep(0.2)
    while any(task["lastStatus"] not in ("RUNNING", "STOPPED") for task in tasks(ecs)):
        time.sleep(0.2)
    time.sleep(2)


def tasks(ecs):
    arns = [arn for status in ("RUNNING", "STOPPED") for arn in ecs.list_tasks(cluster=CLUSTER, desiredStatus=status)["taskArns"][:100]]
    return ecs.describe_tasks(cluster=CLUSTER, tasks=arns[:100])["tasks"] if arns else []


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    releases, times, turn = prepare(), {name: [] for name in CONTENDERS}, 0
    for _ in range(rounds):
        for name, contender in CONTENDERS.items():
            settle()
            begin = time.monotonic()
            contender(releases[turn % 2])
            times[name].append(time.monotonic() - begin)
            turn += name in RELEASING
            print(f"{name}: {times[name][-1]:.1f} s", file=sys.stderr, flush=True)
    floor = statistics.median(times["floor"])
    print(f"\nA release of images that are there, one API and one workers service, {rounds} rounds; seconds\n")
    print("| what | median | least | most | to the floor | beyond the floor |\n| --- | --- | --- | --- | --- | --- |")
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"| {name} | {middle:.1f} | {min(seconds):.1f} | {max(seconds):.1f} | × {middle / floor:.1f} | {middle - floor:+.1f} s |")


if __name__ == "__main__":
    main()
