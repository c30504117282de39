"""The guard stops what AWS started, and nothing else."""

import contextlib
import datetime
from datetime import UTC, timedelta

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import Lock, LockTaken
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import PowerRecord
from ansible_collections.atena.aws.plugins.module_utils.power import guard, guard_run
from fakes import Pages

DB = "atena-prod-db"
NOW = datetime.datetime(2027, 3, 12, 12, 0, tzinfo=UTC)
BY_AWS = "DB instance is being started due to it exceeding the maximum allowed time being stopped."
STARTED, STOPPED = "DB instance started", "DB instance stopped"
KEPT = {"id": DB, "snapshot": "", "stopped_at": "2027-03-05T11:00:00Z", "restarts_at": "2027-03-12T11:00:00Z"}


def known(state="stopped", **changes):
    return PowerRecord.of(journal(state, **changes))


def journal(state="stopped", **changes):
    return {**power_journal.new("atena-prod"), "state": state, "operator": "ana", "began_at": "2027-03-05T11:00:00Z", "database": KEPT, **changes}


def events(*messages):
    """An hour apart each, the last one an hour ago."""
    return [{"Message": message, "Date": NOW - timedelta(hours=len(messages) - index)} for index, message in enumerate(messages)]


# --- Whose start it was -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("messages", "who"),
    [
        ([STOPPED, BY_AWS, STARTED], guard.AWS),
        ([STOPPED, BY_AWS], guard.AWS),
        ([STOPPED, STARTED], guard.PERSON),
        ([BY_AWS, STARTED, STOPPED, STARTED], guard.PERSON),
        ([STARTED, STOPPED, BY_AWS, STARTED], guard.AWS),
        ([STOPPED, BY_AWS, STARTED, "Backing up DB instance", "Finished DB Instance backup"], guard.AWS),
        ([STOPPED], guard.UNKNOWN),
        ([STOPPED, "DB instance restarted", "Backing up DB instance"], guard.UNKNOWN),
        ([], guard.UNKNOWN),
        ([BY_AWS, STARTED], guard.AWS),
        ([STARTED], guard.PERSON),
        (["The DB instance has been stopped.", "The DB instance has been started."], guard.PERSON),
    ],
)
def test_the_events_since_the_last_stop_tell_who_started_it(messages, who):
    assert guard.started_by(list(reversed(events(*messages))), KEPT["stopped_at"])[0] == who


def test_without_a_stop_among_the_events_the_journal_says_since_when():
    old = [{"Message": STARTED, "Date": datetime.datetime(2027, 3, 1, tzinfo=UTC)}]
    assert guard.started_by(old, KEPT["stopped_at"]) == (guard.UNKNOWN, "")
    assert guard.started_by(old, "") == (guard.PERSON, "2027-03-01T00:00:00Z")


# --- What is to be done -----------------------------------------------------------------------------------------------
SEVEN = events(STOPPED, BY_AWS, STARTED)
HAND = events(STOPPED, STARTED)


@pytest.mark.parametrize(
    ("record", "status", "found", "verdict", "act", "says"),
    [
        (None, "available", SEVEN, guard.NOT_STOPPED, "", "not recorded as stopped"),
        (known("running"), "available", SEVEN, guard.NOT_STOPPED, "", "not recorded as stopped"),
        (known("stopping"), "available", SEVEN, guard.UNFINISHED, "", "run stop.yml again"),
        (known("starting"), "available", SEVEN, guard.UNFINISHED, "", "run start.yml again"),
        (known(), None, [], guard.ABSENT, "", "no database"),
        (known(), "stopped", [], guard.OFF, "", "is stopped"),
        (known(), "stopping", SEVEN, guard.OFF, "", "is stopping"),
        (known(), "available", SEVEN, guard.AGAIN, guard.STOP_IT, "AWS started atena-prod-db again at 2027-03-12T10:00:00Z"),
        (known(database=None), "available", SEVEN, guard.AGAIN, guard.STOP_IT, "stopped again"),
        (known(), "available", HAND, guard.LEFT, "", "somebody started it at 2027-03-12T11:00:00Z"),
        (known(), "available", [], guard.UNCLEAR, "", "none of its events"),
        (known(), "starting", events(STOPPED, BY_AWS), guard.LATER, guard.WAIT_FOR_IT, "is starting"),
        # Nobody knows yet whose start this is.
        (known(), "starting", events(STOPPED), guard.LATER, guard.WAIT_FOR_IT, "is starting"),
        (known(), "backing-up", SEVEN, guard.LATER, guard.WAIT_FOR_IT, "is backing-up"),
        (known(), "backing-up", HAND, guard.LEFT, "", "left alone"),
        (known(), "storage-optimization", SEVEN, guard.LATER, guard.WAIT_FOR_IT, "cannot be stopped yet"),
        (known(), "configuring-enhanced-monitoring", SEVEN, guard.LATER, guard.WAIT_FOR_IT, "cannot be stopped yet"),
        (known(), "a-status-of-next-year", SEVEN, guard.LATER, guard.WAIT_FOR_IT, "cannot be stopped yet"),
        (known(), "storage-full", SEVEN, guard.HOPELESS, "", "while it is storage-full"),
        (known(), "failed", SEVEN, guard.HOPELESS, "", "Restore it"),
        (known(), "deleting", [], guard.HOPELESS, "", "deletes it"),
    ],
)
def test_every_state_has_its_answer(record, status, found, verdict, act, says):
    judged = guard.judge(record, status and {"DBInstanceStatus": status}, found, DB)
    assert (judged.verdict, judged.act) == (verdict, act)
    assert says in judged.says


def test_a_stopped_database_is_told_with_the_day_of_its_restart():
    judged = guard.judge(known(), {"DBInstanceStatus": "stopped", "AutomaticRestartTime": NOW}, [], DB)
    assert "AWS starts it again at 2027-03-12T12:00:00Z" in judged.says


def test_the_journal_gets_a_note_and_the_next_restart():
    verdict = guard.judge(known(), {"DBInstanceStatus": "available"}, SEVEN, DB)
    changed = guard.after_stop(journal(notes=[{"at": "x", "says": "y"}]), verdict, None, NOW)
    assert changed["database"] == {"stopped_at": "2027-03-12T12:00:00Z", "restarts_at": "2027-03-19T12:00:00Z"}
    assert [note["says"][:5] for note in changed["notes"]] == ["y", "guard"]


# --- The run ----------------------------------------------------------------------------------------------------------
class World(Pages):
    """RDS, the journal and the lock of a few lines."""

    def __init__(self, status="available", found=None, record=None):
        self.status, self.found, self.record = status, SEVEN if found is None else found, record or journal()
        self.calls, self.clock, self.at_look, self.stop_fails = [], 0.0, {}, None
        self.held_by, self.held = None, False

    def __call__(self, service, operation, doing, /, **arguments):
        self.calls.append(operation)
        return getattr(self, operation)(**arguments)

    def describe_db_instances(self, DBInstanceIdentifier):
        if not self.status:
            raise failure("no", "DBInstanceNotFound")
        self.at_look.get(self.calls.count("describe_db_instances"), lambda: None)()
        return {"DBInstances": [{"DBInstanceStatus": self.status}]}

    def describe_events(self, SourceType, SourceIdentifier, Duration, Marker=None):
        assert (SourceType, SourceIdentifier, Duration) == ("db-instance", DB, 20160)
        # AWS gives events in pages.
        return {"Events": self.found[1:]} if Marker else {"Events": self.found[:1], "Marker": "more"}

    def stop_db_instance(self, DBInstanceIdentifier):
        assert self.held, "the lock is taken before anything is stopped"
        if self.stop_fails:
            raise self.stop_fails
        self.status = "stopping"
        return {"DBInstance": {"DBInstanceStatus": "stopping"}}


class FakeJournal:
    def __init__(self, world):
        self.world, self.record = world, None

    def look(self):
        self.record = self.world.record
        return PowerRecord.of(self.record)

    def change(self, database, notes):
        assert self.world.held
        self.world.calls.append("journal")
        self.world.record = {**self.record, "database": {**(self.record["database"] or {}), **database}, "notes": notes}


class FakeLock:
    def __init__(self, world):
        self.world = world

    def acquire(self, reason, operator, wait, say):
        if self.world.held_by:
            raise LockTaken(f"The environment atena-prod is locked by {self.world.held_by}.", {})
        self.world.held = True

    @contextlib.contextmanager
    def renewing(self, on_lost):
        yield

    running = Lock.running

    def check(self):
        assert self.world.held

    def give_back(self, _warn):
        self.world.held = False


@pytest.fixture
def run(monkeypatch):
    def go(world, redis="", **options):
        def sleep(seconds):
            world.clock += seconds

        monkeypatch.setattr(guard_run.time, "sleep", sleep)
        monkeypatch.setattr(guard_run, "Deadline", lambda seconds: Deadline(seconds, clock=lambda: world.clock))
        lock = {"table": "t", "name": "atena-prod", "expires_in": 300, "wait": 0}
        watch = guard_run.GuardRun(world, guard_run.Guarded(DB, {"bucket": "b", "journal_key": "k"}, lock, "me", redis), **options)
        watch.journal, watch.lock = FakeJournal(world), FakeLock(world)
        return watch.run()

    return go


def test_what_aws_started_is_stopped_once_and_noted(run):
    world = World()
    changed, verdict = run(world)
    assert (changed, verdict.verdict) == (True, guard.AGAIN)
    assert world.status == "stopping" and not world.held
    assert "AWS started atena-prod-db again" in world.record["notes"][-1]["says"]
    world.calls.clear()
    assert run(world)[0] is False
    assert not {"stop_db_instance", "journal", "describe_events"} & set(world.calls)


@pytest.mark.parametrize(
    ("world", "read"),
    [
        (World(record=journal("running")), []),
        (World(status="stopped"), ["describe_db_instances"]),
        (World(status=""), ["describe_db_instances"]),
        (World(found=HAND), ["describe_db_instances", "describe_events", "describe_events"]),
    ],
)
def test_when_there_is_nothing_to_do_little_is_read_and_nothing_taken(run, world, read):
    changed, _ = run(world)
    assert changed is False
    assert world.calls == read


def test_check_mode_tells_and_neither_waits_nor_takes_the_lock(run):
    world = World()
    changed, verdict = run(world, check_mode=True)
    assert changed and "It would be stopped again" in verdict.says
    assert world.status == "available"
    starting = World(status="starting")
    assert run(starting, check_mode=True, wait_timeout=900)[0] is False
    assert starting.clock == 0


def test_a_database_that_starts_is_waited_for_and_then_judged(run):
    world = World(status="starting", found=events(STOPPED))

    def up():
        world.status, world.found = "available", SEVEN

    world.at_look[3] = up
    changed, verdict = run(world, wait_timeout=900)
    assert (changed, verdict.verdict) == (True, guard.AGAIN)


def test_a_start_that_turns_out_to_be_a_persons_is_left_alone(run):
    world = World(status="starting", found=events(STOPPED))

    def up():
        world.status, world.found = "available", HAND

    world.at_look[3] = up
    assert run(world, wait_timeout=900)[1].verdict == guard.LEFT


def test_what_takes_too_long_is_left_to_the_next_run(run):
    world = World(status="storage-optimization")
    changed, verdict = run(world, wait_timeout=60)
    assert (changed, verdict.verdict) == (False, guard.LATER)
    assert 60 <= world.clock < 90
    assert run(World(status="starting"), wait_timeout=0)[1].verdict == guard.LATER


def test_a_held_lock_is_told_and_changes_nothing(run):
    world = World()
    world.held_by = "ana on laptop ('start', since 08:00)"
    changed, verdict = run(world)
    assert (changed, verdict.verdict) == (False, guard_run.LOCKED)
    assert "ana on laptop" in verdict.says
    assert world.status == "available"


def test_an_environment_that_was_started_before_the_lock_was_ours_is_left_alone(run):
    world = World()
    world.at_look[1] = lambda: world.__setattr__("record", journal("starting"))
    changed, verdict = run(world)
    assert (changed, verdict.verdict) == (False, guard.UNFINISHED)
    assert "stop_db_instance" not in world.calls and not world.held


def test_a_database_that_began_a_backup_in_between_is_left_to_the_next_run(run):
    world = World()
    world.stop_fails = failure("Could not stop the database: it is not available.", "InvalidDBInstanceState")
    changed, verdict = run(world)
    assert (changed, verdict.verdict, verdict.act) == (False, guard.LATER, "")
    assert "journal" not in world.calls and not world.held


def test_a_stop_whose_answer_was_lost_is_noted_all_the_same(run):
    world = World()
    world.stop_fails = failure("Could not stop the database: it is stopping.", "InvalidDBInstanceState")
    world.at_look[3] = lambda: world.__setattr__("status", "stopping")
    changed, _ = run(world)
    assert changed and "journal" in world.calls


def test_another_failure_is_one_and_gives_the_lock_back(run):
    world = World()
    world.stop_fails = failure("AccessDenied", "AccessDenied")
    with pytest.raises(CallFailed, match="AccessDenied"):
        run(world)
    assert not world.held


# --- A Redis that came back empty -------------------------------------------------------------------------------------
MADE = datetime.datetime(2027, 3, 1, tzinfo=UTC)
RECOVERED = {"Message": "Finished recovery for cache nodes 0001", "Date": NOW - timedelta(hours=2)}


class RedisWorld(World):
    """An environment that is on, and its Redis with these events."""

    def __init__(self, found, denied=False, **record):
        super().__init__(record=journal("running", **record))
        self.of_redis, self.denied = found, denied

    def describe_cache_clusters(self, **_):
        return {"CacheClusters": [{"CacheClusterId": "atena-prod-redis", "CacheClusterCreateTime": MADE}]}

    def describe_events(self, SourceType, SourceIdentifier, Duration, Marker=None):
        if self.denied:
            raise failure("Not allowed.", "AccessDenied")
        assert (SourceType, SourceIdentifier) == ("cache-cluster", "atena-prod-redis")
        return {"Events": self.of_redis}


@pytest.mark.parametrize(
    ("world", "verdict"),
    [
        (RedisWorld([]), guard.NOT_STOPPED),
        (RedisWorld([{"Message": "Recovering cache nodes 0001", "Date": NOW}, {"Message": "Cache cluster created", "Date": NOW}]), guard.NOT_STOPPED),
        (RedisWorld([RECOVERED]), guard.EMPTIED),
        (RedisWorld([{"Message": "Cache node 0001 restarted", "Date": NOW}]), guard.EMPTIED),
        # Of one that was there before, under the same name.
        (RedisWorld([{**RECOVERED, "Date": MADE - timedelta(days=1)}]), guard.NOT_STOPPED),
        # Somebody has dealt with it.
        (RedisWorld([RECOVERED], redis={"loss": "2027-03-12T10:00:00Z"}), guard.NOT_STOPPED),
        (RedisWorld([RECOVERED], redis={"loss": "2027-03-11T10:00:00Z"}), guard.EMPTIED),
        # A role that may not look is no failure of the guard's.
        (RedisWorld([RECOVERED], denied=True), guard.NOT_STOPPED),
    ],
)
def test_a_redis_that_came_back_empty_is_told_of_until_somebody_deals_with_it(run, world, verdict):
    changed, found = run(world, redis="atena-prod-redis")
    assert (changed, found.verdict) == (False, verdict)
    assert verdict != guard.EMPTIED or ("Redis atena-prod-redis came back empty at 2027-03-12T1" in found.says and "start.yml" in found.says)
