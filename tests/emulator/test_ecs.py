"""What the emulator's extension decides of ECS, apart from the emulator."""

import pytest
from extension.ecs import (
    container_health,
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
    task_stop as stopping,
)
from extension.elbv2 import target_health
from ministack.core.iam_evaluator import parse_policy_document

DIGEST = "sha256:" + "a" * 64


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

    def test_capabilities_are_dropped(self):
        container = {"linuxParameters": {"capabilities": {"drop": ["NET_RAW", "MKNOD"]}}, "readonlyRootFilesystem": True, "user": "1000:1000"}
        assert task_settings.settings_of(container, {}) == {"cap_drop": ["NET_RAW", "MKNOD"], "read_only": True, "user": "1000:1000"}


class TestContainerHealth:
    def test_what_the_definition_leaves_out_is_as_ecs_has_it(self):
        check = container_health.docker_check({"healthCheck": {"command": ["CMD", "true"], "interval": 5}})
        second = container_health.SECOND
        assert check == {"test": ["CMD", "true"], "retries": 3, "interval": 5 * second, "timeout": 5 * second, "start_period": 0}

    def test_a_container_without_one_has_none(self):
        assert container_health.docker_check({"name": "main"}) is None

    @pytest.mark.parametrize(
        ("states", "essential", "names", "told"),
        [
            (["HEALTHY", "UNKNOWN"], [True, True], {"a"}, "HEALTHY"),
            (["HEALTHY", "UNKNOWN"], [True, True], {"a", "b"}, "UNKNOWN"),
            (["UNHEALTHY", "UNKNOWN"], [True, True], {"a", "b"}, "UNHEALTHY"),
            (["HEALTHY", "UNHEALTHY"], [True, False], {"a", "b"}, "HEALTHY"),
            (["UNKNOWN", "UNKNOWN"], [True, True], set(), "UNKNOWN"),
        ],
    )
    def test_a_task_is_as_its_essential_containers_that_are_checked(self, states, essential, names, told):
        containers = [{"name": name, "healthStatus": state} for name, state in zip("ab", states, strict=True)]
        assert container_health.task_state(containers, essential, names) == told

    @pytest.mark.parametrize(("health", "state"), [("UNKNOWN", "initial"), ("HEALTHY", "healthy"), ("UNHEALTHY", "unhealthy")])
    def test_a_deployment_waits_for_it(self, monkeypatch, health, state):
        definition = {"containerDefinitions": [{"name": "main", "healthCheck": {"command": ["CMD", "true"]}}]}
        monkeypatch.setattr(service_deployments.ecs, "_resolve_td_key", lambda arn: arn)
        monkeypatch.setattr(service_deployments.ecs, "_task_defs", {"checked": definition, "plain": {"containerDefinitions": [{"name": "main"}]}})
        assert service_deployments.container_state({"taskDefinitionArn": "checked", "healthStatus": health}) == state
        assert service_deployments.container_state({"taskDefinitionArn": "plain", "healthStatus": "UNKNOWN"}) == "healthy"


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
    @pytest.mark.parametrize("reason", [*stopping.SCHEDULER_REASONS, stopping.CONTAINER_HEALTH_REASON, f"{stopping.HEALTH_REASON}(target-group x)"])
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


class TestServices:
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
