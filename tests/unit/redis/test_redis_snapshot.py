"""Snapshots: taken once, proved before anything depends on them, and pruned with care."""

import datetime

import pytest
import redis_world
from ansible_collections.atena.aws.plugins.module_utils.core import calls as aws_calls
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read, snapshot as redis_snapshot
from redis_world import GROUP, NAME, SNAPSHOT, START, cluster, group, node, sharded, snapshot, snapshot_of_shards

WAIT = {"timeout": 300, "delay": 10}


def patience(options):
    """What of these says how long is waited, which it takes out."""
    return redis_read.Patience(**{**WAIT, **{name: options.pop(name) for name in ("timeout", "delay", "say", "guard") if name in options}})


@pytest.fixture
def cache(monkeypatch):
    """A cluster whose snapshots take 40 seconds. Time passes only when somebody sleeps."""
    world = redis_world.Cache()
    world.clusters[NAME] = cluster()
    world.after[("*", "creating")] = (40, "available")
    world.after[("*", "deleting")] = (20, None)
    monkeypatch.setattr(redis_read.time, "sleep", world.sleep)
    monkeypatch.setattr(redis_read, "Deadline", lambda seconds: aws_calls.Deadline(seconds, clock=lambda: world.clock))
    return world


def take(cache, identifier=NAME, name="new", **options):
    return redis_snapshot.create(cache, redis_read.find(cache, identifier), name, patience(options), **options)


def writes(cache):
    return [operation for operation, _arguments in cache.writes]


class TestTake:
    def test_it_is_waited_for(self, cache):
        lines = []
        taken = take(cache, say=lines.append)
        assert (taken["name"], taken["status"], taken["source"], taken["manual"]) == ("new", "available", NAME, True)
        assert cache.writes == [("create_snapshot", {"SnapshotName": "new", "CacheClusterId": NAME})]
        assert 40 <= cache.clock < 60
        assert lines == [
            f"[0:00 of 5:00] {NAME}: available",
            f"[0:00 of 5:00] {NAME}: snapshot requested: new",
            f"[0:00 of 5:00] {NAME}: snapshot new: creating",
            *[line for line in lines[3:-1] if line.endswith("creating")],
            lines[-1],
        ]
        assert lines[-1].endswith("snapshot new: available")

    def test_one_that_is_there_is_not_taken_again(self, cache):
        cache.snapshots["new"] = snapshot("new")
        assert take(cache)["status"] == "available"
        assert cache.writes == []

    def test_one_that_is_being_taken_is_waited_for(self, cache):
        cache.snapshots["new"] = snapshot("new", SnapshotStatus="creating")
        assert take(cache)["status"] == "available"
        assert cache.writes == []

    def test_without_waiting_it_is_left_to_itself(self, cache):
        assert take(cache, wait=False)["status"] == "creating"
        assert cache.clock == 0

    @pytest.mark.parametrize("status", ["creating", "modifying", "snapshotting", "rebooting cluster nodes"])
    def test_a_busy_cluster_is_waited_for(self, cache, status):
        cache.clusters[NAME]["CacheClusterStatus"] = status
        cache.after[(NAME, status)] = (30, "available")
        assert take(cache)["status"] == "available"
        assert cache.clock >= 70

    def test_a_busy_cluster_is_not_waited_for_without_end(self, cache):
        cache.clusters[NAME]["CacheClusterStatus"] = "modifying"
        with pytest.raises(CallFailed, match="stays modifying: the snapshot new was not taken"):
            take(cache)
        assert cache.writes == []

    def test_a_group_is_snapshot_at_its_primary_and_says_whose_it_is(self, cache):
        cache.groups[GROUP] = group()
        cache.clusters[f"{GROUP}-002"] = node("002")
        taken = take(cache, GROUP, tags={"By": "us"})
        assert cache.writes[0][1] == {
            "SnapshotName": "new",
            "CacheClusterId": f"{GROUP}-002",
            "Tags": [{"Key": "By", "Value": "us"}, {"Key": "atena:source", "Value": GROUP}],
        }
        assert (taken["source"], taken["node"], taken["kind"]) == (GROUP, f"{GROUP}-002", "replication_group")

    def test_shards_are_snapshot_together(self, cache):
        cache.groups[GROUP] = sharded()
        cache.clusters[f"{GROUP}-0001-001"] = node("0001-001")
        taken = take(cache, GROUP)
        assert cache.writes == [("create_snapshot", {"SnapshotName": "new", "ReplicationGroupId": GROUP})]
        assert (taken["shards"], taken["source"]) == (2, GROUP)

    @pytest.mark.parametrize("lost", [["after"], ["before"], ["before", "after"]])
    def test_an_answer_that_was_lost_makes_no_second_one(self, cache, lost):
        cache.lose["create_snapshot"] = lost
        assert take(cache)["status"] == "available"
        assert writes(cache) == ["create_snapshot"]

    def test_a_write_that_never_arrives_is_a_failure(self, cache):
        cache.lose["create_snapshot"] = ["before"] * 50
        with pytest.raises(CallFailed, match="reset"):
            take(cache)

    def test_the_daily_snapshot_may_be_faster(self, cache):
        cache.lose["create_snapshot"] = ["InvalidCacheClusterState"] * 3
        assert take(cache)["status"] == "available"

    def test_what_is_refused_is_told_at_once(self, cache):
        cache.lose["create_snapshot"] = ["SnapshotQuotaExceededFault"]
        with pytest.raises(CallFailed, match="SnapshotQuotaExceeded"):
            take(cache)
        assert cache.clock == 0

    def test_one_of_another_cluster_is_not_taken_for_it(self, cache):
        cache.snapshots["new"] = snapshot("new", CacheClusterId="another")
        with pytest.raises(CallFailed, match="already, of another and not of"):
            take(cache)

    def test_one_that_fails_is_told_with_the_reason(self, cache):
        cache.after[("new", "creating")] = (30, "failed")
        cache.events = ["Snapshot failed: not enough reserved memory."]
        with pytest.raises(CallFailed, match="is failed. ElastiCache's last words: Snapshot failed: not enough reserved memory. .* was not touched"):
            take(cache)

    def test_one_that_vanishes_is_told(self, cache):
        cache.after[("new", "creating")] = (30, None)
        with pytest.raises(CallFailed, match="is gone"):
            take(cache)

    def test_one_that_never_completes_is_left_to_itself(self, cache):
        cache.after[("new", "creating")] = (10_000, "available")
        with pytest.raises(CallFailed, match="still creating. It continues"):
            take(cache)
        assert 300 <= cache.clock < 320
        assert writes(cache) == ["create_snapshot"]

    def test_a_lost_lock_ends_the_wait_before_the_next_write(self, cache):
        def guard():
            raise failure("Somebody else has the lock.", "LockLost")

        with pytest.raises(CallFailed, match="lock"):
            take(cache, guard=guard)
        assert cache.writes == []

    @pytest.mark.parametrize("name", ["New", "1new", "new-", "ne--w", "ne_w", ""])
    def test_a_name_that_cannot_be_is_refused(self, cache, name):
        with pytest.raises(CallFailed, match="cannot be a snapshot's name"):
            take(cache, name=name)


@pytest.mark.parametrize(
    "described, because",
    [
        (cluster(), None),
        (cluster(CacheClusterStatus="snapshotting"), None),
        (cluster(EngineVersion="2.8.6"), None),  # the guide: old versions are saved by a fork
        (cluster(CacheNodeType="cache.r6gd.xlarge"), None),
        (cluster(Engine="memcached"), "Valkey and Redis OSS only"),
        (cluster(CacheNodeType="cache.t1.micro"), "cache.t1.micro"),
        (node("001"), f"is a node of the replication group {GROUP}"),
        *[(cluster(CacheClusterStatus=status), f"is {status}") for status in ("deleting", "create-failed", "restore-failed", "incompatible-network")],
    ],
)
def test_what_cannot_be_snapshot_is_refused_with_the_reason(cache, described, because):
    told = redis_read.from_cluster(described)
    found = redis_snapshot.refusals(told)
    assert (found == []) if because is None else (len(found) == 1 and because in found[0])
    if because:
        cache.clusters[told["id"]] = described
        with pytest.raises(CallFailed, match="Nothing was changed"):
            redis_snapshot.create(cache, told, "new", patience({}))
        assert cache.writes == []


def test_a_cluster_that_is_gone_is_told(cache):
    told = redis_read.find(cache, NAME)
    del cache.clusters[NAME]
    with pytest.raises(CallFailed, match="does not exist"):
        redis_snapshot.create(cache, told, "new", patience({}))


AUTOMATIC = {"SnapshotSource": "automated"}
LATER = START + datetime.timedelta(days=1)


@pytest.mark.parametrize(
    "taken, because",
    [
        ({}, None),
        ({"Port": None, "CacheClusterCreateTime": None}, None),
        ({"SnapshotRetentionLimit": 9, "SnapshotWindow": "01:00-02:00"}, None),
        *[({"SnapshotStatus": status}, f"is {status}") for status in ("creating", "copying", "restoring", "exporting", "deleting", "failed")],
        ({"CacheClusterId": "another"}, "taken of another"),
        (AUTOMATIC, "deletes it with its source"),
        ({"NodeSnapshots": []}, "does not show when"),
        ({"NodeSnapshots": [{"CacheNodeId": "0001"}]}, "data of 0001"),
        ({"CacheClusterCreateTime": START - datetime.timedelta(days=1)}, "and this one at"),
        *[({"EngineVersion": version}, None) for version in ("7.1", "7.1.0", "7.1.3")],  # the cluster says 7.1.0
        ({"EngineVersion": "7.0.7"}, "engine_version 7.0.7"),
        ({"Engine": "valkey"}, "engine valkey"),
        ({"CacheNodeType": "cache.m7g.large"}, "node_type cache.m7g.large"),
        ({"Port": 6380}, "port 6380"),
        ({"CacheSubnetGroupName": "x"}, "subnet_group x"),
        ({"CacheParameterGroupName": "x"}, "parameter_group x"),
    ],
)
def test_what_proves_that_a_cluster_can_be_made_again(taken, because):
    found = redis_snapshot.problems(redis_snapshot.describe(snapshot(**taken)), redis_read.from_cluster(cluster()))
    assert (found == []) if because is None else (len(found) == 1 and because in found[0]), found


def test_nothing_proves_nothing():
    assert redis_snapshot.problems(None, redis_read.from_cluster(cluster())) == [f"there is no snapshot of {NAME}"]


def test_yesterday_s_snapshot_proves_nothing_of_today_s_cluster():
    today = redis_read.from_cluster(cluster(CacheClusterCreateTime=LATER))
    for taken in (snapshot(), snapshot(CacheClusterCreateTime=None)):
        assert len(redis_snapshot.problems(redis_snapshot.describe(taken), today)) == 1


def test_what_proves_that_a_group_can_be_made_again():
    replicas = redis_read.from_group(group(CacheNodeType="cache.t4g.micro", Engine="redis"), node("002"))
    of_primary = snapshot(CacheClusterId=f"{GROUP}-002", Port=6380)
    assert redis_snapshot.problems(redis_snapshot.describe(of_primary), replicas) == []
    old = redis_read.from_group(group(CacheNodeType="cache.t4g.micro", Engine="redis", ReplicationGroupCreateTime=LATER), node("002"))
    assert "made after that" in redis_snapshot.problems(redis_snapshot.describe(of_primary), old)[0]
    shards = redis_read.from_group(sharded(CacheNodeType="cache.t4g.micro"), node("0001-001"))
    assert redis_snapshot.problems(redis_snapshot.describe(snapshot_of_shards()), shards) == []
    one = snapshot_of_shards()
    one["NodeSnapshots"].pop()
    assert any("holds 1 shards" in problem for problem in redis_snapshot.problems(redis_snapshot.describe(one), shards))


class TestList:
    def test_newest_first_of_all_pages_and_of_a_cluster_that_is_gone(self, cache):
        cache.clusters.clear()
        for name, hours in (("c", 3), ("a", 1), ("d", 4), ("b", 2)):
            cache.snapshots[name] = snapshot(name, hours)
        cache.snapshots["other"] = snapshot("other", CacheClusterId="another")
        cache.snapshots["now"] = snapshot("now", SnapshotStatus="creating", NodeSnapshots=[{"CacheNodeId": "0001"}])
        assert [told["name"] for told in redis_snapshot.list_snapshots(cache, NAME)] == ["now", "d", "c", "b", "a"]

    def test_a_group_s_nodes_are_known_by_the_tag_and_not_by_their_looks(self, cache):
        cache.snapshots["ours"] = snapshot("ours", CacheClusterId=f"{GROUP}-001")
        cache.snapshots["looks-like-it"] = snapshot("looks-like-it", CacheClusterId=f"{GROUP}-002")
        cache.tags[cache.snapshots["ours"]["ARN"]] = {"atena:source": GROUP}
        found = redis_snapshot.list_snapshots(cache, GROUP)
        assert [(told["name"], told["source"], told["node"]) for told in found] == [("ours", GROUP, f"{GROUP}-001")]
        assert redis_snapshot.read(cache, "ours")["source"] == GROUP

    def test_of_a_living_group_the_nodes_are_known(self, cache):
        cache.groups[GROUP] = group()
        cache.clusters[f"{GROUP}-002"] = node("002")
        cache.snapshots["automatic.x"] = snapshot("automatic.x", CacheClusterId=f"{GROUP}-001", **AUTOMATIC)
        found = redis_snapshot.list_snapshots(cache, GROUP, redis_read.find(cache, GROUP))
        assert [(told["name"], told["manual"]) for told in found] == [("automatic.x", False)]

    def test_it_tells_size_and_moment(self, cache):
        cache.snapshots[SNAPSHOT] = snapshot()
        (told,) = redis_snapshot.list_snapshots(cache, NAME)
        assert (told["size"], told["created_at"], told["source_created_at"]) == ("6 MB", "2026-01-31T13:00:00Z", "2026-01-31T12:00:00Z")
        assert redis_snapshot.read(cache, "none") is None


def listed(**created):
    return [redis_snapshot.describe(snapshot(name.replace("_", "-"), hours)) for name, hours in created.items()]


class TestPrune:
    @pytest.mark.parametrize(
        "options, names",
        [
            ({"keep": 2, "protected": ()}, ["a", "b"]),
            ({"keep": 4, "protected": ()}, []),
            ({"keep": 0, "protected": ()}, ["a", "b", "c", "d"]),
            ({"keep": 1, "protected": ["b"]}, ["a", "c"]),
            ({"keep": 0, "protected": (), "prefix": "x"}, []),
            ({"keep": 0, "protected": (), "restored": "c"}, ["a", "b"]),
            ({"keep": 3, "protected": (), "restored": "c"}, ["a"]),
            ({"keep": 0, "protected": (), "restored": "gone"}, []),
        ],
    )
    def test_what_goes(self, options, names):
        assert redis_snapshot.prune_plan(listed(a=1, b=2, c=3, d=4), **options) == names

    @pytest.mark.parametrize("status", ["creating", "restoring", "copying", "exporting", "deleting", "failed"])
    def test_what_is_not_available_neither_goes_nor_counts(self, status):
        snapshots = [*listed(a=1, b=2), redis_snapshot.describe(snapshot("c", 3, SnapshotStatus=status))]
        assert redis_snapshot.prune_plan(snapshots, 1, ()) == ["a"]

    def test_automatic_ones_are_left_to_aws(self):
        snapshots = [*listed(a=1, b=2), redis_snapshot.describe(snapshot("automatic", 0, **AUTOMATIC))]
        assert redis_snapshot.prune_plan(snapshots, 1, ()) == ["a"]

    def test_a_moment_that_is_unknown_is_not_older_than_one_that_was_restored(self):
        snapshots = [*listed(a=1, b=2), redis_snapshot.describe(snapshot("new", NodeSnapshots=[{"CacheNodeId": "0001"}]))]
        assert redis_snapshot.prune_plan(snapshots, 0, (), restored="b") == ["a"]


class TestDelete:
    def test_it_is_gone_afterwards(self, cache):
        cache.snapshots["old"] = snapshot("old")
        assert redis_snapshot.delete(cache, "old", patience({})) is True
        assert (cache.snapshots, writes(cache)) == ({}, ["delete_snapshot"])

    def test_what_is_gone_is_no_failure(self, cache):
        assert redis_snapshot.delete(cache, "old", patience({})) is False

    def test_one_that_is_in_use_is_waited_for(self, cache):
        cache.snapshots["old"] = snapshot("old", SnapshotStatus="restoring")
        cache.after[("old", "restoring")] = (60, "available")
        assert redis_snapshot.delete(cache, "old", patience({})) is True
        assert cache.clock >= 80

    def test_one_that_stays_in_use_is_left(self, cache):
        cache.snapshots["old"] = snapshot("old", SnapshotStatus="exporting")
        with pytest.raises(CallFailed, match="still exporting after"):
            redis_snapshot.delete(cache, "old", patience({}))
        assert cache.writes == []

    @pytest.mark.parametrize("lost", [["before"], ["after"], ["InvalidSnapshotState"]])
    def test_a_lost_answer_or_a_bad_moment_is_outlasted(self, cache, lost):
        cache.snapshots["old"] = snapshot("old")
        cache.lose["delete_snapshot"] = lost
        assert redis_snapshot.delete(cache, "old", patience({})) is True
        assert cache.snapshots == {}

    def test_a_refusal_is_told(self, cache):
        cache.snapshots["old"] = snapshot("old")
        cache.lose["delete_snapshot"] = ["AccessDenied"]
        with pytest.raises(CallFailed, match="AccessDenied"):
            redis_snapshot.delete(cache, "old", patience({}))
