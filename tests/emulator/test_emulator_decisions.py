"""What the emulator's extension decides, apart from the emulator."""

import base64
import concurrent.futures
import io
import tarfile

import pytest
from extension.common import containers, lab_settings
from extension.ec2 import nat_states
from extension.ecr import image_tags, registry
from extension.ecs import (
    service_deployments,
    service_scaling,
    task_architecture,
    task_capacity,
    task_exec,
    task_families,
    task_images,
    task_logs,
    task_requests,
    task_rights,
    task_settings,
)
from extension.ecs import task_stop as stopping
from extension.elasticache import cache_parameters, cache_snapshots
from extension.elbv2 import listeners, load_balancer_state, target_health
from extension.iam import policy_simulation
from extension.logs import log_filter
from extension.rds import database_address, database_data, database_power, database_restore, database_snapshots, lab_clock
from extension.scheduler import schedule_targets
from extension.ssm import parameters
from ministack.core import responses
from ministack.core.iam_evaluator import parse_policy_document

DIGEST = "sha256:" + "a" * 64
GROUP = {"HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 3, "UnhealthyThresholdCount": 2}
PROBLEM = ("Target.FailedHealthChecks", "Health checks failed")


class TestContainers:
    def own(self, **settings):
        return containers.own_settings(settings, "lab", "net", "172.20.0.1")

    def test_labs_do_not_share_names(self):
        assert containers.own_name("ministack-rds-x", "lab") == "lab_rds-x"
        assert not containers.own_name("ministack-rds-x", "lab-2").startswith(containers.own_name("ministack-", "lab"))

    def test_ids_and_other_names_are_left_alone(self):
        assert containers.own_name("0123456789ab", "lab") == "0123456789ab"

    def test_everything_carries_the_labs_label(self):
        assert self.own(labels={"a": "b"})["labels"] == {"a": "b", "atena.lab": "lab"}

    def test_nothing_is_published_on_the_host(self):
        assert "ports" not in self.own(labels={"ministack": "rds"}, ports={"5432/tcp": 15432})

    def test_tasks_are_on_the_labs_network(self):
        assert self.own(labels={"ministack": "ecs"}, network=None)["network"] == "net"
        assert "network" not in self.own(labels={"ministack": "ecs"}, network_mode="host")

    def test_the_host_is_reached_at_the_networks_gateway(self):
        assert self.own(labels={"ministack": "ecs"}, extra_hosts={"host.docker.internal": "host-gateway"})["extra_hosts"] == {
            "host.docker.internal": "172.20.0.1"
        }

    def test_volumes_are_the_labs_own(self):
        assert self.own(volumes={"ministack-data": {"bind": "/d"}, "/tmp": {"bind": "/t"}})["volumes"] == {"lab_data": {"bind": "/d"}, "/tmp": {"bind": "/t"}}


class TestRegistry:
    def basic(self, text):
        return "Basic " + base64.b64encode(text.encode()).decode()

    def test_a_token_is_for_its_account_and_region(self):
        assert registry.scope_of(self.basic(f"AWS:{registry.password('123456789012', 'eu-west-1')}")) == ("123456789012", "eu-west-1")

    @pytest.mark.parametrize("text", ["AWS:wrong", "root:lab-token.1.us-east-1", "AWS:", ""])
    def test_anything_else_is_none(self, text):
        assert registry.scope_of(self.basic(text)) is None

    @pytest.mark.parametrize("header", ["", "Bearer x", "Basic ???"])
    def test_so_is_another_kind_of_authorization(self, header):
        assert registry.scope_of(header) is None

    def test_the_first_image_that_is_missing_is_told(self):
        images = [{"imageDigest": DIGEST, "imageTags": ["a"]}]
        assert registry.missing_image("r", images, [{"imageTag": "a"}, {"imageDigest": DIGEST}]) is None
        assert registry.missing_image("r", images, [{"imageTag": "a"}, {"imageTag": "b"}]) == {"imageTag": "b"}
        assert registry.missing_image("r", images, [{"imageTag": "a", "imageDigest": "sha256:other"}]) is not None


class TestImageTags:
    def images(self):
        index = '{"manifests": [{"digest": "sha256:part"}]}'
        return [
            {"imageDigest": "sha256:two", "imageTags": ["a", "b"], "imageId": {"imageDigest": "sha256:two", "imageTag": "a"}},
            {"imageDigest": "sha256:one", "imageTags": ["c"], "imageId": {"imageDigest": "sha256:one", "imageTag": "c"}},
            {"imageDigest": "sha256:part", "imageTags": []},
            {"imageDigest": "sha256:index", "imageTags": ["d"], "imageManifest": index},
        ]

    @pytest.mark.parametrize(
        ("wanted", "gone", "left"),
        [
            ({"imageTag": "a"}, ["a"], ["two", "one", "part", "index"]),
            ({"imageTag": "c"}, ["c"], ["two", "part", "index"]),
            ({"imageDigest": "sha256:two"}, ["a", "b"], ["one", "part", "index"]),
            ({"imageDigest": "sha256:one", "imageTag": "c"}, ["c"], ["two", "part", "index"]),
            ({"imageDigest": "sha256:index"}, ["d"], ["two", "one", "part"]),
        ],
    )
    def test_an_image_goes_with_its_last_tag_or_by_its_digest(self, wanted, gone, left):
        images = self.images()
        ids, failure = image_tags.delete_one(images, wanted)
        assert (failure, [image_id.get("imageTag") for image_id in ids]) == (None, gone)
        assert [image["imageDigest"].removeprefix("sha256:") for image in images] == left

    @pytest.mark.parametrize(
        ("wanted", "code"),
        [
            ({"imageTag": "none"}, "ImageNotFound"),
            ({"imageDigest": "sha256:none"}, "ImageNotFound"),
            ({"imageDigest": "sha256:one", "imageTag": "a"}, "ImageTagDoesNotMatchDigest"),
            ({"imageDigest": "sha256:part"}, "ImageReferencedByManifestList"),
        ],
    )
    def test_what_cannot_be_deleted_stays(self, wanted, code):
        images = self.images()
        ids, failure = image_tags.delete_one(images, wanted)
        assert (ids, failure["failureCode"], images) == ([], code, self.images())


class TestImages:
    @pytest.mark.parametrize(
        ("reference", "expected"),
        [
            ("123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b:sha-1", ("123456789012", "us-east-1", "a/b", "sha-1", None)),
            ("123456789012.dkr.ecr.us-east-1.amazonaws.com/a", ("123456789012", "us-east-1", "a", "latest", None)),
            (f"123456789012.dkr.ecr.us-east-1.amazonaws.com/a@{DIGEST}", ("123456789012", "us-east-1", "a", "latest", DIGEST)),
            (f"123456789012.dkr.ecr.us-east-1.amazonaws.com/a:t@{DIGEST}", ("123456789012", "us-east-1", "a", "t", DIGEST)),
        ],
    )
    def test_ecrs_references_are_understood(self, reference, expected):
        assert task_images.parse(reference) == expected

    @pytest.mark.parametrize("reference", ["postgres:16", "public.ecr.aws/x/y:1", "1.dkr.ecr.us-east-1.amazonaws.com/a"])
    def test_others_are_not_ecrs(self, reference):
        assert task_images.parse(reference) is None

    def test_a_digest_counts_more_than_a_tag(self):
        held = [{"imageDigest": DIGEST, "imageTags": ["old"]}, {"imageDigest": "sha256:new", "imageTags": ["t"]}]
        image = task_images.parse(f"123456789012.dkr.ecr.us-east-1.amazonaws.com/a:t@{DIGEST}")
        assert task_images.find_digest(image, held) == DIGEST
        assert task_images.find_digest(image._replace(digest=None), held) == "sha256:new"
        assert task_images.find_digest(image._replace(digest=None, tag="none"), held) is None


class TestSettings:
    def test_the_containers_own_memory_counts_first(self):
        assert task_settings.settings_of({"memory": 256}, {"memory": "512"})["mem_limit"] == 256 * 1024 * 1024

    def test_else_the_tasks_and_no_swap(self):
        settings = task_settings.settings_of({}, {"memory": "512"})
        assert settings["mem_limit"] == settings["memswap_limit"] == 512 * 1024 * 1024

    def test_what_is_not_set_is_not_passed(self):
        assert task_settings.settings_of({}, {}) == {}


class TestLogs:
    def test_lines_are_put_together_and_kept_apart(self):
        assert [line for batch in task_logs.batches_of_lines([b"a", b"b\nc\r\nd", b"", b"e"]) for line in batch] == ["ab", "c", "de"]

    def test_a_character_split_between_chunks_survives(self):
        assert list(task_logs.batches_of_lines(["é".encode()[:1], "é".encode()[1:] + b"\n"])) == [["é"]]

    def test_an_empty_line_is_a_line(self):
        assert list(task_logs.batches_of_lines([b"a\n\nb\n"])) == [["a", "", "b"]]

    @pytest.mark.parametrize("followed", [[], [b"a\nb"], [b"a", b"\n"], [b"a\nb\nc\n"]])
    @pytest.mark.parametrize("running", [1, 3])
    def test_what_an_engine_left_out_at_the_end_is_read_again(self, monkeypatch, followed, running):
        """Also where a first reading again comes before the end."""
        monkeypatch.setattr(task_logs, "_AGAIN", 0)

        class Container:
            id, looks = "0" * 64, 0

            def reload(self):
                self.looks += 1
                self.status = "running" if self.looks <= running else "exited"

            def logs(self, *, stream, follow, stdout, stderr):
                return iter(followed if follow else [b"a\n", b"b\nc", b"\n"])

        assert b"".join(task_logs.all_output(Container())) == b"a\nb\nc\n"


class TestStopping:
    @pytest.mark.parametrize("reason", [*stopping.SCHEDULER_REASONS, f"{stopping.HEALTH_REASON}(target-group x)"])
    def test_the_scheduler_is_told_from_a_user(self, reason):
        assert stopping.stop_code(reason) == "ServiceSchedulerInitiated"
        assert stopping.stop_code("because") == "UserInitiated"

    def test_the_grace_is_the_containers_own(self):
        definition = {"containerDefinitions": [{"name": "a", "stopTimeout": 120}, {"name": "b"}]}
        assert stopping.stop_timeout(definition, "a") == 120
        assert stopping.stop_timeout(definition, "b") == stopping.stop_timeout(None, "a") == 30


class TestRequests:
    def request(self, *subnets):
        return {"networkConfiguration": {"awsvpcConfiguration": {"subnets": list(subnets)}}}

    def test_awsvpc_needs_subnets_that_exist(self):
        definition = {"networkMode": "awsvpc"}
        assert "must be provided" in task_requests.network_problem({}, definition, {})
        assert "'subnet-2' does not exist" in task_requests.network_problem(self.request("subnet-1", "subnet-2"), definition, {"subnet-1": {}})
        assert task_requests.network_problem(self.request("subnet-1"), definition, {"subnet-1": {}}) is None

    def test_other_networks_do_not(self):
        assert task_requests.network_problem({}, {"networkMode": "bridge"}, {}) is None

    def test_who_started_a_task_has_the_characters_that_the_reference_allows(self):
        assert task_requests.started_by_problem({"startedBy": "atena-aws/20260101T000000Z-ab12_c"}) is None
        assert task_requests.started_by_problem({}) is None
        assert task_requests.started_by_problem({"startedBy": "atena.aws/start"})
        assert task_requests.started_by_problem({"startedBy": "x" * 129})


class TestTargetHealth:
    def after(self, *outcomes, start=0.0, step=10.0, state="initial"):
        health = target_health.Health(state=state, since=start)
        for number, well in enumerate(outcomes):
            health.checked(None if well else PROBLEM, GROUP, start + number * step)
        return health

    def test_one_good_answer_makes_a_new_target_healthy(self):
        assert self.after(True).state == "healthy"

    def test_a_new_target_has_as_long_as_on_aws(self):
        assert self.after(False, False, step=5).state == "initial"
        assert self.after(False, False, False).state == "unhealthy"

    def test_a_healthy_target_falls_only_after_the_threshold(self):
        assert self.after(True, False).state == "healthy"
        assert self.after(True, False, False).state == "unhealthy"
        assert self.after(True, False, True, False).state == "healthy"

    def test_an_unhealthy_target_rises_only_after_the_threshold(self):
        assert self.after(True, True, state="unhealthy").state == "unhealthy"
        assert self.after(True, True, True, state="unhealthy").state == "healthy"

    def test_it_says_why(self):
        health = self.after(False, False, False)
        assert (health.reason, health.description) == PROBLEM
        assert self.after(True).reason == ""

    @pytest.mark.parametrize(("code", "matcher", "matches"), [(200, "200", True), (204, "200-299", True), (301, "200,301", True), (500, "200-299,301", False)])
    def test_codes_match_as_aws_writes_them(self, code, matcher, matches):
        assert target_health.code_matches(code, matcher) is matches

    def test_traffic_goes_to_healthy_targets_and_fails_open(self):
        targets = [{"Id": "a"}, {"Id": "b"}, {"Id": "c"}]
        assert target_health.choose(targets, ["initial", "healthy", "unhealthy"]) == [{"Id": "b"}]
        assert target_health.choose(targets, ["initial", "unhealthy", "unhealthy"]) == [{"Id": "b"}, {"Id": "c"}]
        assert target_health.choose(targets, ["initial", "draining", "unused"]) == []


class TestServices:
    def test_a_forward_is_found_in_both_spellings(self):
        actions = [{"TargetGroupArn": "a"}, {"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "b"}]}}, {"Type": "redirect"}]
        assert listeners.action_targets(actions) == {"a", "b"}

    def test_the_worst_target_group_decides(self, monkeypatch):
        states = {"a": "healthy", "b": "unhealthy", "c": None}
        monkeypatch.setattr(target_health, "target_state", lambda group, address: states[group])

        def state(*groups):
            return service_deployments.load_balancer_state({"loadBalancers": [{"targetGroupArn": group} for group in groups]}, {})

        assert (state(), state("a"), state("a", "b"), state("a", "c")) == ("healthy", "healthy", "unhealthy", "initial")

    def test_events_are_the_newest_first_and_a_hundred_at_most(self):
        service = {"serviceName": "s", "events": []}
        for number in range(150):
            service_deployments.add_event(service, f"event {number}")
        assert len(service["events"]) == 100
        assert service["events"][0]["message"] == "(service s) event 149"


class TestCapacity:
    @pytest.mark.parametrize(("room", "taken", "count", "fit"), [(1024, 0, 3, 2), (1024, 512, 1, 1), (1024, 513, 1, 0), (512, 2048, 1, 0), (4096, 0, 1, 1)])
    def test_as_many_are_placed_as_fit(self, room, taken, count, fit):
        assert task_capacity.places(room, taken, 512, count) == fit

    def test_a_task_without_memory_always_fits(self):
        assert task_capacity.places(0, 0, 0, 2) == 2

    def test_the_tasks_memory_counts_else_its_containers(self):
        containers = [{"memory": 100}, {"memoryReservation": 28}]
        assert task_capacity.memory_of({"memory": "512", "containerDefinitions": containers}) == 512
        assert task_capacity.memory_of({"containerDefinitions": containers}) == 128

    def test_the_reason_is_the_launch_types_unless_told(self):
        assert task_capacity.reason_for({}, "FARGATE").startswith("Capacity is unavailable")
        assert task_capacity.reason_for({}, "EC2") == "RESOURCE:MEMORY"
        assert task_capacity.reason_for({"reason": "RESOURCE:CPU"}, "FARGATE") == "RESOURCE:CPU"

    def test_a_service_says_it_in_ecss_words(self):
        assert "has insufficient memory available" in task_capacity.event_for("RESOURCE:MEMORY")
        assert "Reason: Capacity is unavailable" in task_capacity.event_for(task_capacity.FARGATE_REASON)


class TestLabSettings:
    @pytest.mark.parametrize(
        "wish",
        [
            {"draining": "whole"},
            {"draining": "off"},
            {"capacity": {"c": {"memory": 512}}},
            {"times": {"database_stop": 60, "nat_create": 0.5}},
            {"failing": ["cache_snapshot"]},
            {"cache_snapshots": 0},
            {"cache_snapshots": None},
            {"database_log": 1},
            {},
        ],
    )
    def test_known_ones_are_taken(self, wish):
        assert lab_settings.checked(wish) == wish

    @pytest.mark.parametrize(
        "wish",
        [
            None,
            [],
            {"colour": "red"},
            {"draining": "slow"},
            {"capacity": {"c": {}}},
            {"times": {"lunch": 1}},
            {"times": {"nat_create": -1}},
            {"times": {"nat_create": "1"}},
            {"failing": ["database_stop"]},
            {"cache_snapshots": -1},
            {"cache_snapshots": True},
            {"database_log": 0},
        ],
    )
    def test_others_are_refused(self, wish):
        with pytest.raises(ValueError):
            lab_settings.checked(wish)

    def test_times_that_a_request_does_not_name_stay(self):
        before = {"times": {"nat_create": 1, "nat_delete": 2}}
        assert lab_settings.merged(before, {"times": {"nat_create": 3}}) == {"times": {"nat_create": 3, "nat_delete": 2}}
        assert lab_settings.merged(before, {"draining": "off"}) == {"draining": "off"}


@pytest.fixture
def settings(monkeypatch):
    """The lab's settings, without a lab."""
    monkeypatch.setattr(lab_settings, "values", lab_settings._defaults())
    monkeypatch.setattr(lab_settings.time, "time", lambda: 1000.0)
    return lab_settings.values


class TestTimes:
    @pytest.mark.parametrize(("seconds", "since", "over"), [(0, 1000, True), (60, 940, True), (60, 941, False)])
    def test_a_work_has_its_time(self, settings, seconds, since, over):
        settings["times"]["nat_create"] = seconds
        assert lab_settings.over("nat_create", since) is over

    @pytest.mark.parametrize(
        ("state", "began", "taken", "failing", "after"),
        [
            ("pending", 950, False, [], "pending"),
            ("pending", 940, False, [], "available"),
            ("pending", 940, True, [], "failed"),
            ("pending", 940, False, ["nat_create"], "failed"),
            ("deleting", 971, False, [], "deleting"),
            ("deleting", 970, False, [], "deleted"),
            ("available", 0, True, ["nat_create"], "available"),
            ("failed", 0, False, [], "failed"),
        ],
    )
    def test_a_nat_gateway_moves_on(self, settings, state, began, taken, failing, after):
        settings.update(times={**settings["times"], "nat_create": 60, "nat_delete": 30}, failing=failing)
        gateway = {"State": state, "_began": began, "AllocationId": "eipalloc-1"}
        nat_states.settle(gateway, taken=taken)
        assert gateway["State"] == after
        assert ("_failure" in gateway) is (after == "failed" != state)

    @pytest.mark.parametrize(("began", "failing", "after"), [(950, [], "provisioning"), (940, [], "active"), (940, ["load_balancer_create"], "failed")])
    def test_a_load_balancer_moves_on(self, settings, began, failing, after):
        settings.update(times={**settings["times"], "load_balancer_create": 60}, failing=failing)
        balancer = {"State": "provisioning", "_began": began}
        load_balancer_state.settle(balancer)
        assert balancer["State"] == after


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


class TestDatabases:
    CONFIG = [{"Subnet": "172.20.0.0/16", "IPRange": "172.20.0.0/17", "Gateway": "172.20.0.1"}]

    def test_its_address_is_one_that_docker_hands_out_to_nobody(self):
        assert database_address.free_address(self.CONFIG, []) == "172.20.128.1"
        assert database_address.free_address(self.CONFIG, ["172.20.128.1", "172.20.128.2"]) == "172.20.128.3"

    def test_a_network_without_such_addresses_gives_none(self):
        assert database_address.free_address([{"Subnet": "172.20.0.0/16", "Gateway": "172.20.0.1"}], []) is None

    def test_it_can_be_restored_up_to_the_last_five_minutes(self):
        assert [database_power.restorable(now) for now in (600.0, 601.5, 899.9, 900.0)] == [600, 600, 600, 900]

    @pytest.mark.parametrize(
        ("since", "until", "retained", "days"),
        [
            (0, 2 * 86400, 7, [0, 1]),
            (0, 2 * 86400, 1, [1]),
            (0, 2 * 86400, 0, []),
            (4 * 3600, 86400, 7, []),
            (4 * 3600, 86400 + 4 * 3600, 7, [1]),
            (0, 10 * 86400, 3, [7, 8, 9]),
        ],
    )
    def test_it_is_backed_up_in_its_window_on_each_day(self, since, until, retained, days):
        assert lab_clock.backup_moments(since, until, "03:30-04:00", retained) == [day * 86400 + 3.5 * 3600 for day in days]

    def test_what_is_known_gets_older(self):
        record = {"SnapshotCreateTime": "2026-03-08T12:00:00.250Z", "Status": "available"}
        assert lab_clock.older(record, ("SnapshotCreateTime", "InstanceCreateTime"), 7) == {"SnapshotCreateTime": "2026-03-01T12:00:00.250Z"}

    @pytest.mark.parametrize("wish", [None, {}, {"advance_days": 0}, {"advance_days": "7"}, {"advance_days": True}, {"advance_days": 1000}])
    def test_the_clock_takes_days(self, wish):
        with pytest.raises(ValueError):
            lab_clock.answer("PUT", [], wish)


class TestArchitecture:
    @pytest.mark.parametrize(
        ("image", "wanted", "host", "foreign"),
        [
            ("arm64", "amd64", "amd64", True),
            ("amd64", "arm64", "amd64", False),
            ("amd64", "amd64", "arm64", False),
            ("arm64", "amd64", "arm64", False),
            ("", "amd64", "amd64", False),
        ],
    )
    def test_only_what_neither_the_task_nor_the_host_is_for_is_foreign(self, image, wanted, host, foreign):
        assert task_architecture.is_foreign(image, wanted, host) is foreign

    def test_without_a_word_a_task_is_for_x86(self):
        assert task_architecture.wanted({}) == "amd64"
        assert task_architecture.wanted({"runtimePlatform": {"cpuArchitecture": "ARM64"}}) == "arm64"

    @pytest.mark.parametrize(
        ("arguments", "config", "program"),
        [
            ({}, {"Cmd": ["/usr/bin/python", "x.py"]}, "/python"),
            ({"command": ["node", "x.js"]}, {"Cmd": ["python"]}, "/node"),
            ({"command": ["x.js"]}, {"Entrypoint": ["docker-entrypoint.sh"]}, "/docker-entrypoint.sh"),
            ({"entrypoint": ["sh"]}, {"Entrypoint": ["tini"]}, "/sh"),
            ({}, {}, "/program"),
        ],
    )
    def test_the_error_names_the_program_that_would_have_run(self, arguments, config, program):
        assert task_architecture.program_of(arguments, config) == program

    def test_an_image_of_other_cpus_is_told_as_fargate_tells_it(self):
        docker = "no matching manifest for linux/amd64 in the manifest list entries"
        assert task_images.as_fargate_words_it(docker).endswith("does not contain descriptor matching platform 'linux/amd64'")
        assert task_images.as_fargate_words_it("connection refused") == "connection refused"


class TestRights:
    ROLE = "arn:aws:sts::111122223333:assumed-role/r/t"
    PARAMETER = "arn:aws:ssm:us-east-1:111122223333:parameter/atena/prod/X"

    def denial(self, *statements):
        policies = [parse_policy_document({"Version": "2012-10-17", "Statement": list(statements)})]
        return task_rights.denial(policies, self.ROLE, self.PARAMETER, "111122223333", "us-east-1")

    def test_a_path_is_allowed(self):
        assert self.denial({"Effect": "Allow", "Action": ["ssm:GetParameters"], "Resource": self.PARAMETER.replace("X", "*")}) is None

    def test_another_path_or_call_is_not_enough(self):
        assert "because no identity-based policy allows" in self.denial({"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "arn:aws:ssm:*:*:x/*"})
        assert self.denial({"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"})

    def test_a_deny_wins(self):
        allow, deny = ({"Effect": effect, "Action": "ssm:*", "Resource": "*"} for effect in ("Allow", "Deny"))
        assert "with an explicit deny" in self.denial(allow, deny)

    def test_a_name_is_a_parameter_of_the_tasks_own_account(self):
        assert task_rights.parameter_arn("/atena/prod/X", "us-east-1", "111122223333") == self.PARAMETER
        assert task_rights.parameter_arn(self.PARAMETER, "eu-west-1", "1") == self.PARAMETER


class TestFamilies:
    def test_the_newest_active_revision_counts(self):
        statuses = {1: "ACTIVE", 9: "ACTIVE", 10: "INACTIVE"}
        definitions = {f"f:{number}": {"family": "f", "revision": number, "status": status} for number, status in statuses.items()}
        assert task_families.newest_active("f", definitions) == "f:9"
        assert task_families.newest_active("g", definitions) is None


class TestSimulation:
    PARAMS = {
        "ActionNames.member.1": ["a:B"],
        "ResourceArns.member.1": ["one"],
        "ResourceArns.member.2": ["two & three"],
        "ContextEntries.member.1.ContextKeyName": ["kms:ViaService"],
        "ContextEntries.member.1.ContextKeyValues.member.1": ["ssm"],
        "ContextEntries.member.2.ContextKeyName": ["kms:ViaService"],
    }

    def test_each_action_is_judged_on_each_resource(self):
        answer = policy_simulation.results(self.PARAMS, lambda action, resource: "Allow" if resource == "one" else "Deny")
        assert answer.count("<member>") == 2
        assert "<EvalResourceName>two &amp; three</EvalResourceName><EvalDecision>explicitDeny" in answer

    def test_no_resource_is_every_one(self):
        assert "<EvalResourceName>*</EvalResourceName><EvalDecision>implicitDeny" in policy_simulation.results(
            {"ActionNames.member.1": ["a:B"]}, lambda *_: "ImplicitDeny"
        )

    def test_the_context_has_its_keys_in_lower_case(self):
        assert policy_simulation.context_of({key: value for key, value in self.PARAMS.items() if ".2." not in key}) == {"kms:viaservice": ["ssm"]}
        assert policy_simulation.context_of(self.PARAMS) == {"kms:viaservice": []}


@pytest.mark.parametrize(
    ("deployments", "overtaken"),
    [
        ([("PRIMARY", "COMPLETED")], False),
        ([("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "COMPLETED")], False),
        ([("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "IN_PROGRESS"), ("ACTIVE", "COMPLETED")], True),
        ([("PRIMARY", "COMPLETED"), ("ACTIVE", "IN_PROGRESS")], False),
        ([("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "FAILED")], False),
    ],
)
def test_a_service_is_looked_at_again_while_a_deployment_that_was_replaced_may_be_in_the_way(deployments, overtaken):
    listed = [{"status": status, "rolloutState": state} for status, state in deployments]
    assert service_deployments.was_overtaken({"status": "ACTIVE", "deployments": listed}) == overtaken
    assert not service_deployments.was_overtaken({"status": "INACTIVE", "deployments": listed})


@pytest.mark.parametrize(
    ("state", "since_failure", "waits"), [("COMPLETED", 0.2, True), ("COMPLETED", 5.0, False), ("IN_PROGRESS", 0.2, False), ("FAILED", 0.2, False)]
)
def test_a_service_whose_task_could_not_be_started_waits_before_it_starts_another(state, since_failure, waits):
    service = {"desiredCount": 1, "deployments": [{"status": "PRIMARY", "rolloutState": state}]}
    assert service_deployments.waits(service, since_failure) is waits
    assert not service_deployments.waits({**service, "desiredCount": 0}, since_failure)
    assert not service_deployments.waits(None, since_failure)


class TestScaling:
    def target(self, low=1, high=3, **suspended):
        return {"MinCapacity": low, "MaxCapacity": high, "SuspendedState": {**dict.fromkeys(service_scaling.SUSPENSIONS, False), **suspended}}

    @pytest.mark.parametrize(
        ("count", "suspended", "after"),
        [
            (0, {}, 1),
            (2, {}, 2),
            (5, {}, 3),
            (0, {"DynamicScalingOutSuspended": True}, 0),
            (5, {"DynamicScalingOutSuspended": True}, 3),
            (5, {"DynamicScalingInSuspended": True}, 5),
            (0, {"ScheduledScalingSuspended": True}, 1),
        ],
    )
    def test_a_count_is_brought_inside_unless_suspended(self, count, suspended, after):
        found, cause = service_scaling.within(count, self.target(**suspended))
        assert (found, bool(cause)) == (after, after != count)

    @pytest.mark.parametrize(
        ("request_", "known", "good"),
        [
            ({"MinCapacity": 0, "MaxCapacity": 0}, False, True),
            ({"MinCapacity": 1}, False, False),
            ({"MinCapacity": 2}, True, True),
            ({"MinCapacity": 4}, True, False),
            ({}, True, True),
            ({"MinCapacity": -1, "MaxCapacity": 1}, False, False),
        ],
    )
    def test_bounds_have_to_make_sense(self, request_, known, good):
        assert bool(service_scaling.wrong(request_, self.target() if known else None)) is not good

    def test_what_is_left_out_stays(self):
        after = service_scaling.merged(self.target(), {"MaxCapacity": 5, "SuspendedState": {"DynamicScalingInSuspended": True}})
        assert after == self.target(high=5, DynamicScalingInSuspended=True)


class TestRoom:
    @pytest.mark.parametrize(
        ("states", "most", "rollout", "stopped"),
        [
            ({"good": (False, "healthy"), "bad": (False, "unhealthy")}, 2, "IN_PROGRESS", ["bad"]),
            ({"good": (False, "healthy"), "bad": (False, "initial")}, 2, "IN_PROGRESS", ["bad"]),
            ({"good": (False, "healthy"), "bad": (False, "unhealthy")}, 3, "IN_PROGRESS", []),
            ({"good": (False, "healthy"), "bad": (False, "unhealthy")}, 2, "COMPLETED", []),
            ({"bad": (False, "unhealthy"), "worse": (False, "unhealthy")}, 2, "IN_PROGRESS", []),
            ({"good": (False, "healthy"), "new": (True, "initial")}, 2, "IN_PROGRESS", []),
        ],
    )
    def test_what_is_not_well_makes_room(self, states, most, rollout, stopped):
        assert service_deployments.to_make_room(states, most, rollout) == stopped


class TestParameters:
    @pytest.mark.parametrize(
        ("size", "tier", "fits"), [(4096, "Standard", True), (4097, "Standard", False), (8192, "Advanced", True), (8193, "Advanced", False)]
    )
    def test_each_tier_has_its_size(self, size, tier, fits):
        assert (parameters.refusal(size, tier) == "") is fits


class TestSchedules:
    def test_the_input_has_the_names_of_another_sdk(self):
        assert schedule_targets.parameters({"DbInstanceIdentifier": "d", "other": 1}, schedule_targets.names_of("StopDBInstance")) == {
            "DBInstanceIdentifier": ["d"]
        }

    @pytest.mark.parametrize(("code", "for_good"), [("InvalidDBInstanceState", False), ("DBInstanceNotFound", True), ("Throttling", False)])
    def test_what_rds_refuses_for_now_is_tried_again(self, code, for_good):
        body = f"<Error><Code>{code}</Code></Error>".encode()
        assert schedule_targets.code_of(body) == code
        assert bool(schedule_targets.FOR_GOOD.search(body)) is for_good

    @pytest.mark.parametrize(("arn", "operation"), [("rds:stopDBInstance", "stopDBInstance"), ("rds:deleteDBInstance", None), ("ecs:runTask", None)])
    def test_it_calls_stop_and_start_alone(self, arn, operation):
        match = schedule_targets.UNIVERSAL.fullmatch(f"arn:aws:scheduler:::aws-sdk:{arn}")
        assert (match and match[1]) == operation


class TestLogFilter:
    @pytest.mark.parametrize(
        ("pattern", "taken"),
        [
            ("", {"ERROR disk full", "Error disk", "WARN disk"}),
            ("ERROR", {"ERROR disk full"}),
            ("ERROR full", {"ERROR disk full"}),
            ("?ERROR ?WARN", {"ERROR disk full", "WARN disk"}),
            ("disk -ERROR", {"Error disk", "WARN disk"}),
            ("disk ?nothing", {"ERROR disk full", "Error disk", "WARN disk"}),
            ('"disk full"', {"ERROR disk full"}),
            ('?"disk full" ?WARN', {"ERROR disk full", "WARN disk"}),
            ("%[Ee]rror%", {"Error disk"}),
        ],
    )
    def test_a_pattern_takes_what_cloudwatch_takes(self, pattern, taken):
        assert {message for message in ("ERROR disk full", "Error disk", "WARN disk") if log_filter.matcher(pattern)(message)} == taken

    @pytest.mark.parametrize("pattern", ['{ $.level = "error" }', "[a, b]", "%(%"])
    def test_one_that_is_not_understood_is_refused(self, pattern):
        with pytest.raises(ValueError):
            log_filter.matcher(pattern)

    def test_only_what_is_within_the_time_is_read(self):
        history = [{"timestamp": at, "ingestionTime": 0} for at in (1, 2, 2, 3)]
        assert [key[3] for key, _ in log_filter.keyed(history, "s", 2, 2)] == [1, 2]


class TestTaskExec:
    task = {"taskArn": "t", "lastStatus": "RUNNING", "enableExecuteCommand": True}

    @pytest.mark.parametrize(
        ("enabled", "status", "told"),
        [(True, "RUNNING", ["RUNNING"]), (True, "PENDING", ["PENDING"]), (True, "STOPPED", ["STOPPED"]), (False, "RUNNING", [])],
    )
    def test_an_agent_runs_where_its_container_does(self, enabled, status, told):
        agents = task_exec.agents_of({**self.task, "enableExecuteCommand": enabled}, {"lastStatus": status})
        assert [agent["lastStatus"] for agent in agents] == told

    @pytest.mark.parametrize(
        ("request_", "task", "lacking", "code"),
        [
            ({"interactive": True}, task, [], None),
            ({"interactive": True}, None, [], "InvalidParameterException"),
            ({"interactive": False}, task, [], "InvalidParameterException"),
            ({"interactive": True, "container": "other"}, task, [], "InvalidParameterException"),
            ({"interactive": True}, {**task, "enableExecuteCommand": False}, [], "InvalidParameterException"),
            ({"interactive": True}, {**task, "lastStatus": "PENDING"}, [], "InvalidParameterException"),
            ({"interactive": True}, task, ["ssmmessages:OpenDataChannel"], "TargetNotConnectedException"),
        ],
    )
    def test_what_ecs_refuses_is_refused(self, request_, task, lacking, code):
        refused = task_exec.problem(request_, task, ["c"], lacking)
        assert (refused and refused[0]) == code

    def test_messages_go_there_and_back(self):
        kind, sequence, payload_kind, payload, _ = task_exec.unpack(task_exec.pack("output_stream_data", b"text", 3, 1))
        assert (kind, sequence, payload_kind, payload) == ("output_stream_data", 3, 1, b"text")


class TestASnapshotOfADatabase:
    @pytest.mark.parametrize("kind", ["manual", "automated"])
    def test_names_the_instance_that_it_is_of_whatever_the_name(self, kind, monkeypatch):
        rds = database_snapshots.rds
        monkeypatch.setattr(rds, "_get_docker", lambda: None)
        with responses.request_scope("111122223333", "us-east-1"):
            rds._create_db_instance({"DBInstanceIdentifier": ["d"]})
            instance = rds._instances["d"]
            made = database_snapshots.begin(instance, "s") if kind == "manual" else database_snapshots.automated(instance, 600, None)
            told = rds._snapshot_xml(made)
            rds.reset()
        assert made["SnapshotType"] == kind and f"<DbiResourceId>{instance['DbiResourceId']}</DbiResourceId>" in told


class TestADatabaseOfAnotherTime:
    @pytest.fixture
    def source(self, monkeypatch):
        """An instance with the backup of its first day, and a snapshot."""
        backups = {"db-1": 100.0, "arn:s": 200.0, "arn:other": 250.0}
        held = {}
        for key, taken in backups.items():
            held[key] = concurrent.futures.Future()
            held[key].set_result(database_data.Backup(taken, [], "0"))
        monkeypatch.setattr(database_data, "kept", held)
        snapshots = {"s": {"DBSnapshotArn": "arn:s", "DbiResourceId": "db-1"}, "o": {"DBSnapshotArn": "arn:other", "DbiResourceId": "db-2"}}
        monkeypatch.setattr(database_restore.rds, "_snapshots", snapshots)
        return {"DbiResourceId": "db-1"}

    @pytest.mark.parametrize(("moment", "taken"), [(99, None), (100, 100), (199, 100), (260, 200)])
    def test_its_newest_backup_from_before_is_what_it_is_made_of(self, source, moment, taken):
        found = database_restore.base_for(source, moment)
        assert (found and found.taken) == taken

    def test_one_that_is_being_taken_or_failed_is_none(self, source):
        database_data.kept["arn:s"] = concurrent.futures.Future()
        assert database_restore.base_for(source, 300).taken == 100
        database_data.kept["arn:s"].set_exception(RuntimeError())
        assert database_restore.base_for(source, 300).taken == 100

    def test_moments_are_read_in_utc(self):
        assert database_restore.epoch("1970-01-01T00:10:00Z") == database_restore.epoch("1970-01-01T00:10:00") == 600
