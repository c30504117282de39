#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_guard
version_added: 0.1.0
short_description: Stop a database that AWS restarted after seven days
description:
  - AWS starts an RDS instance automatically that was stopped for seven days. If the power journal says that the environment is stopped, this stops the
    instance again and notes it in the journal, under the environment's lock. It is made to be run by a scheduler, and quiet when there is nothing to do.
  - "Whose start it was is determined from the instance's events: an instance that a person started is left alone, and so is one of which no event of the last
    14 days shows it."
  - An instance that cannot be stopped yet, such as one that is starting, is waited for without the lock, or left to the next run.
  - "The gap it closes: M(amazon.aws.rds_instance) stops an instance whoever started it, and knows no record of what should be off."
author:
  - The atena.aws founders (@atena)
options:
  database_id:
    description: The RDS instance.
    type: str
    required: true
  redis_id:
    description:
      - The Redis cluster. In an environment that is on, its events of the last 14 days are checked - a node that AWS replaced or restarted is empty, under
        the same name and address. Empty, nobody looks.
    type: str
    default: ""
  power:
    description: Where the power journal is.
    type: dict
    required: true
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      journal_key:
        description: Key of the journal.
        type: str
        required: true
  operator:
    description: Who runs it; written into the lock.
    type: str
    required: true
  wait_timeout:
    description: Seconds to wait for an instance that cannot be stopped yet; 0 leaves it to the next run.
    type: int
    default: 0
  wait_delay:
    description: Longest pause between two looks, in seconds.
    type: int
    default: 15
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.own_lock
  - atena.aws.progress
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Checks once and reports; it neither waits nor takes the lock.
  diff_mode:
    support: full
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Stop the database again if AWS started it
  atena.aws.environment_guard:
    database_id: atena-prod-db
    power: {bucket: atena-terraform-state-123456789012, journal_key: atena/prod/power.json}
    lock: {table: atena-terraform-locks, name: atena-prod}
    operator: arn:aws:iam::123456789012:role/scheduler
"""

RETURN = r"""
verdict:
  description: >-
    What came of it. V(stopped_again) is the only one that changes something. V(environment_not_stopped), V(already_stopped) and V(no_database) are
    nothing to do; V(stop_or_start_unfinished), V(locked) and V(come_again) settle themselves or with the next run; V(left_to_a_person), V(unclear),
    V(cannot_stop) and V(redis_came_back_empty) want a person.
  returned: success
  type: str
says:
  description: The same in a sentence.
  returned: success
  type: str
status:
  description: The instance's status when it was checked last, before anything was done; empty if it was not checked.
  returned: success
  type: str
started_by:
  description: V(aws), V(person) or V(unknown); empty if that was not asked.
  returned: success
  type: str
started_at:
  description: When it was started, ISO 8601; empty if that is not known.
  returned: success
  type: str
"""

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import interruptible, Interrupted
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.progress import Progress
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import OWN_LOCK_OPTIONS
from ansible_collections.atena.aws.plugins.module_utils.power.guard import EMPTIED
from ansible_collections.atena.aws.plugins.module_utils.power.guard_run import Guarded, GuardRun


def main() -> None:
    module = AwsModule(
        argument_spec={
            "database_id": {"type": "str", "required": True},
            "redis_id": {"type": "str", "default": ""},
            "power": {
                "type": "dict",
                "required": True,
                "options": {"bucket": {"type": "str", "required": True}, "journal_key": {"type": "str", "required": True, "no_log": False}},
            },
            "lock": OWN_LOCK_OPTIONS,
            "operator": {"type": "str", "required": True},
            "wait_timeout": {"type": "int", "default": 0},
            "wait_delay": {"type": "int", "default": 15},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params, progress = module.params, Progress(module.params["progress_file"])
    watch = GuardRun(
        Caller(module),
        Guarded(params["database_id"], params["power"], params["lock"], params["operator"], redis=params["redis_id"]),
        wait_timeout=params["wait_timeout"],
        wait_delay=params["wait_delay"],
        check_mode=module.check_mode,
        say=progress.say,
    )
    try:
        with interruptible():
            changed, found = watch.run()
    except Interrupted as interrupted:
        module.fail_json(msg=f"{interrupted} Run guard.yml again: it sees what is to be done.")
    except CallFailed as failed:
        module.fail_json(**told(failed))
    if found.verdict == EMPTIED:
        module.warn(found.says)
    module.exit_json(
        changed=changed,
        verdict=found.verdict,
        says=found.says,
        status=watch.status,
        started_by=found.started_by,
        started_at=found.started_at,
        diff={"before": {"database": watch.status}, "after": {"database": "stopped" if changed else watch.status}},
    )


if __name__ == "__main__":
    main()
