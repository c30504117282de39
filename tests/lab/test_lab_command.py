"""`lab/lab` itself: a second lab beside whatever runs, killed, mended and taken down."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from emulator_world import until

LAB = Path(__file__).resolve().parents[2] / "lab" / "lab"
sys.path.insert(0, str(LAB.parent))

from atena_lab import process  # noqa: E402 - found through the line above

pytestmark = [pytest.mark.lab, pytest.mark.skipif(not os.environ.get("AWS_ENDPOINT_URL"), reason="no lab, so perhaps no Docker engine either")]


class Second:
    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.prefix, self.directory = f"second-{os.getpid()}", directory
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ATENA_LAB_", "TF_"))}
        self.environment = {
            **kept, "ATENA_LAB_PREFIX": self.prefix, "ATENA_LAB_PORT": str(self.port), "ATENA_LAB_DIR": str(directory), "ATENA_LAB_OFFLINE_PROVIDER": "never",
        }  # fmt: skip

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(LAB), *arguments], capture_output=True, text=True, check=False, env={**self.environment, **environment})

    def ok(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def pid(self) -> int:
        return int((self.directory / "emulator.pid").read_text().split()[0])

    def client(self, service: str):
        return boto3.client(
            service, endpoint_url=f"http://localhost:{self.port}", region_name="us-east-1", aws_access_key_id="000000000042", aws_secret_access_key="lab"
        )

    def containers(self) -> list[str]:
        return self.owned("ps", "--all")

    def owned(self, *command: str) -> list[str]:
        full = ["docker", *command, "--quiet", "--filter", f"label=atena.lab={self.prefix}"]
        return subprocess.run(full, capture_output=True, text=True, check=True).stdout.split()

    def cache(self) -> None:
        self.client("elasticache").create_cache_cluster(CacheClusterId="c", Engine="redis", EngineVersion="7.1", CacheNodeType="t", NumCacheNodes=1)


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    lab = Second(tmp_path_factory.mktemp("second") / "lab")
    lab.ok("up")
    yield lab
    lab.run("down")


def test_up_again_changes_nothing(second):
    before = second.pid()
    second.ok("up")
    assert second.pid() == before


def test_status_tells_whether_it_is_up(second, tmp_path):
    assert str(second.pid()) in second.ok("status")
    assert second.run("status", ATENA_LAB_DIR=str(tmp_path / "none")).returncode == 3


def test_env_points_clients_at_it(second):
    exports = dict(line.removeprefix("export ").split("=", 1) for line in second.ok("env").splitlines())
    assert exports["AWS_ENDPOINT_URL"] == f"http://localhost:{second.port}"
    assert second.client("sts").get_caller_identity()["Account"] == exports["AWS_ACCESS_KEY_ID"]


def pong(address):
    """Whether Redis answers there; its container may have started a moment ago."""
    try:
        with socket.create_connection((address, 6379), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100) == b"+PONG\r\n"
    except OSError:
        return False


def test_resources_of_one_name_in_two_labs_are_two(second):
    first = boto3.client("elasticache")
    second.cache()
    first.create_cache_cluster(CacheClusterId="c", Engine="redis", EngineVersion="7.1", CacheNodeType="t", NumCacheNodes=1)

    def nodes(client) -> list[dict]:
        """None before it is available."""
        return client.describe_cache_clusters(CacheClusterId="c", ShowCacheNodeInfo=True)["CacheClusters"][0]["CacheNodes"]

    try:
        addresses = {until(lambda client=client: nodes(client))[0]["Endpoint"]["Address"] for client in (first, second.client("elasticache"))}
        assert len(addresses) == 2
        for address in addresses:
            until(lambda address=address: pong(address))
    finally:
        first.delete_cache_cluster(CacheClusterId="c")
    assert len(second.containers()) == 1


def test_a_killed_emulator_is_started_anew_without_leftovers(second):
    assert second.containers()
    before = second.pid()
    os.kill(before, signal.SIGKILL)
    output = second.ok("up")
    assert "leftovers of an earlier run removed" in output
    assert second.pid() != before
    assert second.containers() == []


def test_a_taken_port_is_told_with_its_owner(second, tmp_path):
    result = second.run("up", ATENA_LAB_DIR=str(tmp_path / "third"), ATENA_LAB_PREFIX=f"third-{os.getpid()}")
    assert result.returncode == 1
    assert f"Port {second.port} is taken by process {second.pid()}" in result.stderr
    assert "ATENA_LAB_PORT" in result.stderr
    assert "Traceback" not in result.stderr
    second.run("down", ATENA_LAB_DIR=str(tmp_path / "third"), ATENA_LAB_PREFIX=f"third-{os.getpid()}")


def test_a_lab_on_another_port_is_not_restarted_in_passing(second):
    before = second.pid()
    result = second.run("up", ATENA_LAB_PORT="1")
    assert result.returncode == 1
    assert f"is running on port {second.port}, not on 1" in result.stderr
    assert second.pid() == before


@pytest.mark.parametrize("option", ["--images", "--engine"])
def test_what_all_labs_share_stays_while_another_lab_runs(second, option):
    result = second.run("down", option)
    assert result.returncode == 1
    assert "shared with other labs" in result.stderr
    assert process.start_time(second.pid()) is not None, "and this lab still runs"


def test_logs_of_nothing_say_what_there_is(second):
    assert "Running on" in second.ok("logs")
    result = second.run("logs", "api")
    assert result.returncode == 1
    assert "No container 'api'" in result.stderr


def test_down_leaves_nothing(second):
    second.cache()
    pid = second.pid()
    second.ok("down")
    assert process.start_time(pid) is None
    assert second.containers() == []
    assert not second.directory.exists()
    assert second.owned("network", "ls") == second.owned("volume", "ls") == []
    assert "was not running" in second.ok("down")
