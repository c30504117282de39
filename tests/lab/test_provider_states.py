"""Terraform waits for what takes its time in the lab, and leaves a stopped database alone."""

from __future__ import annotations

import os
import random
import re
import subprocess
import time
from pathlib import Path

import boto3
import pytest
from emulator_world import until
from faults import Faults

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not ENDPOINT, reason='no lab: start one with `lab/lab up` and `eval "$(lab/lab env)"`')]

HCL = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" { region = "us-east-1" }
variable "on" { type = bool }
variable "schedule" { type = string }
resource "aws_vpc" "v" { cidr_block = "10.7.0.0/16" }
resource "aws_subnet" "s" {
  vpc_id     = aws_vpc.v.id
  cidr_block = "10.7.1.0/24"
}
resource "aws_eip" "e" { domain = "vpc" }
resource "aws_nat_gateway" "n" {
  count         = var.on ? 1 : 0
  allocation_id = aws_eip.e.id
  subnet_id     = aws_subnet.s.id
}
resource "aws_lb" "b" {
  count   = var.on ? 1 : 0
  name    = "states"
  subnets = [aws_subnet.s.id]
}
resource "aws_elasticache_cluster" "c" {
  count           = var.on ? 1 : 0
  cluster_id      = "states"
  engine          = "redis"
  engine_version  = "7.1"
  node_type       = "cache.t4g.micro"
  num_cache_nodes = 1
}
resource "aws_db_instance" "d" {
  identifier          = "states"
  engine              = "postgres"
  engine_version      = "16"
  instance_class      = "db.t4g.micro"
  allocated_storage   = 20
  username            = "atena"
  password            = "a-password"
  skip_final_snapshot = true
}
resource "aws_iam_role" "r" {
  name               = "states"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [
    { Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "scheduler.amazonaws.com" } }] })
}
resource "aws_scheduler_schedule" "s" {
  name                = "states"
  schedule_expression = "rate(1 hour)"
  state               = var.schedule
  flexible_time_window { mode = "OFF" }
  target {
    arn      = "arn:aws:scheduler:::aws-sdk:rds:stopDBInstance"
    role_arn = aws_iam_role.r.arn
    input    = jsonencode({ DbInstanceIdentifier = aws_db_instance.d.identifier })
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 20
    }
  }
}
"""


class Terraform:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        account = f"{random.SystemRandom().randrange(10**11, 10**12)}"
        self.environment = {**os.environ, "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "x", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
        self.environment.pop("AWS_SESSION_TOKEN", None)
        self.rds = boto3.client("rds", region_name="us-east-1", endpoint_url=ENDPOINT, aws_access_key_id=account, aws_secret_access_key="x")
        (directory / "main.tf").write_text(HCL)
        self.run("init", "-no-color")
        self.on, self.schedule = True, "DISABLED"

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(["terraform", *arguments], cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=300)
        assert done.returncode in codes, f"terraform {' '.join(arguments)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    @property
    def variables(self) -> list[str]:
        return [f"-var=on={str(self.on).lower()}", f"-var=schedule={self.schedule}"]

    def apply(self) -> dict[str, float]:
        """{address: seconds} of what was created or destroyed, as Terraform tells."""
        output = self.run("apply", "-no-color", "-auto-approve", *self.variables)
        return {match[1]: float(match[2]) for match in re.finditer(r"^(\S+?)(?:\[0\])?: (?:Creation|Destruction) complete after (\d+)s", output, re.MULTILINE)}

    def plan(self) -> str:
        """Empty if nothing is to be changed."""
        output = self.run("plan", "-no-color", "-detailed-exitcode", *self.variables, codes=(0, 2))
        return "" if "No changes." in output else output

    def database(self, status: str) -> None:
        until(lambda: self.rds.describe_db_instances(DBInstanceIdentifier="states")["DBInstances"][0]["DBInstanceStatus"] == status, 60)


@pytest.fixture(scope="module")
def terraform(tmp_path_factory):
    terraform = Terraform(tmp_path_factory.mktemp("states"))
    terraform.on = False
    terraform.apply()
    yield terraform
    terraform.run("destroy", "-no-color", "-auto-approve", *terraform.variables)


def test_what_takes_its_time_is_waited_for_side_by_side(terraform):
    with Faults(ENDPOINT) as lab:
        lab.times(nat_create=3, load_balancer_create=4, cache_create=5, nat_delete=3, cache_delete=4)
        terraform.on = True
        began = time.monotonic()
        took = terraform.apply()
        assert took["aws_nat_gateway.n"] >= 3 and took["aws_lb.b"] >= 4 and took["aws_elasticache_cluster.c"] >= 5
        assert time.monotonic() - began < sum(took.values()) + 5
        assert terraform.plan() == ""
        terraform.on = False
        took = terraform.apply()
        assert took["aws_nat_gateway.n"] >= 3 and took["aws_elasticache_cluster.c"] >= 4
    assert terraform.plan() == ""


def test_a_stopped_database_is_left_alone(terraform):
    terraform.rds.stop_db_instance(DBInstanceIdentifier="states")
    terraform.database("stopped")
    assert terraform.plan() == ""
    terraform.schedule = "ENABLED"
    terraform.apply()
    assert terraform.plan() == ""
    terraform.rds.start_db_instance(DBInstanceIdentifier="states")
    terraform.database("available")
    assert terraform.plan() == ""


def test_a_schedule_can_be_imported_unchanged(terraform):
    terraform.run("state", "rm", "-no-color", "aws_scheduler_schedule.s")
    terraform.run("import", "-no-color", *terraform.variables, "aws_scheduler_schedule.s", "default/states")
    assert terraform.plan() == ""
