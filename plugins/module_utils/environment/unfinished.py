# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was begun in an environment and is on record without its end: a stop or start, a restore, a destroy or redeploy, a rotation. One sentence each, with
the command that finishes it.

A record cannot tell a run that goes on from one that died: the lock does.
"""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call
from ansible_collections.atena.aws.plugins.module_utils.environment import destroy_record, journal as power_journal, restore_record, rotation_record
from ansible_collections.atena.aws.plugins.module_utils.environment.destroy_record import DESTROYING, REDEPLOYING
from ansible_collections.atena.aws.plugins.module_utils.environment.journal import STARTING, STOPPING
from ansible_collections.atena.aws.plugins.module_utils.environment.restore_record import RESTORING, UNDOING
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import PowerRecord, WorkRecord

# Option `records` of modules that look at them.
OPTIONS = {
    "type": "dict",
    "options": {
        "bucket": {"type": "str", "required": True},
        **{key: {"type": "str", "no_log": False} for key in ("journal_key", "restore_key", "destroy_key", "rotations_key")},
    },
}
# {state: (what it is, the playbook and its options, what may be done instead or comes after)}; {name} is the environment's.
_WORKS = {
    STOPPING: ("stop", "stop.yml", (), "start.yml reverses it"),
    STARTING: ("start", "start.yml", (), "stop.yml reverses it"),
    RESTORING: (
        "restore of the database",
        *("restore_database.yml", ("restore_database_confirm={name}",), "-e restore_database_undo={name} undoes it"),
    ),
    UNDOING: ("undo of a restore of the database", "restore_database.yml", ("restore_database_undo={name}",), ""),
    DESTROYING: ("destroy", "destroy.yml", ("destroy_confirm={name}",), "redeploy.yml then recreates the environment"),
    REDEPLOYING: ("redeploy", "redeploy.yml", (), "it resumes with the same snapshots"),
}
# Works in which nobody should release: databases change their names, or go; counts are on their way to 0, or back. A redeploy releases by itself.
IN_THE_WAY = tuple(_WORKS[state][0] for state in (STOPPING, STARTING, RESTORING, UNDOING, DESTROYING))
# kind of a rotation, as its record has it -> the playbook and its options
_ROTATIONS = {
    "secrets": ("secrets.yml", ("secrets_action=rotate",)),
    "database password": ("rotate_database_password.yml", ()),
    "sslmode": ("secrets.yml", ("secrets_action=sslmode",)),
}


def of_record(record: WorkRecord | None, name: str) -> list[dict]:
    """[{"work", "since", "operator", "playbook", "options", "besides"}] of a record of one work: of stops and starts, of a restore, or of a destroy."""
    if record is None or record.state not in _WORKS:
        return []
    found = _WORKS[record.state]
    work, playbook, options, besides = found
    named = [option.format(name=name) for option in options]
    return [_entry(work, record.began_at, record.operator, playbook, named, besides.format(name=name))]


def of_rotations(entries: list[rotation_record.Rotation]) -> list[dict]:
    """The same of the rotations, newest first: only the newest may be without its end, as each finishes what the one before it left."""
    newest = entries[0] if entries else None
    if newest is None or newest.outcome not in (rotation_record.RUNNING, rotation_record.INTERRUPTED):
        return []
    playbook, options = _ROTATIONS.get(newest.kind, _ROTATIONS["secrets"])
    work = f"rotation of {', '.join(newest.secrets)}"
    return [_entry(work, newest.started_at, newest.operator, playbook, list(options), "")]


def _entry(work: str, since: str, operator: str, playbook: str, options: list[str], besides: str) -> dict:
    return {"work": work, "since": since, "operator": operator, "playbook": playbook, "options": options, "besides": besides}


def began(entry: dict) -> str:
    """What it is, without the way on."""
    by = f", by {entry['operator']}" if entry["operator"] else ""
    return f"{'an' if entry['work'].startswith('undo') else 'a'} {entry['work']} began at {entry['since']}{by}, and is incomplete"


def way_on(entry: dict, command: str) -> str:
    """command: how its playbook is run."""
    return f"{command} finishes it" + (f"; {entry['besides']}" if entry["besides"] else "")


def typed(entry: dict) -> str:
    """Its playbook with its options, where it is not known from where it is run."""
    return " -e ".join([entry["playbook"], *entry["options"]])


def says(entry: dict) -> str:
    """The whole sentence."""
    return f"{began(entry)}: {way_on(entry, typed(entry))}"


def read(call: Call, where: dict | None, name: str) -> list[dict] | None:
    """All of an environment. where: OPTIONS; a record whose key is not given is not looked at. None if nobody asked."""
    if where is None:
        return None
    found = []
    for key, what in (("journal_key", PowerRecord.WHAT), ("restore_key", restore_record.WHAT), ("destroy_key", destroy_record.WHAT)):
        if where.get(key):
            found += of_record(power_journal.Journal(call, where["bucket"], where[key], what=what).look(), name)
    if where.get("rotations_key"):
        found += of_rotations(rotation_record.RotationRecord(call, where["bucket"], where["rotations_key"]).read())
    return found
