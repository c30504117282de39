"""The ledger of releases: what its records mean, and that none is written over another's."""

import hashlib
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.environment import ledger as ledgers, release_record
from ansible_collections.atena.aws.plugins.module_utils.environment.ledger import Ledger
from ansible_collections.atena.aws.plugins.module_utils.environment.release_record import Build, Migration, Service
from fakes import Asked, Pages

NOON = datetime(2027, 1, 15, 12, 0, 0, tzinfo=UTC)
PREFIX = "atena/prod/releases/"
KEYS = [
    *("build", "ended_at", "environment", "evidence", "format", "host", "id", "images", "kind", "migration", "not_reverted", "operator", "outcome"),
    *("reason", "release", "reverted", "schema", "secrets", "services", "started_at", "step"),
]


class Bucket(Pages):
    """One S3 bucket with conditional writes. `before` and `after` map an operation to something that happens once, just before or after it;
    `every` to something that happens each time."""

    def __init__(self, page=1000):
        self.objects, self.page, self.before, self.after, self.every, self.read = {}, page, {}, {}, {}, []
        self._one_at_a_time = threading.RLock()

    def __call__(self, service, operation, doing, *, Bucket, **request):
        assert (service, Bucket) == ("s3", "state")
        if operation in self.before:
            self.before.pop(operation)()
        self.every.get(operation, lambda: None)()
        with self._one_at_a_time:
            answer = getattr(self, operation)(**request)
        if operation in self.after:
            self.after.pop(operation)()
        return answer

    @staticmethod
    def _etag(body):
        return f'"{hashlib.md5(body).hexdigest()}"'

    def put_object(self, Key, Body, ContentType, IfNoneMatch=None, IfMatch=None):
        current = self.objects.get(Key)
        if IfNoneMatch == "*" and current is not None:
            raise failure("At least one of the pre-conditions you specified did not hold", "PreconditionFailed")
        if IfMatch is not None:
            if current is None:
                raise failure("The specified key does not exist.", "NoSuchKey")
            if IfMatch != self._etag(current):
                raise failure("At least one of the pre-conditions you specified did not hold", "PreconditionFailed")
        assert IfNoneMatch or IfMatch
        self.objects[Key] = Body
        return {"ETag": self._etag(Body)}

    def get_object(self, Key):
        self.read.append(Key)
        if Key not in self.objects:
            raise failure("The specified key does not exist.", "NoSuchKey")
        return {"Body": io.BytesIO(self.objects[Key]), "ETag": self._etag(self.objects[Key])}

    def list_objects_v2(self, Prefix, ContinuationToken=""):
        keys = sorted(key for key in self.objects if key.startswith(Prefix) and key > ContinuationToken)
        more = {"IsTruncated": True, "NextContinuationToken": keys[self.page - 1]} if len(keys) > self.page else {}
        return {"Contents": [{"Key": key, "ETag": self._etag(self.objects[key])} for key in keys[: self.page]], **more}


@pytest.fixture
def bucket():
    return Bucket()


def sha(letter):
    return (letter * 40)[:40]


def service(name="atena-prod-api", revision="api:0"):
    return Service(name=name, task_definition=f"arn:aws:ecs:us-east-1:1:task-definition/{revision}", previous=None, desired_count=1)


def record(letter="a", minute=0, outcome="succeeded", migration="succeeded", **more):
    """A release of commit aaaa… (bbbb…, ...) at so many minutes past noon."""
    begun = release_record.new_record(
        environment="atena-prod",
        release=sha(letter),
        operator="arn:aws:iam::123456789012:user/ana",
        host="ana@desk",
        now=NOON + timedelta(minutes=minute),
        rand="0000",
    )
    made = replace(begun, migration=Migration(outcome=migration), services=[service(revision=f"api:{minute}")])
    if outcome != "running":
        made = release_record.ended(made, outcome, now=NOON + timedelta(minutes=minute, seconds=30))
    return replace(made, **more)


def newest_first(*records):
    return sorted(records, key=lambda entry: entry.id, reverse=True)


def ids(records):
    return [entry.id[9:13] + entry.release[0] for entry in records]


# --- Records ----------------------------------------------------------------------------------------------------------
def test_an_id_tells_time_and_commit_and_sorts_by_time():
    assert release_record.new_id(NOON, "0123456789abcdef", "beef") == "20270115T120000Z-0123456789ab-beef"
    assert release_record.new_id(NOON, "f" * 40, "ffff") < release_record.new_id(NOON + timedelta(seconds=1), "0" * 40, "0000")


def test_an_id_is_in_utc_wherever_it_was_made():
    assert release_record.new_id(NOON.astimezone(timezone(timedelta(hours=-3))), "a" * 40, "beef").startswith("20270115T120000Z-")


def test_two_releases_of_one_commit_in_one_second_have_two_ids():
    made = {release_record.new_record(environment="e", release="a" * 40, operator="o", host="h", now=NOON).id for _ in range(20)}
    assert len(made) > 1


def test_a_new_record_has_every_key_and_has_begun():
    made = release_record.new_record(environment="atena-prod", release="a" * 40, operator="o", host="h", now=NOON)
    assert sorted(made.as_dict()) == sorted(KEYS)
    assert (made.outcome, made.step, made.kind, made.started_at, made.ended_at) == ("running", "prepared", "deploy", "2027-01-15T12:00:00Z", "")
    assert sorted(made.as_dict()["migration"]) == ["duration_seconds", "exit_code", "outcome", "task_arn"]


def test_a_record_tells_what_its_images_were_built_from():
    made = release_record.new_record(environment="e", release="a" * 40, operator="o", host="h", now=NOON)
    assert made.as_dict()["build"] == {"from": "", "include": []}
    assert replace(made, build=Build(source="commit", include=["dist/"])).as_dict()["build"] == {"from": "commit", "include": ["dist/"]}


def test_the_table_marks_what_was_built_from_the_working_tree_and_shows_records_of_before():
    old = {name: value for name, value in record("a", 0).as_dict().items() if name != "build"}
    shown = ledgers.lines([record("b", 1, build=Build(source="working_tree")), release_record.decode(json.dumps(old).encode(), "here")])
    assert "deploy of the working tree" in shown[1] and "working tree" not in shown[2] and "succeeded" in shown[2]


def test_an_end_is_written_into_a_copy():
    begun = record(outcome="running")
    good = release_record.ended(begun, "succeeded", now=NOON)
    assert (good.outcome, good.step, good.ended_at) == ("succeeded", "done", "2027-01-15T12:00:00Z")
    bad = release_record.ended(replace(begun, step="migrating"), "failed", "the migration failed", now=NOON)
    assert (bad.outcome, bad.step, bad.reason) == ("failed", "migrating", "the migration failed")
    assert begun.outcome == "running"


# --- Decisions --------------------------------------------------------------------------------------------------------
def test_the_newest_release_that_has_not_ended_was_interrupted():
    going = record("b", 1, "running")
    assert ledgers.interrupted(newest_first(record("a", 0), going)) is going


def test_a_release_after_which_another_one_came_is_not_interrupted_any_more():
    assert ledgers.interrupted(newest_first(record("a", 0, "running"), record("b", 1))) is None
    assert ledgers.interrupted([]) is None


def test_the_last_good_release_is_the_newest_that_succeeded():
    records = newest_first(record("a", 0), record("b", 1), record("c", 2, "failed"), record("d", 3, "interrupted"))
    assert ledgers.last_good(records).release == sha("b")
    assert ledgers.last_good([]) is None


@pytest.mark.parametrize(
    ("history", "running", "wanted"),
    [
        # letter, outcome, kind in the order of time; `running` and `wanted` are indexes into it
        ("a", 0, None),
        ("a b", 1, 0),
        ("a b c", 2, 1),
        ("a b! c", 2, 0),  # ! failed
        ("a b c!", 1, 0),  # the failed one was taken back
        ("a b b", 2, 0),  # the same commit again is no other release
        ("a b a", 2, 1),
        ("a b c <b", 3, 0),  # < rollback: goes on back, not forth to c
        ("a b c <b <a", 4, None),
        ("a b c d <c <b", 5, 0),
        ("a b c <a", 3, None),
        ("a b c <b d", 4, 3),  # what ran before d is b again
        ("a b <a b", 3, 2),
        ("a b c! <a", 3, None),
    ],
)
def test_back_to_the_previous_release(history, running, wanted):
    records = []
    for minute, word in enumerate(history.split()):
        letter = word.strip("!<")
        records.append(record(letter, minute, "failed" if "!" in word else "succeeded", kind="rollback" if "<" in word else "deploy"))
    found = ledgers.previous_good(newest_first(*records), records[running])
    assert found == (None if wanted is None else records[wanted])


def test_back_when_nothing_known_runs_is_back_to_the_last_good_one():
    records = newest_first(record("a", 0), record("b", 1), record("c", 2, "failed"))
    assert ledgers.previous_good(records, None).release == sha("b")
    assert ledgers.previous_good([], None) is None


@pytest.mark.parametrize(
    ("migration", "schema", "counts"),
    [
        ("succeeded", "s2", True),
        ("succeeded", "s1", False),  # the very migrations that the target has
        ("succeeded", "", True),  # unknown
        ("failed", "s2", True),  # half of it may be there
        ("running", "s2", True),
        ("not_needed", "s2", False),
        ("skipped", "s2", False),
    ],
)
def test_what_migrated_since(migration, schema, counts):
    target = record("a", 0, schema="s1")
    later = record("b", 1, migration=migration, schema=schema)
    earlier = record("c", -1, schema="s0")
    assert ledgers.migrated_since(newest_first(target, later, earlier), target) == ([later] if counts else [])


def test_an_unknown_schema_of_the_target_counts_every_migration():
    target = record("a", 0, schema="")
    assert len(ledgers.migrated_since(newest_first(target, record("b", 1, schema=""), record("c", 2, schema="s")), target)) == 2


def test_a_rollback_over_a_newer_schema_is_seen_from_further_back():
    target = record("a", 0, schema="s1")
    newer = record("b", 1, schema="s2")
    back = record("a", 2, schema="s1", kind="rollback", migration="skipped")
    assert ledgers.migrated_since(newest_first(target, newer, back), target) == [newer]


@pytest.mark.parametrize(
    ("goal", "later", "source", "says", "never"),
    [
        ("s1", "s2", "db/migrations", "Migrations ran since aaaaaaaaaaaa was released (", "not known"),
        (
            "",
            "s2",
            "db/migrations",
            "changed the schema is not known: which ones a release has is recorded only where git finds db/migrations (atena",
            "Migrations ran",
        ),
        ("s1", "", "db/migrations", "With atena_migration_source set to the directory", "Migrations ran"),
        ("", "", "", "is recorded for none, as atena_migration_source is empty", "git finds"),
    ],
)
def test_what_is_not_known_is_not_called_changed(goal, later, source, says, never):
    target, after = record("a", 0, schema=goal), record("b", 1, migration="succeeded", schema=later)
    words = ledgers.obstacle(newest_first(target, after), target, source)
    assert says in words and after.id in words and never not in words
    assert bool(ledgers.migrations_unknown(newest_first(target, after), target)) == ("not known" in words)


def test_each_release_is_told_as_what_it_is():
    target, changed, unknown = record("a", 0, schema="s1"), record("b", 1, schema="s2"), record("c", 2, schema="")
    words = ledgers.obstacle(newest_first(target, changed, unknown), target, "db")
    assert f"({changed.id}), and a rollback does not undo them" in words and f"({unknown.id}) changed the schema is not known" in words


def test_nothing_is_in_the_way_of_the_same_migrations():
    target = record("a", 0, schema="s1")
    assert ledgers.obstacle(newest_first(target, record("b", 1, schema="s1")), target, "db") == ""


def test_kept_are_all_records_of_the_last_good_commits_and_of_what_goes_on():
    records = newest_first(
        record("a", 0),
        record("b", 1),
        record("c", 2, "failed"),
        record("b", 3, kind="rollback"),
        record("d", 4),
        record("e", 5, "failed"),
        record("f", 6, "running"),
    )
    assert ids(ledgers.kept(records, 2)) == ["1206f", "1204d", "1203b", "1201b"]
    assert ids(ledgers.kept(records, 9)) == ["1206f", "1204d", "1203b", "1201b", "1200a"]
    assert ids(ledgers.kept(records, 0)) == ["1206f"]


def arns(minute):
    return {"atena-prod-api": f"arn:aws:ecs:us-east-1:1:task-definition/api:{minute}"}


def test_what_runs_is_what_the_services_run_and_not_the_newest_record():
    records = newest_first(record("a", 0), record("b", 1), record("c", 2, "failed"))
    assert ledgers.running_of(records, arns(1)) is records[1]


def test_nothing_is_marked_where_something_else_runs():
    records = [record("a", 0)]
    assert ledgers.running_of(records, arns(7)) is None
    assert ledgers.running_of(records, {}) is None
    assert ledgers.running_of([record("a", 0, services=[])], arns(0)) is None


def test_all_services_must_match():
    both = record("a", 0, services=[service(), service("atena-prod-workers", "workers:4")])
    assert ledgers.running_of([both], {**arns(0), "atena-prod-workers": "workers:3"}) is None
    assert ledgers.running_of([both], {**arns(0), "atena-prod-workers": "arn:aws:ecs:us-east-1:1:task-definition/workers:4"}) is both


def test_of_several_that_match_the_newest_good_one_runs():
    same = record("a", 0).services
    records = newest_first(record("a", 0), record("a", 1, services=same), record("a", 2, "failed", services=same))
    assert ledgers.running_of(records, arns(0)) is records[1]
    # A failed one that could not be taken back is what runs, if no good one matches.
    assert ledgers.running_of([record("c", 2, "failed")], arns(2)).outcome == "failed"


def test_the_list_for_people_marks_what_runs_and_tells_reasons():
    records = newest_first(record("a", 0), record("b", 1), record("c", 2, "failed", reason="the migration failed\nwith many words", operator="ana"))
    shown = ledgers.lines(records, ledgers.running_of(records, arns(1)))
    assert len(shown) == 4
    assert shown[1].startswith("   cccccccccccc") and "failed" in shown[1] and shown[1].endswith("the migration failed")
    assert shown[2].startswith("*  bbbbbbbbbbbb") and "30 s" in shown[2] and "2027-01-15 12:01:00" in shown[2] and " ana " in shown[2]
    assert ledgers.lines([]) == ["No release is recorded."]


def test_a_release_that_goes_on_has_taken_no_time_yet():
    shown = ledgers.lines([record(outcome="running")])
    assert "running" in shown[1]


# --- The objects ------------------------------------------------------------------------------------------------------
def test_what_was_created_is_found_again(bucket):
    made = Ledger(bucket, "state", PREFIX).create(record("a"))
    assert list(bucket.objects) == [f"{PREFIX}20270115T120000Z-aaaaaaaaaaaa-0000.json"]
    assert Ledger(bucket, "state", PREFIX).recent() == [made]


def test_a_record_is_created_once(bucket):
    Ledger(bucket, "state", PREFIX).create(record("a"))
    before = dict(bucket.objects)
    with pytest.raises(CallFailed, match="exists already. Nothing was written"):
        Ledger(bucket, "state", PREFIX).create(replace(record("a"), host="another"))
    assert bucket.objects == before


def test_a_record_may_be_saved_again_and_again(bucket):
    ledger = Ledger(bucket, "state", PREFIX)
    made = ledger.create(record("a", outcome="running"))
    for step in ("migrating", "migrated", "rolling_out"):
        made = ledger.save(replace(made, step=step))
    ledger.save(release_record.ended(made, "succeeded"))
    assert Ledger(bucket, "state", PREFIX).recent()[0].outcome == "succeeded"


def test_a_record_that_another_run_changed_is_not_written_over(bucket):
    mine, other = Ledger(bucket, "state", PREFIX), Ledger(bucket, "state", PREFIX)
    made = mine.create(record("a", outcome="running"))
    (theirs,) = other.recent()
    other.save(release_record.ended(theirs, "interrupted"))
    with pytest.raises(CallFailed, match="changed by another run") as refused:
        mine.save(release_record.ended(made, "succeeded"))
    assert refused.value.code == "PreconditionFailed"
    assert Ledger(bucket, "state", PREFIX).recent()[0].outcome == "interrupted"
    # Trying again does not help: it must be read first.
    with pytest.raises(CallFailed, match="changed by another run"):
        mine.save(release_record.ended(made, "succeeded"))


def test_a_record_that_changes_between_a_refusal_and_the_look_stays_the_others(bucket):
    mine, other = Ledger(bucket, "state", PREFIX), Ledger(bucket, "state", PREFIX)
    made = mine.create(record("a", outcome="running"))
    (theirs,) = other.recent()
    bucket.before["put_object"] = lambda: other.save(release_record.ended(theirs, "failed", "x"))
    with pytest.raises(CallFailed, match="changed by another run"):
        mine.save(replace(made, step="migrating"))


def test_of_many_at_the_same_time_exactly_one_creates(bucket):
    together = threading.Barrier(8)

    def attempt(number):
        together.wait(timeout=60)
        try:
            Ledger(bucket, "state", PREFIX).create(replace(record("a"), host=str(number)))
        except CallFailed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(8))) == [False] * 7 + [True]


@pytest.mark.parametrize("first", ["create", "save"])
def test_a_lost_answer_is_not_taken_for_another_run(bucket, first):
    """The write arrived, its answer did not, and the retry was refused."""
    ledger = Ledger(bucket, "state", PREFIX)
    made = record("a", outcome="running")
    if first == "save":
        ledger.create(made)
        made = replace(made, step="migrating")

    def retry_is_refused():
        raise failure("At least one of the pre-conditions you specified did not hold", "PreconditionFailed")

    bucket.after["put_object"] = retry_is_refused
    getattr(ledger, first)(made)
    ledger.save(release_record.ended(made, "succeeded"))
    assert Ledger(bucket, "state", PREFIX).recent()[0].outcome == "succeeded"


def test_a_write_at_the_same_moment_is_tried_again(bucket):
    slept = []

    def conflict():
        raise failure("A conflicting conditional operation is currently in progress", "ConditionalRequestConflict")

    bucket.before["put_object"] = conflict
    Ledger(bucket, "state", PREFIX, sleep=slept.append).create(record("a"))
    assert len(slept) == 1 and len(bucket.objects) == 1


def test_a_conflict_that_stays_is_told():
    def conflict(*_, **__):
        raise failure("A conflicting conditional operation is currently in progress", "ConditionalRequestConflict")

    slept = []
    with pytest.raises(CallFailed, match="conflicting"):
        Ledger(conflict, "state", PREFIX, sleep=slept.append).create(record("a"))
    assert 1 < len(slept) < 10


def test_a_record_deleted_meanwhile_is_not_made_again(bucket):
    ledger = Ledger(bucket, "state", PREFIX)
    made = ledger.create(record("a", outcome="running"))
    bucket.objects.clear()
    with pytest.raises(CallFailed, match="was deleted"):
        ledger.save(made)
    assert bucket.objects == {}


def test_the_newest_come_first_over_every_page():
    bucket = Bucket(page=3)
    ledger = Ledger(bucket, "state", PREFIX)
    for minute in range(10):
        ledger.create(record("abcdefghij"[minute], minute))
    assert ids(ledger.recent(4)) == ["1209j", "1208i", "1207h", "1206g"]
    assert len(ledger.recent()) == 10


def test_what_is_known_in_the_version_that_is_listed_is_not_read_again(bucket):
    other, ledger = Ledger(bucket, "state", PREFIX), Ledger(bucket, "state", PREFIX)
    made = [other.create(record("abc"[minute], minute, outcome="running")) for minute in range(3)]
    assert len(ledger.recent()) == len(bucket.read) == 3
    assert ids(ledger.recent()) == ids(ledger.lazily()[:3]) and len(bucket.read) == 3
    other.save(replace(made[1], outcome="failed"))
    assert [one.outcome for one in ledger.recent()] == ["running", "failed", "running"] and len(bucket.read) == 4
    ledger.save(replace(ledger.recent()[0], outcome="succeeded"))
    assert ledger.recent()[0].outcome == "succeeded" and len(bucket.read) == 4, "what it wrote itself it knows"


def test_who_asks_for_the_newest_reads_no_other(bucket):
    ledger = Ledger(bucket, "state", PREFIX)
    for minute in range(12):
        ledger.create(record("abcdefghijkl"[minute], minute))
    records = Ledger(bucket, "state", PREFIX).lazily(11)
    assert (records[0].release[0], len(bucket.read), len(records)) == ("l", 1, 11)
    assert ledgers.last_good(records) and len(bucket.read) == 1
    assert [one.release[0] for one in records] == list("lkjihgfedcb") == [one.release[0] for one in records[:]]
    assert len(bucket.read) == 11 and records[-1].release[0] == "b"
    with pytest.raises(IndexError):
        records[11]


def test_other_objects_are_no_records(bucket):
    bucket.objects.update({f"{PREFIX}README": b"x", f"{PREFIX}old/20270115T120000Z-a-0.json": b"x", "atena/stage/releases/20270115T120000Z-a-0.json": b"x"})
    assert Ledger(bucket, "state", PREFIX).recent() == []


@pytest.fixture
def filled(bucket):
    ledger = Ledger(bucket, "state", PREFIX)
    for made in (record("a", 0), record("b", 1), record("c", 2, "failed"), record("b", 3, "failed"), record("c", 4, "failed")):
        ledger.create(made)
    other = record("b", 5)
    ledger.create(replace(other, release="b" * 11 + "a" + "b" * 28, id=release_record.new_id(NOON + timedelta(minutes=5), "b" * 11 + "a", "0000")))
    return ledger


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("20270115T120300Z-bbbbbbbbbbbb-0000", "1203b"),  # an id
        ("20270115T1202", "1202c"),  # the beginning of one
        (sha("a"), "1200a"),  # a commit
        ("aaaaaaa", "1200a"),  # the beginning of one
        ("AAAAAAA", "1200a"),
        ("b" * 12, "1201b"),  # of several releases, the newest that succeeded, though a later one failed
        ("b" * 30, "1201b"),  # longer than what the id tells of it
        ("ccccccc", "1204c"),  # none succeeded: the newest
    ],
)
def test_a_release_is_found_by_id_commit_or_the_beginning_of_one(filled, reference, wanted):
    assert ids([filled.find(reference)]) == [wanted]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("fffffff", ["No recorded release is called 'fffffff'", "Nothing was changed", "aaaaaaaaaaaa", "cccccccccccc"]),
        ("aaaa", ["'aaaa' is too short: at least 7 characters distinguish commits", "Nothing was changed", "aaaaaaaaaaaa"]),
        ("a" * 39 + "b", ["No recorded release is called"]),
        ("", ["'' is too short", "aaaaaaaaaaaa"]),
        ("bbbbbbb", ["names releases of 2 commits", "write more of it", "bbbbbbbbbbba", "bbbbbbbbbbbb"]),
        ("20270115", ["names releases of 4 commits"]),
    ],
)
def test_an_unknown_or_ambiguous_reference_is_refused_and_told_what_there_is(filled, reference, words):
    with pytest.raises(CallFailed) as refused:
        filled.find(reference)
    for word in words:
        assert word in str(refused.value), str(refused.value)


def test_an_unknown_reference_in_an_empty_ledger(bucket):
    with pytest.raises(CallFailed, match="No release is recorded"):
        Ledger(bucket, "state", PREFIX).find("abcdef0")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"null", b'{"format": 1, "findings": []}'])
def test_what_is_no_record_is_named(bucket, body):
    bucket.objects[f"{PREFIX}20270115T120000Z-a-0.json"] = body
    with pytest.raises(CallFailed, match="s3://state/atena/prod/releases/20270115T120000Z-a-0.json is not a record"):
        Ledger(bucket, "state", PREFIX).recent()


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"migration": None}, "migration is null, not an object"),
        ({"migration": {"outcome": 1}}, "migration.outcome is a whole number, not text"),
        ({"services": [{"name": "api"}]}, r"services\[0\].task_definition is missing"),
        ({"services": {"api": 1}}, "services is an object, not a list"),
        ({"images": {"api": None}}, "images.api is null, not text"),
        ({"secrets": {"A": True}}, "secrets.A is true or false, not a whole number"),
        ({"outcome": ...}, "outcome is missing"),
        ({"ended_at": "yesterday"}, "ended_at is no moment in ISO 8601"),
    ],
)
def test_a_record_that_somebody_damaged_is_named_with_what_is_wrong_and_what_to_do(bucket, change, cause):
    stored = {name: value for name, value in {**record("a").as_dict(), **change}.items() if value is not ...}
    key = f"{PREFIX}{stored['id']}.json"
    bucket.objects[key] = json.dumps(stored).encode()
    with pytest.raises(CallFailed, match=f"s3://state/{key} is not a record of a release: {cause}. .* --bucket state --prefix {key}` names"):
        Ledger(bucket, "state", PREFIX).recent()


def test_what_a_later_version_added_stays_when_a_record_is_written_again(bucket):
    ledger, stored = Ledger(bucket, "state", PREFIX), record("a", outcome="running").as_dict()
    stored["canary"] = {"percent": 5}
    stored["services"][0]["weights"] = [1, 2]
    stored["migration"]["attempts"] = 2
    key = f"{PREFIX}{stored['id']}.json"
    bucket.objects[key] = json.dumps(stored).encode()
    (found,) = ledger.recent()
    ledger.save(release_record.ended(replace(found, migration=replace(found.migration, exit_code=0)), "succeeded", now=NOON))
    again = json.loads(bucket.objects[key])
    assert (again["canary"], again["services"][0]["weights"], again["migration"]["attempts"]) == ({"percent": 5}, [1, 2], 2)
    assert (again["outcome"], again["migration"]["exit_code"]) == ("succeeded", 0) and set(again) - {"canary"} == set(KEYS)


def test_a_record_of_before_what_it_was_built_from_was_kept_is_written_as_it_was(bucket):
    ledger, stored = Ledger(bucket, "state", PREFIX), {name: value for name, value in record("a").as_dict().items() if name != "build"}
    key = f"{PREFIX}{stored['id']}.json"
    bucket.objects[key] = json.dumps(stored).encode()
    (found,) = ledger.recent()
    assert found.build == Build()
    ledger.save(replace(found, reason="x"))
    assert json.loads(bucket.objects[key]) == {**stored, "reason": "x"}


def test_a_record_of_a_newer_version_is_not_misread(bucket):
    bucket.objects[f"{PREFIX}20270115T120000Z-a-0.json"] = b'{"format": 2}'
    with pytest.raises(CallFailed, match="Upgrade the collection"):
        Ledger(bucket, "state", PREFIX).recent()


def test_without_the_bucket_the_remedy_is_named():
    def nowhere(*_, **__):
        raise failure("The specified bucket does not exist", "NoSuchBucket")

    with pytest.raises(CallFailed, match="state does not exist. Run bootstrap.yml"):
        Ledger(Asked(nowhere), "state", PREFIX).recent()
