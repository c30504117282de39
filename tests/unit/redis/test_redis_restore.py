"""Redis made again and deleted: what is sent, how often, and what is left when it fails."""

import datetime

import pytest
import redis_world
from ansible_collections.atena.aws.plugins.module_utils.core import calls as aws_calls
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, failure
from ansible_collections.atena.aws.plugins.module_utils.redis import read as redis_read, restore as redis_restore, snapshot as redis_snapshot
from redis_world import GROUP, NAME, SNAPSHOT, START, cluster, group, node, snapshot

WAIT = {"timeout": 300, "delay": 10}


def patience(options):
    """What of these says how long is waited, which it takes out."""
    return redis_read.Patience(**{**WAIT, **{name: options.pop(name) for name in ("timeout", "delay", "say", "guard") if name in options}})


LATER = START + datetime.timedelta(days=1)
RECORD = {**redis_read.from_cluster(cluster())["parameters"], "tags": {"Name": NAME}}


@pytest.fixture
def cache(monkeypatch):
    """No cluster, and a snapshot of it. Time passes only when somebody sleeps."""
    world = redis_world.Cache()
    world.snapshots[SNAPSHOT] = snapshot()
    world.after[("*", "creating")] = (60, "available")
    world.after[("*", "deleting")] = (40, None)
    monkeypatch.setattr(redis_read.time, "sleep", world.sleep)
    monkeypatch.setattr(redis_read, "Deadline", lambda seconds: aws_calls.Deadline(seconds, clock=lambda: world.clock))
    return world


def restore(cache, **options):
    return redis_restore.restore(cache, options.pop("parameters", RECORD), options.pop("snapshot", SNAPSHOT), patience(options), **options)


def writes(cache):
    return [operation for operation, _arguments in cache.writes]


class TestRestore:
    def test_it_is_made_and_waited_for(self, cache):
        lines = []
        made = restore(cache, say=lines.append)
        assert (made["id"], made["status"], made["address"]) == (NAME, "available", f"{NAME}.x.cache.amazonaws.com")
        assert cache.writes == [redis_restore.arguments(RECORD, SNAPSHOT)]
        assert 60 <= cache.clock < 80
        assert lines[0].endswith(f"snapshot {SNAPSHOT}: available") and lines[1].endswith(f"{NAME}: restore requested from {SNAPSHOT}")
        assert lines[-1].endswith(f"{NAME}: available")

    def test_what_is_there_is_left_as_it_is(self, cache):
        cache.clusters[NAME] = cluster(CacheNodeType="cache.m7g.large")
        assert restore(cache)["parameters"]["node_type"] == "cache.m7g.large"
        assert cache.writes == []

    def test_what_is_being_made_is_waited_for(self, cache):
        """As after a run that was killed."""
        cache.clusters[NAME] = cluster(CacheClusterStatus="creating")
        assert restore(cache)["status"] == "available"
        assert cache.writes == []

    def test_what_is_being_deleted_is_waited_for_and_then_made(self, cache):
        cache.clusters[NAME] = cluster(CacheClusterStatus="deleting")
        assert restore(cache)["created_at"] == "2026-02-01T12:00:00Z"
        assert writes(cache) == ["create_cache_cluster"] and cache.clock >= 100

    def test_another_name_makes_a_second_one(self, cache):
        cache.clusters[NAME] = cluster()
        assert restore(cache, identifier="second")["id"] == "second"
        assert cache.writes[0][1]["CacheClusterId"] == "second"
        assert set(cache.clusters) == {NAME, "second"}

    def test_a_group_gets_its_token_and_nobody_else_sees_it(self, cache):
        told = redis_read.from_group(group(), node("002", Engine="valkey"))["parameters"]
        cache.snapshots[SNAPSHOT].update(CacheClusterId=f"{GROUP}-002", Engine="valkey")
        cache.clusters[f"{GROUP}-002"] = node("002")
        lines = []
        restore(cache, parameters=told, auth_token="0123456789abcdef", say=lines.append)
        assert cache.writes[0][1]["AuthToken"] == "0123456789abcdef"
        assert "0123456789abcdef" not in " ".join(lines)

    @pytest.mark.parametrize("lost", [["after"], ["before"], ["before", "before", "after"]])
    def test_an_answer_that_was_lost_makes_no_second_one(self, cache, lost):
        cache.lose["create_cache_cluster"] = lost
        assert restore(cache)["status"] == "available"
        assert writes(cache) == ["create_cache_cluster"]

    def test_a_refusal_because_of_our_own_lost_attempt_is_none(self, cache):
        """The attempt arrives late: after we looked, before the next attempt."""
        cache.lose["create_cache_cluster"] = ["before", "CacheClusterAlreadyExists"]

        def made():
            cache.clusters[NAME] = cluster(CacheClusterStatus="creating")

        cache.at = [(0.5, made)]
        assert restore(cache)["status"] == "available"

    def test_somebody_else_s_cluster_is_not_taken_for_ours(self, cache):
        cache.lose["create_cache_cluster"] = ["CacheClusterAlreadyExists"]
        with pytest.raises(CallFailed, match="CacheClusterAlreadyExists"):
            restore(cache)

    def test_a_snapshot_in_use_is_waited_for(self, cache):
        cache.snapshots[SNAPSHOT]["SnapshotStatus"] = "copying"
        cache.after[(SNAPSHOT, "copying")] = (30, "available")
        assert restore(cache)["status"] == "available"
        cache.clusters.clear()
        cache.lose["create_cache_cluster"] = ["InvalidSnapshotState"] * 2
        assert restore(cache)["status"] == "available"

    @pytest.mark.parametrize("status", ["failed", "deleting", None])
    def test_a_snapshot_that_is_none_is_told(self, cache, status):
        cache.snapshots[SNAPSHOT]["SnapshotStatus"] = status
        if status is None:
            cache.snapshots.clear()
        with pytest.raises(CallFailed, match="Nothing was changed"):
            restore(cache)
        assert cache.writes == []

    def test_what_cannot_be_is_refused_before_anything_is_changed(self, cache):
        with pytest.raises(CallFailed, match="older than the snapshot's.*Nothing was changed"):
            restore(cache, parameters={**RECORD, "engine_version": "6.2"})
        assert cache.writes == []

    @pytest.mark.parametrize("status", ["create-failed", "restore-failed"])
    def test_a_restore_that_fails_tells_why_and_the_next_one_clears_it_away(self, cache, status):
        cache.after[(NAME, "creating")] = (30, status)
        cache.events = ["Not enough memory for the snapshot."]
        with pytest.raises(CallFailed, match=f"is {status}. It could not be restored from {SNAPSHOT}.*Not enough memory.*No snapshot was touched"):
            restore(cache)
        assert cache.snapshots[SNAPSHOT]["SnapshotStatus"] == "available"
        del cache.after[(NAME, "creating")]
        assert restore(cache)["status"] == "available"
        assert writes(cache) == ["create_cache_cluster", "delete_cache_cluster", "create_cache_cluster"]

    def test_a_cluster_that_lost_its_network_is_not_touched(self, cache):
        """There may be data in it."""
        cache.clusters[NAME] = cluster(CacheClusterStatus="incompatible-network")
        with pytest.raises(CallFailed, match="incompatible-network, and was not touched"):
            restore(cache)
        assert cache.writes == []

    def test_a_cluster_that_vanishes_is_told(self, cache):
        cache.after[(NAME, "creating")] = (30, None)
        with pytest.raises(CallFailed, match="is gone while it was waited for"):
            restore(cache)

    def test_when_the_time_is_over_it_goes_on_by_itself(self, cache):
        cache.after[(NAME, "creating")] = (10_000, "available")
        with pytest.raises(CallFailed, match="still creating. It continues; no snapshot was touched"):
            restore(cache)
        assert 300 <= cache.clock < 320

    def test_a_lost_lock_ends_it_before_the_next_write(self, cache):
        def guard():
            raise failure("Somebody else has the lock.", "LockLost")

        with pytest.raises(CallFailed, match="lock"):
            restore(cache, guard=guard)
        assert cache.writes == []


class TestDelete:
    @pytest.fixture
    def living(self, cache):
        cache.clusters[NAME] = cluster()
        return redis_read.find(cache, NAME)

    def delete(self, cache, living, **options):
        taken = redis_snapshot.read(cache, SNAPSHOT)
        return redis_restore.delete(cache, living, options.pop("snapshot", taken), patience(options), **options)

    def test_with_a_verified_snapshot_it_goes(self, cache, living):
        self.delete(cache, living)
        assert (cache.clusters, writes(cache)) == ({}, ["delete_cache_cluster"])
        assert cache.clock >= 40

    def test_a_group_goes_whole(self, cache):
        cache.groups[GROUP] = group(CacheNodeType="cache.t4g.micro", Engine="redis")
        cache.clusters[f"{GROUP}-002"] = node("002")
        cache.snapshots[SNAPSHOT].update(CacheClusterId=f"{GROUP}-002", Port=6380)
        self.delete(cache, redis_read.find(cache, GROUP))
        assert cache.writes == [("delete_replication_group", {"ReplicationGroupId": GROUP})]

    @pytest.mark.parametrize(
        "changes, because",
        [
            ({"SnapshotStatus": "creating"}, "is creating, not available"),
            ({"CacheClusterId": "another"}, "taken of another"),
            ({"SnapshotSource": "automated"}, "automatically"),
            ({"CacheClusterCreateTime": LATER}, "and this one at"),
            ({"NodeSnapshots": []}, "does not show when"),
        ],
    )
    def test_without_proof_it_stays(self, cache, living, changes, because):
        taken = redis_snapshot.read(cache, SNAPSHOT)
        cache.snapshots[SNAPSHOT].update(changes)  # what counts is what is true when it is to be deleted
        with pytest.raises(CallFailed, match=because):
            self.delete(cache, living, snapshot=taken)
        assert cache.writes == []

    def test_without_any_snapshot_it_stays(self, cache, living):
        with pytest.raises(CallFailed, match="there is no snapshot"):
            self.delete(cache, living, snapshot=None)
        taken = redis_snapshot.read(cache, SNAPSHOT)
        cache.snapshots.clear()
        with pytest.raises(CallFailed, match="there is no snapshot"):
            self.delete(cache, living, snapshot=taken)
        assert cache.writes == []

    def test_another_cluster_of_that_name_stays(self, cache, living):
        cache.clusters[NAME]["CacheClusterCreateTime"] = LATER
        with pytest.raises(CallFailed, match="it is another one than before"):
            self.delete(cache, living)
        assert cache.writes == []

    def test_a_member_of_a_global_datastore_stays(self, cache):
        cache.groups[GROUP] = group(GlobalReplicationGroupInfo={"GlobalReplicationGroupId": "everywhere"})
        with pytest.raises(CallFailed, match="everywhere"):
            self.delete(cache, redis_read.find(cache, GROUP))
        assert cache.writes == []

    def test_one_that_never_came_up_needs_no_snapshot(self, cache, living):
        cache.clusters[NAME]["CacheClusterStatus"] = "restore-failed"
        self.delete(cache, redis_read.find(cache, NAME), snapshot=None)
        assert cache.clusters == {}

    def test_one_that_is_gone_is_gone(self, cache, living):
        cache.clusters.clear()
        self.delete(cache, living)
        assert cache.writes == []

    def test_one_that_is_leaving_is_waited_for(self, cache, living):
        cache.clusters[NAME]["CacheClusterStatus"] = "deleting"
        self.delete(cache, living)
        assert cache.writes == [] and cache.clusters == {}

    def test_a_busy_one_is_waited_for(self, cache, living):
        cache.clusters[NAME]["CacheClusterStatus"] = "snapshotting"
        cache.after[(NAME, "snapshotting")] = (30, "available")
        self.delete(cache, living)
        assert cache.clusters == {} and cache.clock >= 70

    @pytest.mark.parametrize("lost", [["after"], ["before"], ["InvalidCacheClusterState"] * 2])
    def test_a_lost_answer_or_a_bad_moment_is_outlasted(self, cache, living, lost):
        cache.lose["delete_cache_cluster"] = lost
        self.delete(cache, living)
        assert (cache.clusters, writes(cache)) == ({}, ["delete_cache_cluster"])

    def test_a_refusal_is_told(self, cache, living):
        cache.lose["delete_cache_cluster"] = ["AccessDenied"]
        with pytest.raises(CallFailed, match="AccessDenied"):
            self.delete(cache, living)

    def test_when_the_time_is_over_it_says_so(self, cache, living):
        cache.after[(NAME, "deleting")] = (10_000, None)
        with pytest.raises(CallFailed, match="still deleting after .* Its deletion was requested and continues"):
            self.delete(cache, living)

    def test_the_one_that_another_run_makes_meanwhile_is_not_waited_for(self, cache, living):
        def made():
            cache.clusters[NAME] = cluster(CacheClusterCreateTime=LATER)

        cache.at = [(20, made)]
        self.delete(cache, living)
        assert writes(cache) == ["delete_cache_cluster"] and cache.clusters
