"""BullMQ's jobs of every kind - waiting, delayed, prioritized, flows, rate-limited, scheduled - through stops and starts of the whole environment.

One stop is killed and run again, and before another one the workers are killed at their jobs. tests/drivers/nights has the same for 10,000 jobs and ten nights
of Redis alone, with BullMQ 5 as well.
"""

from __future__ import annotations

import collections
import json
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from bad_commits import WORKER
from emulator_world import docker, until
from power import emptied_afterwards
from test_power_killed import Killer, die
from wire import Wire

pytestmark = [pytest.mark.lab, pytest.mark.soak]
JOBS, QUEUES = 2000, ("mail", "limited")
LISTS, SETS = ("wait", "active", "paused"), ("delayed", "prioritized", "waiting-children")
LOCK = ("-e", "atena_lock_expiry_seconds=15", "-e", "atena_lock_wait_seconds=90")


@pytest.fixture(scope="module")
def power(lab):
    with emptied_afterwards(lab) as made:
        yield made


class Nights:
    def __init__(self, power):
        self.power, self.lab = power, power.lab
        self.killed_at: set[str] = set()

    def fill(self) -> None:
        command = ["node", "packages/workers/dist/worker.js", "fill", str(JOBS)]
        given = {"atena_migration_service": "workers", "atena_migration_command": command}
        run = self.lab.playbook("migrate.yml", "-e", json.dumps(given)).must_succeed()
        assert f"added {JOBS} jobs" in run.text, run.output

    def active(self) -> set[str]:
        with self.power.redis() as redis:
            return {job.decode() for queue in QUEUES for job in redis("LRANGE", f"bull:{queue}:active", 0, -1)}

    def left(self) -> int:
        """Jobs that are not done, without the scheduler's next one."""
        with self.power.redis() as redis:
            found = sum(redis("LLEN", f"bull:{queue}:{name}") for queue in QUEUES for name in LISTS)
            found += sum(redis("ZCARD", f"bull:{queue}:{name}") for queue in QUEUES for name in SETS)
            return found - 1

    def failed(self) -> int:
        with self.power.redis() as redis:
            return sum(redis("ZCARD", f"bull:{queue}:failed") for queue in QUEUES)

    def times(self) -> collections.Counter[str]:
        """How often each job was done, by what the database knows."""
        with self.database() as cursor:
            cursor.execute("SELECT id, count(*) FROM nights_done GROUP BY id")
            return collections.Counter(dict(cursor.fetchall()))

    @contextmanager
    def database(self):
        url = self.lab.client("ssm").get_parameter(Name="/atena/prod/DATABASE_URL", WithDecryption=True)["Parameter"]["Value"]
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
            yield cursor

    def works(self, more: int = 20) -> None:
        """A day: until so many other jobs are done."""
        before = sum(self.times().values())
        until(lambda: sum(self.times().values()) >= before + more, 60)

    def kill_the_workers(self) -> None:
        (arn,) = self.lab.client("ecs").list_tasks(cluster=self.lab.cluster, serviceName=f"{self.lab.name}-workers")["taskArns"]
        docker("kill", *docker("ps", "--quiet", "--filter", f"name=ecs-{arn.rpartition('/')[2][:8]}").split())
        self.killed_at |= self.active()

    def night(self) -> None:
        """Nothing is active in the snapshot but what a killed worker left."""
        at_snapshot: list[set[str]] = []

        def look(call) -> None:
            if str(call) == "elasticache:CreateSnapshot":
                at_snapshot.append(self.active())

        with Wire(self.lab.endpoint, look) as wire, pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
            self.power.run("stopped")
        self.power.is_off()
        assert len(at_snapshot) == 1 and at_snapshot[0] <= self.killed_at
        self.power.run("started")
        self.power.is_on()


def test_each_job_is_done_and_none_twice_but_what_a_killed_worker_had(power, good):
    nights, lab, before = Nights(power), power.lab, good.commit
    good.change("Work on jobs of every kind", **{WORKER: (Path(__file__).parent / "nights.ts").read_text()})
    lab.playbook("deploy.yml").must_succeed()
    try:
        nights.fill()
        nights.works()
        nights.night()
        # A stop that dies when AWS has done its first step, and is run again.
        nights.works()
        assert die(power, "stop.yml", Killer("after", name="ecs:UpdateService"))
        lab.playbook("stop.yml", *LOCK).must_succeed()
        power.is_off()
        lab.playbook("start.yml", *LOCK).must_succeed()
        # Workers that die at their jobs, just before a night.
        nights.works()
        nights.kill_the_workers()
        nights.night()
        # And a stop that dies when the queue is in its snapshot.
        assert die(power, "stop.yml", Killer("after", name="elasticache:DeleteCacheCluster"))
        lab.playbook("stop.yml", *LOCK).must_succeed()
        lab.playbook("start.yml", *LOCK).must_succeed()
        until(lambda: nights.left() <= 0, 300)
        times, failed = nights.times(), nights.failed()
        ticks = times.pop("tick", 0)
        twice = {job for job, count in times.items() if count > 1}
        counts = f"{failed} failed, {len(nights.killed_at)} active at the kill, {len(twice)} done twice, {ticks} runs of the scheduler"
        print(f"{len(times)} of {JOBS} jobs done, {counts}")
        assert len(times) >= JOBS and failed == 0 and ticks > 0
        assert twice <= nights.killed_at
    finally:
        good.back_to(before)
        lab.playbook("start.yml", *LOCK)
        lab.playbook("deploy.yml", *LOCK).must_succeed()
        with nights.database() as cursor:
            cursor.execute("DROP TABLE IF EXISTS nights_done")
