# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Redis brought back to a snapshot, in an environment that is on: a snapshot of what there is, verified; the gate closed, Redis deleted; and then what a start
does with a Redis that waits in a snapshot. From the moment when Redis is deleted, start.yml finishes one that was killed; one that was killed before is run
again.

ElastiCache renames nothing, so that a restored Redis cannot stand beside the one whose name it is to have: what there was is kept as a snapshot.
"""

from __future__ import annotations

import datetime

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment import gates as power_gates, journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.power import read as power_read, redis as power_redis
from ansible_collections.atena.aws.plugins.module_utils.power.run import PowerFailed
from ansible_collections.atena.aws.plugins.module_utils.power.start import Start
from ansible_collections.atena.aws.plugins.module_utils.power.terraform import REDIS_RESOURCE
from ansible_collections.atena.aws.plugins.module_utils.recovery.run import unconfirmed
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read, restore as redis_restore, snapshot as redis_snapshot

RESTORED = "redis_restored"
_TAGS = {"atena:recovery": "restore"}


# --- Decisions --------------------------------------------------------------------------------------------------------
def choose(snapshots: list[dict], asked: str) -> tuple[str, str]:
    """(name of the snapshot to restore, why none can be or '')."""
    usable = [told for told in redis_snapshot.newest_first(snapshots) if told["status"] == "available"]
    listed = ", ".join(f"{told['name']} ({told['created_at']})" for told in usable[:5])
    known = f"Snapshots, newest first: {listed or 'none'}."
    if not asked:
        # What a restore put aside is restored only by name: that would undo it.
        own = [told["name"] for told in usable if "-before-" not in told["name"]]
        return (own[0], "") if own else ("", f"There is no snapshot of Redis to take automatically. {known} Name one with -e restore_redis_snapshot=<name>.")
    if any(told["name"] == asked for told in usable):
        return asked, ""
    return "", f"The snapshot {asked} is none of this Redis that can be restored. {known}"


def objection(seen: dict, redis_id: str) -> str:
    """Why Redis cannot be restored now; '' if it can."""
    state, cache = power_journal.state_of(seen["journal"]), seen["redis"]
    if power_redis.half_replaced(seen["journal"], cache) and state == power_journal.STARTING:
        state = power_journal.RUNNING
    if state in (power_journal.STARTING, power_journal.STOPPING):
        return f"The environment is {state}. Run start.yml: it finishes what was begun, a restore of Redis too."
    if state != power_journal.RUNNING:
        return "The environment is stopped. Start it with the snapshot that is wanted: start.yml -e start_redis_snapshot=<name>"
    if cache is None:
        return f"There is no Redis {redis_id}, so that nobody knows how it was made. infra.yml makes an empty one; then run this again."
    if redis_read.standing(cache["status"]) != redis_read.READY:
        return f"Redis {redis_id} is {cache['status']}. Wait until it is available."
    return ""


# --- Doing it ---------------------------------------------------------------------------------------------------------
class RestoreRedis(Start):
    WANTED, VERB, PLAYBOOK, OPPOSITE = RESTORED, "restore of Redis", "start.yml", "stop.yml"

    def remaining(self) -> list[dict]:
        self.snapshot, self.wrong = choose(redis_snapshot.list_snapshots(self.call, self.params["redis_id"]), self.params["redis"]["snapshot"])
        self.wrong = objection(self.seen, self.params["redis_id"]) or self.wrong
        redis, running = self.params["redis_id"], ", ".join(sorted(name for name, service in self.seen["services"].items() if service["desiredCount"]))
        steps = [
            ("redis", f"Would take a snapshot of {redis} as it is, {redis}-before-<time>, and verify it"),
            ("redis", f"Would close Redis's gate, remove from the Terraform state {redis}, and delete it: what is in it now is in that snapshot only"),
            (
                "redis",
                f"Would restore {self.snapshot or 'a snapshot'} under the same name and with the same parameters, have Terraform adopt it, update REDIS_URL",
            ),
            ("services", f"Would redeploy {running or 'no service'}, and ask the application's health. Meanwhile the application has no queue"),
        ]
        would_fail = [("redis", f"WOULD FAIL: {self.wrong}")] if self.wrong else []
        return [{"step": step, "says": says} for step, says in would_fail + steps]

    def after(self) -> dict:
        counts = {name: service["desiredCount"] for name, service in self.seen["services"].items()}
        return {"power": power_gates.ON, "redis": f"{power_gates.PRESENT}, from {self.snapshot}", "database": "available", "counts": counts}

    def refuse(self) -> None:
        name = self.params["name"]
        what = f"This throws away what is in {self.params['redis_id']} for what {self.snapshot or 'a snapshot'} holds"
        wrong = unconfirmed(self.params["redis"]["confirm"], name, "restore_redis_confirm", what)
        if wrong or self.wrong:
            raise PowerFailed(wrong or f"{self.wrong} Nothing was changed.")

    def work(self) -> None:
        self.branches.side_by_side({"terraform": self._ready_terraform_first})
        cache, proof = self._keep()
        wanted = {name: {"desired_count": service["desiredCount"], "bounds": None} for name, service in power_read.services_of(self.call, self.cluster).items()}
        # From here on a start knows what to do.
        known = {
            "parameters": cache["parameters"],
            "address": cache["address"],
            "created_at": cache["created_at"],
            "restoring_at": "",
            "restored_created_at": "",
            "replacing": True,
        }
        self.begin_record(services=wanted, redis={**((self.journal.record or {}).get("redis") or {}), **known, "snapshot": self.snapshot, "restored": False})
        self.branches.side_by_side({"Redis": lambda: self._give_up(cache, proof)})
        # What is left is a start's: it looks at what there is now.
        self.params["redis"] = {**self.params["redis"], "snapshot": ""}
        self.seen = power_read.observe(self.call, self.params, self.gates, self.journal)
        self.steps = Start.remaining(self)
        super().work()
        kept = proof["name"]
        self.result["lines"].append(f"What was in Redis before is in the snapshot {kept}; to return to it: restore_redis.yml -e restore_redis_snapshot={kept}")

    def _ready_terraform_first(self) -> None:
        """Before there is a journal to name a lock in, there is none to give back."""
        if self.journal.record:
            self.terraform.recover()
        self.terraform.prepare()

    def _keep(self) -> tuple[dict, dict]:
        """What there is now, in a snapshot that proves that it can be made again."""
        cache = redis_read.find(self.call, self.params["redis_id"])
        if cache is None:
            raise CallFailed(f"Redis {self.params['redis_id']} was deleted by somebody meanwhile. Nothing was changed.")
        name = f"{cache['id']}-before-{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}"
        snapshot = redis_snapshot.create(self.call, cache, name, self.redis_patience, tags={**self.params["tags"], **_TAGS})
        cache = redis_read.find(self.call, cache["id"]) or cache
        wrong = redis_snapshot.problems(snapshot, cache)
        if wrong:
            raise CallFailed(f"The snapshot {name} is not sufficient to recreate Redis: {'; '.join(wrong)}. Redis was not touched.")
        self._say_redis(f"what there is now is in the snapshot {name}, which is verified")
        return cache, snapshot

    def _give_up(self, cache: dict, proof: dict) -> None:
        with self.journal.step("redis_delete") as step, self.terraform.locked():
            self.gates.write(power_gates.wanted(power_gates.ON, power_gates.ABSENT, self.snapshot))
            self.terraform.let_go(REDIS_RESOURCE)
            redis_restore.delete(self.call, cache, proof, self.redis_patience)
            step.records(redis={"replacing": False})
            step.says = f"{cache['id']} is gone; it is kept in {proof['name']}"
