# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore of the database is made of: the source, RDS's arguments, what the new one holds beside the old one. Decisions only; no call to AWS."""

from __future__ import annotations

import datetime
import json

from ansible_collections.atena.aws.plugins.module_utils.power.terraform import POWER_RESOURCES
from ansible_collections.atena.aws.plugins.module_utils.recovery.read import listed, newest
from ansible_collections.atena.aws.plugins.module_utils.terraform import plan as terraform_plan
from ansible_collections.atena.aws.plugins.module_utils.terraform.plan import Change

SNAPSHOT, MOMENT, INSTANCE, LATEST = "snapshot", "moment", "instance", "latest"
# A described instance's settings that a restore takes as they are ...
_SAME = (
    *("AutoMinorVersionUpgrade", "CopyTagsToSnapshot", "DBInstanceClass", "DedicatedLogVolume", "DeletionProtection", "MultiAZ", "NetworkType"),
    *("PubliclyAccessible", "StorageType"),
)
# ... and those that are changed when it is there.
_AFTERWARDS = ("BackupRetentionPeriod", "MaxAllocatedStorage", "MonitoringInterval", "MonitoringRoleArn", "PreferredBackupWindow", "PreferredMaintenanceWindow")
# Of Terraform's: the database.
ADDRESS = "aws_db_instance.main"
# Storage for which input and output operations are stated; for others RDS refuses the argument, or has its own figure.
_STATED_IOPS = ("io1", "io2")


def moment(text: str) -> datetime.datetime:
    """A point in time, in UTC where it names no zone. Raises ValueError."""
    found = datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    return found.replace(tzinfo=found.tzinfo or datetime.UTC).astimezone(datetime.UTC)


def source(asked: dict, database: dict | None, snapshots: list[dict], now: datetime.datetime) -> tuple[dict, str]:
    """({"kind", "name" or "time"}, why it cannot be or '').

    asked: {"snapshot", "time"}, both '' for the latest automatic backup.
    """
    known = f"Snapshots, newest first: {listed(snapshots)}."
    if asked["snapshot"] and asked["time"]:
        return {}, "Name a snapshot or a point in time, not both."
    if asked["snapshot"]:
        found = next((one for one in snapshots if one["DBSnapshotIdentifier"] == asked["snapshot"]), None)
        if found is None:
            return {}, f"The snapshot {asked['snapshot']} is none of this database. {known}"
        wrong = "" if found["Status"] == "available" else f"The snapshot {asked['snapshot']} is {found['Status']}, not available."
        return {"kind": SNAPSHOT, "name": asked["snapshot"]}, wrong
    if asked["time"]:
        return _at(asked["time"], database, known, now)
    automatic = newest([one for one in snapshots if one["SnapshotType"] == "automated"])
    if not automatic:
        return {}, f"There is no automatic backup. {known} Name one with -e restore_database_snapshot=<name>, or a time with -e restore_database_time="
    return {"kind": SNAPSHOT, "name": automatic[0]["DBSnapshotIdentifier"]}, ""


def taken_over(name: str, instances: list[dict], database: dict | None, identifier: str) -> tuple[dict, str]:
    """The same of an instance that a person restored by hand, under another name than the environment's."""
    found = next((one for one in instances if one["DBInstanceIdentifier"] == name), None)
    if found is None:
        return {}, f"There is no database {name}."
    if name == identifier:
        return {}, f"{name} has the environment's name already. If Terraform does not know it, infra.yml imports it."
    wrong = [sentence for sentence in _unlike(found, database) if sentence]
    return {"kind": INSTANCE, "name": name, "resource": found["DbiResourceId"]}, " ".join(wrong)


def _unlike(found: dict, database: dict | None) -> list[str]:
    """Why an instance cannot take the place of the environment's: what RDS never changes, and Terraform would replace it for."""
    name, like = found["DBInstanceIdentifier"], database or {}
    groups = [(one.get("DBSubnetGroup") or {}) for one in (found, like)]
    elsewhere = groups[1].get("VpcId") and groups[0].get("VpcId") != groups[1]["VpcId"]
    return [
        f"{name} lies in another network: restore it with --db-subnet-group-name {groups[1].get('DBSubnetGroupName')}." if elsewhere else "",
        f"{name} is {found['DBInstanceStatus']}, not available." if found["DBInstanceStatus"] != "available" else "",
        f"{name} is not encrypted, and no instance becomes so: restore it from an encrypted snapshot." if not found.get("StorageEncrypted") else "",
        *(
            f"{name} has {what} {found.get(key)}, the environment's has {like[key]}."
            for key, what in (("Engine", "the engine"), ("DBName", "the database name"), ("MasterUsername", "the master user"))
            if like.get(key) and found.get(key) != like[key]
        ),
    ]


def _at(text: str, database: dict | None, known: str, now: datetime.datetime) -> tuple[dict, str]:
    if database is None:
        return {}, f"The database is gone, and with it the points in time. {known}"
    if not database.get("BackupRetentionPeriod"):
        return {}, f"The database keeps no automatic backups (backup_retention_days 0), so that it has no points in time. {known}"
    latest = database.get("LatestRestorableTime")
    if text == LATEST:
        return {"kind": MOMENT, "time": LATEST}, ""
    try:
        wanted = moment(text)
    except ValueError:
        return {}, f"'{text}' is no point in time. Write it as 2027-03-05T14:30:00Z, or 'latest'."
    if latest and wanted > latest:
        return {}, f"{wanted:%Y-%m-%d %H:%M:%S} UTC is too late: the database can be restored up to {latest:%Y-%m-%d %H:%M:%S} UTC (it is {now:%H:%M:%S})."
    return {"kind": MOMENT, "time": wanted.strftime("%Y-%m-%dT%H:%M:%SZ")}, ""


def told(found: dict) -> str:
    """'the snapshot x', for a sentence."""
    if found["kind"] in (SNAPSHOT, INSTANCE):
        return f"the {'snapshot' if found['kind'] == SNAPSHOT else 'database'} {found['name']}"
    return "the latest restorable time" if found["time"] == LATEST else f"the point in time {found['time']}"


def arguments(found: dict, original: dict | None, fallback: dict, identifier: str) -> tuple[str, dict]:
    """(operation, arguments) of the restore. fallback: described like an instance, where the original is gone."""
    like = original or fallback
    sent = {name: like[name] for name in _SAME if like.get(name) is not None}
    sent["DBSubnetGroupName"] = like["DBSubnetGroup"]["DBSubnetGroupName"]
    sent["VpcSecurityGroupIds"] = [group["VpcSecurityGroupId"] for group in like["VpcSecurityGroups"]]
    if like.get("StorageType") in _STATED_IOPS and like.get("Iops"):
        sent["Iops"] = like["Iops"]
    if like.get("IAMDatabaseAuthenticationEnabled") is not None:
        sent["EnableIAMDatabaseAuthentication"] = like["IAMDatabaseAuthenticationEnabled"]
    port = (like.get("Endpoint") or {}).get("Port")
    if port:
        sent["Port"] = port
    for key, groups, name in (
        ("DBParameterGroupName", "DBParameterGroups", "DBParameterGroupName"),
        ("OptionGroupName", "OptionGroupMemberships", "OptionGroupName"),
    ):
        if like.get(groups):
            sent[key] = like[groups][0][name]
    sent["Tags"] = [tag for tag in like.get("TagList", []) if not tag["Key"].startswith("aws:")]
    if found["kind"] == SNAPSHOT:
        return "restore_db_instance_from_db_snapshot", {**sent, "DBSnapshotIdentifier": found["name"], "DBInstanceIdentifier": identifier}
    when = {"UseLatestRestorableTime": True} if found["time"] == LATEST else {"RestoreTime": moment(found["time"])}
    return "restore_db_instance_to_point_in_time", {
        **sent,
        **when,
        "SourceDBInstanceIdentifier": like["DBInstanceIdentifier"],
        "TargetDBInstanceIdentifier": identifier,
    }


def afterwards(like: dict, restored: dict) -> dict:
    """ModifyDBInstance's arguments that make the restored one as the original is."""
    found = {name: like[name] for name in _AFTERWARDS if like.get(name) not in (None, "") and like[name] != restored.get(name)}
    groups = [[group["VpcSecurityGroupId"] for group in one.get("VpcSecurityGroups", [])] for one in (like, restored)]
    # Of one that a person restored by hand: RDS puts it into the default group, which no task reaches.
    differ = groups[0] and "VpcSecurityGroups" in restored and sorted(groups[0]) != sorted(groups[1])
    return {**found, "VpcSecurityGroupIds": groups[0]} if differ else found


# --- What was not applied ---------------------------------------------------------------------------------------------
def in_the_way(changes: list[Change], allowed: list[str]) -> list[Change]:
    """The changes of a plan for which Terraform's apply after the swap would be refused: what it would destroy or replace, and nobody allowed by name.

    A database that is to be replaced for its half-failed creation alone is no reason: another one takes its place. For what the inventory says, such as its
    name, the restored one would be replaced, too.
    """
    return terraform_plan.refused(changes, allowed, [*POWER_RESOURCES, ADDRESS])


def unapplied(found: list[Change], verb: str, begun: bool) -> str:
    """What to tell of them. begun: an earlier run died in the swap, so that an apply by other means would make it worse."""
    lines = [f"  {change['address']} would be {'replaced' if 'replace' in change['action'] else 'destroyed'}{_because(change)}" for change in found]
    way = "Take the change of the inventory or of infra/ that causes it back" if begun else "Apply it (infra.yml), or undo it,"
    return (
        f"What the configuration says was not applied, and Terraform would destroy something for it. The {verb} ends with an apply, which is refused "
        "then:\n" + "\n".join(lines) + f"\n{way} and run this again. In an emergency: -e restore_allow_unapplied=true, which applies the database alone "
        f"and leaves the rest as it is. Nothing {'more ' if begun else ''}was changed."
    )


def _because(change: Change) -> str:
    return f", because {change['reason']}" if change["reason"] else ""


# --- The check --------------------------------------------------------------------------------------------------------
def counted(lines: list[str]) -> dict | None:
    """{"migrations", "rows"} in the last line of JSON that the command wrote; None if there is none."""
    for line in reversed(lines):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("rows"), dict) and isinstance(found.get("migrations"), list):
            return {"migrations": [str(name) for name in found["migrations"]], "rows": {str(table): int(rows) for table, rows in found["rows"].items()}}
    return None


def compared(restored: dict, original: dict | None) -> list[str]:
    """What a person should know of the rows, a line each."""
    lines = []
    for table in sorted({*restored["rows"], *(original or {"rows": {}})["rows"]}):
        now = restored["rows"].get(table)
        has = f"{table}: {'no such table' if now is None else f'{now} rows'}"
        if original:
            before = original["rows"].get(table)
            has += "" if before == now else f" (the original: {'no such table' if before is None else before})"
        lines.append(has)
    last = restored["migrations"][-1] if restored["migrations"] else "none"
    lines.append(f"migrations: {len(restored['migrations'])}, the last is {last}")
    missing = [name for name in (original or {"migrations": []})["migrations"] if name not in restored["migrations"]]
    if missing:
        lines.append(f"migrations that only the original has: {', '.join(missing)}")
    return lines
