"""RDS, ElastiCache, SSM parameters."""

from __future__ import annotations

import re
from typing import Any

from ..aws import wait
from ..failure import Failure
from ..row import Call, Row, Update

Values = dict[str, Any]


def database_version(actual: str | None, state: str | None, pending: str | None) -> str | None:
    """`engine_version` in the state of an aws_db_instance, as the real provider has it: `compareActualEngineVersion` in internal/service/rds/verify.go.

    (Read at commit 303f32de, of 2026: after the 6.62.0 whose schema this is; the function is the same since 4.62.0.) The state keeps `16` while AWS says
    16.x; a whole version follows the actual one, as after an automatic upgrade. An import has no version in its state, and so begins with the whole one.
    """
    if state and state == pending:
        return state
    return state if state and actual and (actual == state or actual.startswith(f"{state}.")) else actual


def redis_version(actual: str | None, state: str | None) -> str | None:
    """`engine_version` of an aws_elasticache_cluster: `setEngineVersionRedis` in internal/service/elasticache/engine_version.go (commit 01606926, 6.x).

    From 6 on it is always the first two numbers, or `6.x` where that was asked for: after an import, too.
    """
    numbers = (actual or "").split(".")
    if len(numbers) < 2 or not numbers[0].isdigit() or int(numbers[0]) < 6:
        return actual
    return f"{numbers[0]}.x" if re.search(r"[6-9]\.x", state or "") else ".".join(numbers[:2])


def downgraded_redis(prior: Values, planned: Values) -> list[str]:
    """An older version of Redis is another cluster: `customizeDiffEngineVersionForceNewOnDowngrade`, in the same file."""
    before, after = (re.findall(r"\d+", str(one.get("engine_version") or "")) for one in (prior, planned))
    return ["engine_version"] if before and after and [int(one) for one in after] < [int(one) for one in before[: len(after)]] else []


# -- RDS -----------------------------------------------------------------------------------------------------------------------

DB_SUBNET_GROUP = Row(
    "aws_db_subnet_group",
    "rds",
    aliases={"name": "DBSubnetGroupName", "description": "DBSubnetGroupDescription", "arn": "DBSubnetGroupArn"},
    create=Call("create_db_subnet_group", take="description name subnet_ids"),
    updates=(Update("modify_db_subnet_group", lambda v: {"DBSubnetGroupName": v["id"]}, take="description subnet_ids"),),
    read=Call("describe_db_subnet_groups", lambda v: {"DBSubnetGroupName": v["id"]}),
    at="DBSubnetGroups[0]",
    got=lambda answer, v, ctx: {"subnet_ids": [one["SubnetIdentifier"] for one in answer.get("Subnets") or []]},
    delete=Call("delete_db_subnet_group", lambda v: {"DBSubnetGroupName": v["id"]}),
    tags="subgrp",
)

DB_ALIASES = {
    "allow_major_version_upgrade": "AllowMajorVersionUpgrade",
    "arn": "DBInstanceArn",
    "backup_window": "PreferredBackupWindow",
    "ca_cert_identifier": "CACertificateIdentifier",
    "db_name": "DBName",
    "db_subnet_group_name": "DBSubnetGroupName",
    "enabled_cloudwatch_logs_exports": "EnableCloudwatchLogsExports",
    "iam_database_authentication_enabled": "EnableIAMDatabaseAuthentication",
    "identifier": "DBInstanceIdentifier",
    "instance_class": "DBInstanceClass",
    "maintenance_window": "PreferredMaintenanceWindow",
    "parameter_group_name": "DBParameterGroupName",
    "password": "MasterUserPassword",
    "snapshot_identifier": "DBSnapshotIdentifier",
    "performance_insights_enabled": "EnablePerformanceInsights",
    "status": "DBInstanceStatus",
    "username": "MasterUsername",
}


def db_details(answer: dict, v: Values, ctx: Any) -> Values:
    endpoint = answer.get("Endpoint") or {}
    groups = answer.get("DBParameterGroups") or [{}]
    options = answer.get("OptionGroupMemberships") or [{}]
    address, port = endpoint.get("Address"), endpoint.get("Port") or answer.get("DbInstancePort")
    return {
        "id": answer.get("DbiResourceId") or answer["DBInstanceIdentifier"],
        "resource_id": answer.get("DbiResourceId"),
        "address": address,
        "port": port,
        "endpoint": f"{address}:{port}" if address else None,
        "hosted_zone_id": endpoint.get("HostedZoneId"),
        "engine_version": database_version(
            answer.get("EngineVersion"), v.get("engine_version"), (answer.get("PendingModifiedValues") or {}).get("EngineVersion")
        ),
        "engine_version_actual": answer.get("EngineVersion"),
        "db_subnet_group_name": (answer.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
        "parameter_group_name": groups[0].get("DBParameterGroupName"),
        "option_group_name": options[0].get("OptionGroupName"),
        "vpc_security_group_ids": [one["VpcSecurityGroupId"] for one in answer.get("VpcSecurityGroups") or []],
        "iam_database_authentication_enabled": answer.get("IAMDatabaseAuthenticationEnabled"),
        "enabled_cloudwatch_logs_exports": answer.get("EnabledCloudwatchLogsExports"),
        "performance_insights_enabled": answer.get("PerformanceInsightsEnabled"),
        "replicas": answer.get("ReadReplicaDBInstanceIdentifiers") or [],
    }


def send_db_change(v: Values, sent: dict) -> None:
    if "port" in v and "Port" in sent:
        sent["DBPortNumber"] = sent.pop("Port")
    if "EngineVersion" in sent:
        sent["AllowMajorVersionUpgrade"] = bool(v.get("allow_major_version_upgrade"))


def db_state(answer: dict) -> bool:
    """The states that the real provider waits through; in any other it gives up."""
    status = answer["DBInstanceStatus"]
    if status in ("failed", "stopped", "deleting", "incompatible-network", "incompatible-parameters", "storage-full"):
        raise Failure("aws_db_instance: it did not become available", f"unexpected state '{status}', wanted target 'available, storage-optimization'")
    return status in ("available", "storage-optimization")


def rename_db(ctx: Any, prior: Values | None, v: Values) -> None:
    if prior:
        ctx.call("modify_db_instance", DBInstanceIdentifier=prior["identifier"], NewDBInstanceIdentifier=v["identifier"], ApplyImmediately=True)


def db_key(v: Values) -> dict:
    """The real provider knows an instance by its resource id, whatever it is called; an import names it by its identifier."""
    if str(v.get("id")).startswith("db-"):
        return {"Filters": [{"Name": "dbi-resource-id", "Values": [v["id"]]}]}
    return {"DBInstanceIdentifier": v["identifier"]}


def restored_db(ctx: Any, v: Values) -> None:
    """What RestoreDBInstanceFromDBSnapshot does not take is changed when it is there; the password too, which else is the snapshot's.

    And the version, wherever the configuration has one (resourceInstanceCreate in internal/service/rds/instance.go, since 2.1.0): RDS is asked to upgrade.
    """

    def look() -> bool | None:
        found = ctx.call("describe_db_instances", DBInstanceIdentifier=v["identifier"])["DBInstances"]
        return True if found and db_state(found[0]) else None

    wait(look, v, "create", f"aws_db_instance: {v['identifier']} was not restored")
    wanted = {member: v.get(name) for name, member in DB_ALIASES.items() if name in ("backup_window", "maintenance_window", "password")}
    wanted |= {"BackupRetentionPeriod": v.get("backup_retention_period"), "EngineVersion": v.get("engine_version")}
    sent = {member: value for member, value in wanted.items() if value is not None}
    ctx.call("modify_db_instance", DBInstanceIdentifier=v["identifier"], ApplyImmediately=True, **sent)


def delete_db(v: Values) -> dict:
    if v.get("skip_final_snapshot"):
        final: dict = {"SkipFinalSnapshot": True}
    elif v.get("final_snapshot_identifier"):
        final = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": v["final_snapshot_identifier"]}
    else:
        raise Failure(
            f"aws_db_instance: deleting {v['identifier']}",
            "final_snapshot_identifier is required when skip_final_snapshot is false",
        )
    return {"DBInstanceIdentifier": v["identifier"], "DeleteAutomatedBackups": v.get("delete_automated_backups") is not False, **final}


DB_CHANGEABLE = (
    "allocated_storage auto_minor_version_upgrade backup_retention_period backup_window ca_cert_identifier copy_tags_to_snapshot "
    "database_insights_mode db_subnet_group_name dedicated_log_volume deletion_protection engine_version iam_database_authentication_enabled "
    "instance_class iops maintenance_window max_allocated_storage monitoring_interval monitoring_role_arn multi_az network_type "
    "option_group_name parameter_group_name password performance_insights_enabled performance_insights_kms_key_id "
    "performance_insights_retention_period publicly_accessible storage_throughput storage_type vpc_security_group_ids"
)

DB_INSTANCE = Row(
    "aws_db_instance",
    "rds",
    aliases=DB_ALIASES,
    create=Call("create_db_instance", take=f"availability_zone backup_target character_set_name db_name engine identifier kms_key_id license_model port "
                f"storage_encrypted timezone username {DB_CHANGEABLE}"),
    create_from=(
        "snapshot_identifier",
        Call("restore_db_instance_from_db_snapshot", take="auto_minor_version_upgrade copy_tags_to_snapshot db_subnet_group_name deletion_protection engine "
             "iam_database_authentication_enabled identifier instance_class iops multi_az network_type option_group_name parameter_group_name port "
             "publicly_accessible snapshot_identifier storage_throughput storage_type vpc_security_group_ids"),
        restored_db,
    ),
    made=lambda v, answer: {"id": answer["DBInstance"].get("DbiResourceId") or v["identifier"]},
    updates=(
        Update(take="identifier", run=rename_db),
        Update(
            "modify_db_instance",
            lambda v: {"DBInstanceIdentifier": v["identifier"], "ApplyImmediately": bool(v.get("apply_immediately"))},
            take=f"port {DB_CHANGEABLE}",
            changed_only=True,
            adjust=send_db_change,
        ),
    ),
    read=Call("describe_db_instances", db_key),
    at="DBInstances[0]",
    got=db_details,
    unread="license_model password replicate_source_db snapshot_identifier upgrade_rollout_order",
    local="allow_major_version_upgrade apply_immediately delete_automated_backups final_snapshot_identifier skip_final_snapshot",
    settle=db_state,
    delete=Call("delete_db_instance", delete_db),
    tags="db",
    # Nothing in AWS tells the last two: the real provider takes these values for them.
    imports=lambda identifier, ctx: {"id": identifier, "identifier": identifier, "delete_automated_backups": True, "skip_final_snapshot": True},
)  # fmt: skip

# -- ElastiCache ---------------------------------------------------------------------------------------------------------------

CACHE_SUBNET_GROUP = Row(
    "aws_elasticache_subnet_group",
    "elasticache",
    aliases={"name": "CacheSubnetGroupName", "description": "CacheSubnetGroupDescription"},
    create=Call("create_cache_subnet_group", take="description name subnet_ids"),
    updates=(Update("modify_cache_subnet_group", lambda v: {"CacheSubnetGroupName": v["id"]}, take="description subnet_ids"),),
    read=Call("describe_cache_subnet_groups", lambda v: {"CacheSubnetGroupName": v["id"]}),
    at="CacheSubnetGroups[0]",
    got=lambda answer, v, ctx: {"subnet_ids": [one["SubnetIdentifier"] for one in answer.get("Subnets") or []]},
    delete=Call("delete_cache_subnet_group", lambda v: {"CacheSubnetGroupName": v["id"]}),
    tags="subnetgroup",
)


def set_parameters(ctx: Any, prior: Values | None, v: Values) -> None:
    def table(values: Values | None) -> dict[str, str]:
        return {one["name"]: one["value"] for one in (values or {}).get("parameter") or []}

    wanted, before = table(v), table(prior)
    gone = [{"ParameterName": name, "ParameterValue": before[name]} for name in before.keys() - wanted.keys()]
    changed = [{"ParameterName": name, "ParameterValue": text} for name, text in wanted.items() if before.get(name) != text]
    if gone:
        ctx.call("reset_cache_parameter_group", CacheParameterGroupName=v["id"], ParameterNameValues=gone)
    if changed:
        ctx.call("modify_cache_parameter_group", CacheParameterGroupName=v["id"], ParameterNameValues=changed)


def user_parameters(answer: dict, v: Values, ctx: Any) -> Values:
    found = ctx.call("describe_cache_parameters", CacheParameterGroupName=v["id"], Source="user").get("Parameters") or []
    # The emulator does not filter by source itself.
    return {"parameter": [{"name": one["ParameterName"], "value": one.get("ParameterValue")} for one in found if one.get("Source") == "user"]}


CACHE_PARAMETER_GROUP = Row(
    "aws_elasticache_parameter_group",
    "elasticache",
    aliases={"name": "CacheParameterGroupName", "family": "CacheParameterGroupFamily"},
    create=Call("create_cache_parameter_group", take="description family name"),
    updates=(Update(take="parameter", run=set_parameters, after_create=True),),
    read=Call("describe_cache_parameter_groups", lambda v: {"CacheParameterGroupName": v["id"]}),
    at="CacheParameterGroups[0]",
    got=user_parameters,
    delete=Call("delete_cache_parameter_group", lambda v: {"CacheParameterGroupName": v["id"]}),
    tags="parametergroup",
)


def cache_details(answer: dict, v: Values, ctx: Any) -> Values:
    nodes = [
        {
            "id": node.get("CacheNodeId"),
            "address": (node.get("Endpoint") or {}).get("Address"),
            "port": (node.get("Endpoint") or {}).get("Port"),
            "availability_zone": node.get("CustomerAvailabilityZone"),
            "outpost_arn": "",
        }
        for node in answer.get("CacheNodes") or []
    ]
    endpoint = answer.get("ConfigurationEndpoint") or {}
    maintenance = answer.get("PreferredMaintenanceWindow")
    state = v.get("maintenance_window")
    return {
        "cache_nodes": nodes,
        "port": endpoint.get("Port") or (nodes[0]["port"] if nodes else v.get("port")),
        "cluster_address": endpoint.get("Address"),
        "configuration_endpoint": f"{endpoint['Address']}:{endpoint['Port']}" if endpoint else None,
        "engine_version": redis_version(answer.get("EngineVersion"), v.get("engine_version")),
        "engine_version_actual": answer.get("EngineVersion"),
        "parameter_group_name": (answer.get("CacheParameterGroup") or {}).get("CacheParameterGroupName"),
        "security_group_ids": [one["SecurityGroupId"] for one in answer.get("SecurityGroups") or []],
        "maintenance_window": state if state and maintenance and state.lower() == maintenance.lower() else maintenance,
        "az_mode": "cross-az" if answer.get("PreferredAvailabilityZone") == "Multiple" else "single-az",
        "log_delivery_configuration": [],
    }


def cache_state(answer: dict) -> bool:
    status = answer["CacheClusterStatus"]
    if status not in ("available", "creating", "modifying", "snapshotting", "rebooting cluster nodes"):
        raise Failure("aws_elasticache_cluster: it did not become available", f"unexpected state '{status}', wanted target 'available'")
    return status == "available"


CACHE_CLUSTER = Row(
    "aws_elasticache_cluster",
    "elasticache",
    aliases={
        "arn": "ARN",
        "availability_zone": "PreferredAvailabilityZone",
        "cluster_id": "CacheClusterId",
        "maintenance_window": "PreferredMaintenanceWindow",
        "node_type": "CacheNodeType",
        "parameter_group_name": "CacheParameterGroupName",
        "subnet_group_name": "CacheSubnetGroupName",
    },
    create=Call(
        "create_cache_cluster",
        take="auto_minor_version_upgrade availability_zone az_mode cluster_id engine engine_version ip_discovery maintenance_window network_type "
        "node_type notification_topic_arn num_cache_nodes parameter_group_name port preferred_availability_zones security_group_ids snapshot_arns "
        "snapshot_name snapshot_retention_limit snapshot_window subnet_group_name transit_encryption_enabled",
    ),
    made=lambda v, answer: {"id": v["cluster_id"]},
    updates=(
        Update(
            "modify_cache_cluster",
            lambda v: {"CacheClusterId": v["id"], "ApplyImmediately": bool(v.get("apply_immediately"))},
            take="auto_minor_version_upgrade az_mode engine_version ip_discovery maintenance_window node_type notification_topic_arn num_cache_nodes "
            "parameter_group_name security_group_ids snapshot_retention_limit snapshot_window",
            changed_only=True,
        ),
    ),
    read=Call("describe_cache_clusters", lambda v: {"CacheClusterId": v["id"], "ShowCacheNodeInfo": True}),
    at="CacheClusters[0]",
    got=cache_details,
    replaced_for=downgraded_redis,
    local="apply_immediately final_snapshot_identifier",
    settle=cache_state,
    # It may be snapshotting: the real provider tries for five minutes.
    busy=("InvalidCacheClusterState", 300),
    delete=Call(
        "delete_cache_cluster",
        lambda v: {
            "CacheClusterId": v["id"],
            **({"FinalSnapshotIdentifier": v["final_snapshot_identifier"]} if v.get("final_snapshot_identifier") else {}),
        },
    ),
    tags="cluster",
    imports=lambda identifier, ctx: {"id": identifier, "cluster_id": identifier},
)

# -- SSM -----------------------------------------------------------------------------------------------------------------------


def send_parameter(v: Values, sent: dict) -> None:
    sent["Value"] = v.get("value") or v.get("insecure_value")
    if v.get("id"):
        sent["Overwrite"] = True
    elif v.get("overwrite"):
        sent.pop("Tags", None)
        sent["Overwrite"] = True


def parameter_details(answer: dict, v: Values, ctx: Any) -> Values:
    filters = [{"Key": "Name", "Option": "Equals", "Values": [v["name"]]}]
    more = (ctx.call("describe_parameters", ParameterFilters=filters)["Parameters"] or [{}])[0]
    clear = v.get("insecure_value") is not None and answer["Type"] != "SecureString"
    return {
        "value": v.get("value") if clear else answer["Value"],
        "insecure_value": answer["Value"] if clear else None,
        "description": more.get("Description"),
        "key_id": more.get("KeyId"),
        "tier": more.get("Tier") or "Standard",
        "allowed_pattern": more.get("AllowedPattern"),
        "data_type": answer.get("DataType") or "text",
        "has_value_wo": False,
    }


PARAMETER = Row(
    "aws_ssm_parameter",
    "ssm",
    create=Call("put_parameter", take="allowed_pattern data_type description key_id name overwrite tier type value insecure_value", adjust=send_parameter),
    updates=(
        Update(
            "put_parameter",
            lambda v: {"Name": v["id"]},
            take="allowed_pattern data_type description key_id tier type value insecure_value",
            adjust=send_parameter,
        ),
    ),
    read=Call("get_parameter", lambda v: {"Name": v["name"] or v["id"], "WithDecryption": True}),
    at="Parameter",
    got=parameter_details,
    delete=Call("delete_parameter", lambda v: {"Name": v["id"]}),
    tags="parameter",
    imports=lambda identifier, ctx: {"id": identifier, "name": identifier},
)

ROWS = [DB_SUBNET_GROUP, DB_INSTANCE, CACHE_SUBNET_GROUP, CACHE_PARAMETER_GROUP, CACHE_CLUSTER, PARAMETER]
