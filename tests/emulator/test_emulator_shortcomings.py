"""Is each piece of the extension still needed? MiniStack without it is asked here; a test that fails means: a piece may go.

Nothing of the extension is applied in this process, and no Docker engine is used.
"""

import asyncio
import inspect
import json

import pytest
from docker.models.containers import ContainerCollection
from h11_answer import written
from hypercorn.protocol.h11 import H11Protocol
from ministack.core import responses
from ministack.services import alb, cloudwatch_logs, ec2, ecr, ecs, elasticache, eventbridge, iam, rds, ssm

ACCOUNT = "111122223333"


@pytest.fixture(autouse=True)
def own_account(monkeypatch):
    for module in (ecs, elasticache, rds):
        monkeypatch.setattr(module, "_get_docker", lambda: None)
    with responses.request_scope(ACCOUNT, "us-east-1"):
        yield
    for module in (alb, ec2, ecr, ecs, elasticache, rds, ssm, cloudwatch_logs):
        module.reset()


def call(handler, **request):
    status, _, body = handler(request)
    return status, json.loads(body)


def query(handler, **params):
    status, _, body = handler({name.replace("__", "."): [value] for name, value in params.items()})
    return status, body.decode() if isinstance(body, bytes) else body


def task_definition(**options):
    return call(ecs._register_task_definition, family="f", containerDefinitions=[{"name": "c", "image": "i", "memory": 64}], **options)


def test_containers_of_two_emulators_with_one_account_have_one_name():
    assert "ministack-elasticache-{account_id}-{region}-{cluster_id}" in inspect.getsource(elasticache._create_cache_cluster)


def test_containers_of_tasks_are_not_on_the_network_of_the_databases():
    assert "DOCKER_NETWORK" not in inspect.getsource(ecs)


def test_gateway_it_listens_on_one_address():
    from ministack import app

    assert 'config.bind = [f"{bind_host}:{port}"]' in inspect.getsource(app.main)


def test_whole_answers_head_and_body_are_two_writes():
    assert len(asyncio.run(written(H11Protocol._send_h11_event))) > 1


def test_registry_anybody_may_push():
    status, _, _ = asyncio.run(ecr.handle_registry_request("GET", "/v2/", {}, b"", {}))
    assert status == 200


def test_registry_a_missing_image_is_no_error():
    call(ecr._create_repository, repositoryName="r")
    assert call(ecr._describe_images, repositoryName="r", imageIds=[{"imageTag": "none"}]) == (200, {"imageDetails": []})


def test_registry_a_layers_address_is_at_the_real_ecr():
    call(ecr._create_repository, repositoryName="r")
    assert "amazonaws.com" in call(ecr._get_download_url_for_layer, repositoryName="r", layerDigest="sha256:x")[1]["downloadUrl"]


def test_image_tags_deleting_one_deletes_the_image():
    call(ecr._create_repository, repositoryName="r")
    for tag in ("a", "b"):
        call(ecr._put_image, repositoryName="r", imageManifest="{}", imageTag=tag)
    call(ecr._batch_delete_image, repositoryName="r", imageIds=[{"imageTag": "a"}])
    assert call(ecr._describe_images, repositoryName="r") == (200, {"imageDetails": []})


def test_an_image_is_told_under_its_newest_tag_whichever_it_was_asked_for_by():
    call(ecr._create_repository, repositoryName="r")
    for tag in ("a", "b"):
        call(ecr._put_image, repositoryName="r", imageManifest="{}", imageTag=tag)
    (image,) = call(ecr._batch_get_image, repositoryName="r", imageIds=[{"imageTag": "a"}])[1]["images"]
    assert image["imageId"]["imageTag"] == "b"


def test_task_secrets_arrive_wrapped():
    call(ssm._put_parameter, Name="/s", Type="SecureString", Value="secret")
    assert ecs._resolve_container_secrets({"secrets": [{"name": "S", "valueFrom": "/s"}]})["S"].startswith("ENCRYPTED:")


def test_task_images_are_asked_of_the_real_ecr():
    class Client:
        class containers:
            @staticmethod
            def run(image, **_):
                return image

    image = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/r:t"
    assert ecs._run_docker_container(Client, {"image": image}, {}) == image


def test_task_settings_memory_is_not_limited():
    arguments = inspect.signature(ecs._build_run_kwargs).parameters
    values = {"cdef": {"name": "c", "memory": 64}, "td": {"memory": "64"}, "env": {}, "port_bindings": {}, "host_mode": False}
    assert "mem_limit" not in ecs._build_run_kwargs(**{name: values.get(name, "x") for name in arguments})


def test_task_settings_capabilities_stay():
    arguments = inspect.signature(ecs._build_run_kwargs).parameters
    container = {"name": "c", "linuxParameters": {"capabilities": {"drop": ["ALL"]}}}
    values = {"cdef": container, "td": {}, "env": {}, "port_bindings": {}, "host_mode": False}
    assert "cap_drop" not in ecs._build_run_kwargs(**{name: values.get(name, "x") for name in arguments})


def test_container_health_is_never_looked_at():
    arguments = inspect.signature(ecs._build_run_kwargs).parameters
    container = {"name": "c", "healthCheck": {"command": ["CMD", "true"]}}
    values = {"cdef": container, "td": {}, "env": {}, "port_bindings": {}, "host_mode": False}
    assert "healthcheck" not in ecs._build_run_kwargs(**{name: values.get(name, "x") for name in arguments})
    assert "HEALTHY" not in inspect.getsource(ecs)


def test_task_logs_a_line_in_two_pieces_is_two_events():
    call(cloudwatch_logs._create_log_group, logGroupName="g")

    class Container:
        id = "c"

        @staticmethod
        def logs(**_):
            return iter([b"a", b"b\n"])

    ecs._forward_awslogs(Container, {"group": "g", "stream": "s", "create_group": False}, ACCOUNT, "us-east-1")
    _, answer = call(cloudwatch_logs._get_log_events, logGroupName="g", logStreamName="s", startFromHead=True)
    assert [event["message"] for event in answer["events"]] == ["a", "b"]


def test_task_stop_is_stopped_at_once_with_exit_code_0():
    task_definition()
    _, started = call(ecs._run_task, taskDefinition="f")
    _, answer = call(ecs._stop_task, task=started["tasks"][0]["taskArn"])
    assert (answer["task"]["lastStatus"], answer["task"]["containers"][0]["exitCode"]) == ("STOPPED", 0)


def test_task_stop_no_word_of_memory():
    assert "OOMKilled" not in inspect.getsource(ecs)


def test_task_requests_a_cluster_comes_from_nowhere():
    task_definition()
    assert call(ecs._run_task, cluster="none", taskDefinition="f")[0] == 200


def test_task_requests_awsvpc_runs_without_a_network():
    task_definition(networkMode="awsvpc")
    assert call(ecs._run_task, taskDefinition="f")[0] == 200


def test_task_requests_a_token_is_ignored():
    task_definition()
    arns = {call(ecs._run_task, taskDefinition="f", clientToken="t")[1]["tasks"][0]["taskArn"] for _ in range(2)}
    assert len(arns) == 2


def test_service_load_balancer_is_not_asked_for():
    task_definition()
    query(alb._create_tg, Name="g", Port="80", TargetType="ip")
    group = next(iter(alb._tgs.keys()))
    request = {"serviceName": "s", "taskDefinition": "f", "desiredCount": 0, "loadBalancers": [{"targetGroupArn": group, "containerName": "c"}]}
    assert call(ecs._create_service, **request)[0] == 200


def test_service_deployments_are_completed_before_they_began():
    assert ecs._make_deployment("f", 1)["rolloutState"] == "COMPLETED"


def test_service_deployments_do_not_ask_the_load_balancer():
    for function in (ecs._complete_service_deployment, ecs._schedule_service_deployment_completion, ecs._record_service_task_healthy):
        assert "alb" not in inspect.getsource(function)


def test_service_deployments_that_failed_stay_listed():
    assert 'or dep.get("rolloutState") == "FAILED"' in inspect.getsource(ecs._complete_service_deployment)


def test_target_health_is_always_good():
    query(alb._create_tg, Name="g", Port="80", TargetType="ip")
    group = next(iter(alb._tgs.keys()))
    query(alb._register_targets, TargetGroupArn=group, Targets__member__1__Id="192.0.2.1")
    assert "<State>healthy</State>" in query(alb._describe_target_health, TargetGroupArn=group)[1]
    query(alb._deregister_targets, TargetGroupArn=group, Targets__member__1__Id="192.0.2.1")
    assert "<State>" not in query(alb._describe_target_health, TargetGroupArn=group)[1]


def test_cache_settings_are_forgotten():
    query(elasticache._create_cache_cluster, CacheClusterId="c", SecurityGroupIds__SecurityGroupId__1="sg-1")
    answer = query(elasticache._describe_cache_clusters, CacheClusterId="c")[1]
    assert "sg-1" not in answer
    assert "AutoMinorVersionUpgrade" not in answer


def test_cache_parameters_are_not_looked_at():
    assert query(elasticache._create_cache_cluster, CacheClusterId="c", CacheParameterGroupName="none")[0] == 200
    assert "maxmemory" not in inspect.getsource(elasticache._spawn_redis_container) + inspect.getsource(elasticache._node_server_args)


def test_cache_snapshots_are_available_at_once_whatever_they_are_of():
    status, body = query(elasticache._create_snapshot, SnapshotName="s", CacheClusterId="none")
    assert (status, "<SnapshotStatus>available</SnapshotStatus>" in body) == (200, True)


def test_cache_snapshots_hold_no_data_and_give_none():
    assert "docker" not in inspect.getsource(elasticache._create_snapshot)
    for function in (elasticache._create_cache_cluster, elasticache._create_replication_group, elasticache._delete_cache_cluster):
        assert "SnapshotName" not in inspect.getsource(function) and "FinalSnapshotIdentifier" not in inspect.getsource(function)


def test_cache_states_are_available_and_gone():
    assert "<CacheClusterStatus>available</CacheClusterStatus>" in query(elasticache._create_cache_cluster, CacheClusterId="c")[1]
    query(elasticache._delete_cache_cluster, CacheClusterId="c")
    assert query(elasticache._describe_cache_clusters, CacheClusterId="c")[0] == 404


def test_cache_encryption_is_had_by_a_lone_redis() -> None:
    assert query(elasticache._create_cache_cluster, CacheClusterId="c", Engine="redis", TransitEncryptionEnabled="true")[0] == 200


def test_cache_versions_are_what_was_asked_for():
    query(elasticache._create_cache_cluster, CacheClusterId="c", Engine="redis", EngineVersion="7.1")
    assert elasticache._clusters["c"]["EngineVersion"] == "7.1"


def test_nat_states_are_available_and_deleted():
    assert "<state>available</state>" in query(ec2._create_nat_gateway, SubnetId="subnet-1", AllocationId="eipalloc-1")[1]
    query(ec2._delete_nat_gateway, NatGatewayId=next(iter(ec2._nat_gateways)))
    assert "<state>deleted</state>" in query(ec2._describe_nat_gateways)[1]


def test_listener_rules_are_taken_as_they_come_and_give_no_load_balancer():
    query(alb._create_lb, Name="b")
    query(alb._create_tg, Name="g", Port="80", TargetType="ip")
    balancer, group = next(iter(alb._lbs.keys())), next(iter(alb._tgs.keys()))
    for _ in range(2):
        query(alb._create_listener, LoadBalancerArn=balancer, Port="80")
    listener = next(iter(alb._listeners.keys()))
    for _ in range(2):
        action = {"Actions.member.1.Type": "forward", "Actions.member.1.TargetGroupArn": group}
        assert query(alb._create_rule, ListenerArn=listener, Priority="1", **action)[0] == 200
    assert len(list(alb._listeners.keys())) == 2
    assert alb._tgs[group]["LoadBalancerArns"] == []
    assert not alb._match_condition({"Field": "host-header", "Values": ["a.example.com"]}, "GET", "/", {"host": "A.example.com"}, {})


def test_load_balancer_state_is_active_at_once():
    assert "<Code>active</Code>" in query(alb._create_lb, Name="b")[1]


def test_parameters_hold_any_size_and_keep_their_labels():
    assert call(ssm._put_parameter, Name="/p", Value="x" * 9000, Type="SecureString", Tier="Standard")[0] == 200
    assert "UnlabelParameterVersion" not in inspect.getsource(ssm.handle_request)


def database():
    query(rds._create_db_instance, DBInstanceIdentifier="d")
    return rds._instances["d"]


def test_database_power_is_a_word():
    assert "<DBInstanceStatus>available</DBInstanceStatus>" in query(rds._create_db_instance, DBInstanceIdentifier="d")[1]
    for _ in range(2):
        status, body = query(rds._stop_db_instance, DBInstanceIdentifier="d")
        assert (status, "<DBInstanceStatus>stopped</DBInstanceStatus>" in body) == (200, True)
    assert "AutomaticRestartTime" not in body
    assert "docker" not in inspect.getsource(rds._stop_db_instance) + inspect.getsource(rds._set_db_instance_status)


def test_database_events_are_of_restarts_only():
    database()
    query(rds._stop_db_instance, DBInstanceIdentifier="d")
    assert "<Event>" not in query(rds._describe_events)[1]


def test_database_snapshots_are_available_at_once_in_any_state():
    database()["DBInstanceStatus"] = "stopped"
    status, body = query(rds._create_db_snapshot, DBInstanceIdentifier="d", DBSnapshotIdentifier="s")
    assert (status, "<Status>available</Status>" in body) == (200, True)


def test_database_data_is_not_in_snapshots():
    database()
    query(rds._create_db_snapshot, DBInstanceIdentifier="d", DBSnapshotIdentifier="s")
    assert "docker" not in inspect.getsource(rds._create_snapshot_internal)


def test_database_restore_starts_nothing_and_knows_no_points_in_time():
    database()
    query(rds._create_db_snapshot, DBInstanceIdentifier="d", DBSnapshotIdentifier="s")
    status, body = query(rds._restore_from_snapshot, DBInstanceIdentifier="r", DBSnapshotIdentifier="s")
    assert (status, "<DBInstanceStatus>available</DBInstanceStatus>" in body) == (200, True)
    assert "docker" not in inspect.getsource(rds._restore_from_snapshot).replace("_docker_container_id", "")
    assert "RestoreDBInstanceToPointInTime" not in rds._ACTION_MAP


def test_database_rename_is_not_heard():
    database()
    assert query(rds._modify_db_instance, DBInstanceIdentifier="d", NewDBInstanceIdentifier="e", ApplyImmediately="true")[0] == 200
    assert "e" not in rds._instances
    assert "dbi-resource-id" not in inspect.getsource(rds._apply_instance_filters)


def test_database_tls_is_by_an_authority_of_the_process_and_not_what_is_told() -> None:
    assert "path" not in inspect.getsource(rds._ensure_pg_ca) and "DescribeCertificates" not in rds._ACTION_MAP
    assert database()["CertificateDetails"]["ValidTill"] == "2061-01-01T00:00:00Z"


def test_database_versions_are_what_was_asked_for_and_go_back():
    query(rds._create_db_instance, DBInstanceIdentifier="d", Engine="postgres", EngineVersion="16")
    assert rds._instances["d"]["EngineVersion"] == "16"
    assert query(rds._modify_db_instance, DBInstanceIdentifier="d", EngineVersion="15.1", ApplyImmediately="true")[0] == 200
    assert rds._instances["d"]["EngineVersion"] == "15.1"


def test_database_delete_keeps_automatic_backups_and_writes_over_snapshots():
    source = inspect.getsource(rds._delete_db_instance_impl)
    assert "automated" not in source and "AlreadyExists" not in source


def test_database_address_is_what_docker_gives():
    assert "ipv4_address" not in inspect.getsource(rds)


def test_lab_clock_nothing_starts_a_stopped_database():
    assert "AutomaticRestartTime" not in inspect.getsource(rds)


def test_nat_addresses_are_not_told():
    query(ec2._create_nat_gateway, SubnetId="subnet-1", AllocationId="eipalloc-1")
    assert "<natGatewayAddressSet/>" in query(ec2._describe_nat_gateways)[1]


def test_load_balancer_delete_leaves_listeners():
    query(alb._create_lb, Name="b")
    query(alb._create_listener, LoadBalancerArn=next(iter(alb._lbs.keys())), Port="80")
    query(alb._delete_lb, LoadBalancerArn=next(iter(alb._lbs.keys())))
    assert len(list(alb._listeners.keys())) == 1


def test_task_families_are_what_was_deregistered():
    task_definition()
    call(ecs._deregister_task_definition, taskDefinition="f:1")
    status, answer = call(ecs._describe_task_definition, taskDefinition="f")
    assert (status, answer["taskDefinition"]["status"]) == (200, "INACTIVE")


def test_registry_layers_lead_to_the_real_ecr_for_any_digest():
    call(ecr._create_repository, repositoryName="r")
    status, answer = call(ecr._get_download_url_for_layer, repositoryName="r", layerDigest="sha256:none")
    assert (status, answer["downloadUrl"].startswith(f"https://{ACCOUNT}.dkr.ecr.")) == (200, True)


def test_policy_simulation_is_of_the_first_resource():
    source = {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:role/none", "ActionNames__member__1": "s3:GetObject"}
    status, body = query(iam._simulate_principal_policy, **source, ResourceArns__member__1="arn:one", ResourceArns__member__2="arn:two")
    assert (status, "arn:one" in body, "arn:two" in body) == (200, True, False)


def test_nothing_of_the_extension_is_applied_here():
    assert ContainerCollection.create.__name__ == "create"


def test_task_origin_is_the_service_and_not_its_deployment():
    assert '"startedBy": svc_name' in inspect.getsource(ecs)


def test_database_delete_leaves_the_volume():
    assert "volumes" not in inspect.getsource(rds._delete_db_instance_impl)


def test_faults_cannot_be_asked_for():
    from ministack import app

    source = inspect.getsource(app)
    assert "SlowDown" not in source
    assert "fault" not in source.lower().replace("default", "")


def test_task_capacity_has_no_end():
    task_definition()
    assert len(call(ecs._run_task, taskDefinition="f", count=10)[1]["tasks"]) == 10
    assert "failures.append" not in inspect.getsource(ecs._run_task)


def test_task_rights_are_not_looked_at():
    assert "executionRoleArn" not in inspect.getsource(ecs._resolve_container_secrets) + inspect.getsource(ecs._start_task_worker)


def test_task_architecture_falls_back_to_the_hosts():
    assert "running %s on the host architecture" in inspect.getsource(ecs._run_docker_container)


def test_schedule_targets_are_no_databases():
    assert "aws-sdk" not in inspect.getsource(eventbridge._invoke_target)


def test_service_scaling_is_not_there():
    from ministack import app
    from ministack.core import router

    assert "application-autoscaling" not in app.SERVICE_HANDLERS
    assert "application-autoscaling" not in router.SERVICE_PATTERNS


def test_exec_opens_a_session_for_any_task_at_an_address_where_nothing_listens():
    task_definition()
    call(ecs._create_cluster, clusterName="x")
    arn = call(ecs._run_task, cluster="x", taskDefinition="f")[1]["tasks"][0]["taskArn"]
    status, answer = call(ecs._execute_command, cluster="x", task=arn, command="true", interactive=True)
    assert status == 200
    assert "amazonaws.com" in answer["session"]["streamUrl"]
    assert "managedAgents" not in inspect.getsource(ecs)


def test_log_filter_events_beyond_a_page_are_never_seen_and_patterns_are_read_another_way():
    call(cloudwatch_logs._create_log_group, logGroupName="g")
    call(cloudwatch_logs._create_log_stream, logGroupName="g", logStreamName="s")
    events = [{"timestamp": 1_700_000_000_000 + number, "message": f"error {number}"} for number in range(3)]
    call(cloudwatch_logs._put_log_events, logGroupName="g", logStreamName="s", logEvents=events)
    assert "nextToken" not in call(cloudwatch_logs._filter_log_events, logGroupName="g", limit=1)[1]
    assert len(call(cloudwatch_logs._filter_log_events, logGroupName="g", filterPattern="ERROR")[1]["events"]) == 3
    assert call(cloudwatch_logs._filter_log_events, logGroupName="g", filterPattern="?error ?other")[1]["events"] == []
