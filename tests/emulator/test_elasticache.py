"""What the emulator's extension decides of ElastiCache, apart from the emulator."""

import io
import tarfile

import pytest
from extension.elasticache import cache_encryption, cache_parameters, cache_snapshots, cache_versions


class TestCaches:
    def test_only_redis_own_settings_reach_redis(self):
        group = {"maxmemory-policy": {"Value": "noeviction"}, "databases": {"Value": "16"}, "timeout": {"Value": ""}, "invented": {"Value": "1"}}
        assert cache_parameters.redis_settings(group) == {"maxmemory-policy": "noeviction"}

    @pytest.mark.parametrize(
        ("wish", "word"),
        [
            ({}, ""),
            ({"Engine": "redis", "EngineVersion": "7.1"}, ""),
            ({"EngineVersion": "7"}, ""),
            ({"EngineVersion": "7.2"}, ""),
            ({"Engine": "valkey", "EngineVersion": "7.0"}, ""),
            ({"EngineVersion": "7.0"}, "version 7.1 into version 7.0"),
            ({"EngineVersion": "6.2"}, "version 7.1 into version 6.2"),
            ({"Engine": "memcached"}, "into memcached"),
            ({"NumNodeGroups": "3"}, "has 1 node groups, not 3"),
        ],
    )
    def test_a_snapshot_fits_a_cache_that_is_not_older(self, wish, word):
        snapshot = {"Engine": "redis", "EngineVersion": "7.1", "NodeSnapshots": [{}]}
        found = cache_snapshots.mismatch({name: [value] for name, value in wish.items()}, snapshot)
        assert word in found and bool(found) is bool(word)

    def test_a_file_for_a_container_is_an_archive_of_it(self):
        with tarfile.open(fileobj=io.BytesIO(cache_snapshots.packed("dump.rdb", b"REDIS\0"))) as archive:
            assert archive.getnames() == ["dump.rdb"]
            assert archive.extractfile("dump.rdb").read() == b"REDIS\0"

    def test_what_is_the_labs_own_is_not_shown(self):
        snapshot = {"SnapshotName": "a&b", "Port": 6379, "VpcId": None, "AutoMinorVersionUpgrade": True, "_data": {"0001": b"x"},
                    "NodeSnapshots": [{"CacheNodeId": "0001", "_node_group": "0001"}]}  # fmt: skip
        assert cache_snapshots.render(snapshot) == (
            "<SnapshotName>a&amp;b</SnapshotName><Port>6379</Port><AutoMinorVersionUpgrade>true</AutoMinorVersionUpgrade>"
            "<NodeSnapshots><NodeSnapshot><CacheNodeId>0001</CacheNodeId></NodeSnapshot></NodeSnapshots>"
        )

    @pytest.mark.parametrize(
        ("engine", "encryption", "group", "refused"),
        [("redis", True, "", True), ("redis", False, "", False), ("redis", True, "a-group", False), ("memcached", True, "", False)],
    )
    def test_a_lone_redis_has_no_encryption_in_transit(self, engine: str, encryption: bool, group: str, refused: bool) -> None:
        assert cache_encryption.refusal(engine, encryption, group) == ("Encryption feature is not supported for engine REDIS." if refused else "")

    @pytest.mark.parametrize(
        ("engine", "version", "words"),
        [
            ("redis", "7.1", ""),
            ("redis", "5.0.6", ""),
            ("memcached", "1.6.17", ""),
            ("redis", "7.1.0", "please use '7.1'"),
            ("valkey", "8.0.1", "please use '8.0'"),
        ],
    )
    def test_a_whole_version_cannot_be_asked_for(self, engine, version, words):
        refused = cache_versions.refusal(engine, version)
        assert words in refused and bool(refused) is bool(words)

    @pytest.mark.parametrize(("asked", "has"), [("7.1", "7.1.0"), ("5.0.6", "5.0.6")])
    def test_a_cache_has_a_whole_version(self, asked, has):
        heard = []
        cache_versions._whole(heard.append)({"Engine": ["redis"], "EngineVersion": [asked]})
        assert heard == [{"Engine": ["redis"], "EngineVersion": [has]}]
