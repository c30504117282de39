#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: environment_power
version_added: 0.1.0
short_description: Stop a whole environment to save money, and start it with its queue intact
description:
  - Under the environment's lock, with every step in the power journal before and after it.
  - "Stop: record counts, bounds and Redis's parameters; services to 0 and every task of the cluster STOPPED; then in parallel the database (a snapshot
    unless there is a fresh backup, stop) and Redis (snapshot, verified, deleted), while Terraform destroys the load balancer and the NAT gateway."
  - "Start: in parallel the database, Redis from its snapshot, and Terraform; Terraform adopts Redis; C(REDIS_URL) gets its address; when all is ready the
    services come back with a new deployment that is waited for; health."
  - "Redis restored: a snapshot of what there is, verified; the gate closed and Redis deleted; the rest is what a start does. Only with the environment's name
    in O(redis.confirm)."
  - A run that was killed is finished by the next one, or turned round by the opposite one. What is done already is only checked, without a writing call.
  - "The gap it closes: no module stops more than one kind of resource, in an order in which nothing is lost, or keeps Terraform's plan empty meanwhile."
author:
  - The atena.aws founders (@atena)
options:
  name:
    description: The environment, such as C(atena-prod).
    type: str
    required: true
  state:
    description: What it is to be. With V(redis_restored) it is on, and its Redis is what a snapshot holds.
    type: str
    choices: [stopped, started, redis_restored]
    required: true
  cluster:
    description: The ECS cluster; C(<name>-cluster) if unset.
    type: str
  services:
    description: What a start restores where the journal knows nothing.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: The service., type: str, required: true}
      desired_count: {description: Its tasks., type: int, default: 1}
  database_id:
    description: The RDS instance.
    type: str
    required: true
  redis_id:
    description: The ElastiCache cluster or replication group.
    type: str
    required: true
  redis_url_parameter:
    description: The parameter with Redis's URL. Its value is never shown.
    type: str
    required: true
  storage:
    description: Where Terraform's state, the gates and the journal are.
    type: dict
    required: true
    suboptions:
      bucket: {description: The state bucket., type: str, required: true}
      state_key: {description: Key of Terraform's state., type: str, required: true}
      gates_key: {description: Key of the gates., type: str, required: true}
      journal_key: {description: Key of the power journal., type: str, required: true}
  operator:
    description: Who does it; written into lock and journal.
    type: str
    required: true
  database:
    description: The database's backups.
    type: dict
    suboptions:
      backup_max_age_hours: {description: A stop takes no snapshot if there is a younger one., type: float, default: 24}
      snapshots_kept: {description: How many of its own snapshots stay., type: int, default: 7}
  redis:
    description: Redis's snapshots.
    type: dict
    suboptions:
      snapshots_kept: {description: How many of the stops' snapshots stay. Older ones go when a later one was restored., type: int, default: 7}
      snapshot: {description: "Restore this one instead of that of the last stop; with O(state=redis_restored), instead of the newest.", type: str, default: ""}
      without_queue:
        description: C(true) starts with an empty Redis where there is no recorded snapshot. The name of the recorded one leaves that alone.
        type: str
        default: ""
      confirm: {description: "The environment's name, typed by a person, for O(state=redis_restored).", type: str, default: ""}
  reenqueue:
    description: What runs as a one-off task after a start without the queue.
    type: dict
    suboptions:
      service: {description: The service whose revision and network it runs with., type: str, required: true}
      container: {description: The container., type: str, required: true}
      command: {description: The command. It may be run more than once., type: list, elements: str, required: true}
      timeout: {description: Seconds after which it is stopped and has failed., type: int, default: 900}
  costs:
    description: Figures that are shown; none where C(running) is 0. The filter P(atena.aws.power_costs#filter) makes them.
    type: dict
    suboptions:
      running: {description: A month when always on., type: float, default: 0}
      stopped: {description: A month when stopped., type: float, default: 0}
      stopped_parts: {description: What that is made of., type: dict, default: {}}
      currency: {description: Before each figure., type: str, default: $}
      source: {description: Where the figures are from., type: str, default: ""}
  timeouts:
    description: Seconds.
    type: dict
    suboptions:
      tasks: {description: In which one-off tasks may exit on their own. Then they are asked to stop., type: int, default: 900}
      database: {description: For each change of the database., type: int, default: 3600}
      redis: {description: For each change of Redis., type: int, default: 3600}
  tags:
    description: Tags of the snapshots.
    type: dict
    default: {}
  wait_timeout:
    description: Seconds in which all services together must be stable.
    type: int
    default: 900
  wait_delay:
    description: Longest pause between two looks, in seconds.
    type: int
    default: 5
  log_lines:
    description: Log lines of each container to show of a task that failed.
    type: int
    default: 20
extends_documentation_fragment:
  - atena.aws.account
  - atena.aws.terraform
  - atena.aws.own_lock
  - atena.aws.health
  - atena.aws.progress
  - atena.aws.domain
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Lists each step in order; the lock is left out.
  diff_mode:
    support: full
    details: Gates, the database's state and the services' counts, before and after.
  platform:
    platforms: posix
requirements:
  - terraform >= 1.7
"""

EXAMPLES = r"""
- name: Off for the night
  atena.aws.environment_power:
    name: atena-prod
    state: stopped
    database_id: atena-prod-db
    redis_id: atena-prod-redis
    redis_url_parameter: /atena/prod/REDIS_URL
    storage:
      bucket: atena-terraform-state-123456789012
      state_key: atena/prod/terraform.tfstate
      gates_key: atena/prod/gates.json
      journal_key: atena/prod/power.json
    terraform: {project_path: /home/ana/.local/state/atena/atena-prod/infra}
    lock: {table: atena-terraform-locks, name: atena-prod}
    operator: arn:aws:iam::123456789012:user/ana
"""

RETURN = r"""
outcome: {description: "C(stopped), C(started), C(redis_restored), C(nothing_to_do), C(predicted) (check mode) or C(failed).", returned: always, type: str}
name: {description: The environment., returned: always, type: str}
wanted: {description: "C(stopped), C(started) or C(redis_restored), as it was asked for.", returned: always, type: str}
lines: {description: "How it is now - what is off and what still costs, or where the application answers.", returned: always, type: list, elements: str}
would: {description: "What would be done, a line each, in order.", returned: in check mode, type: list, elements: str}
redis_snapshot: {description: The snapshot that a stop took of Redis., returned: when it took one, type: str}
redis_restored: {description: The snapshot that a start restored., returned: when it restored one, type: str}
redis_empty: {description: Whether Redis was recreated., returned: when it was, type: bool}
redis_url: {description: The outcome of C(REDIS_URL) - C(unchanged) or C(updated)., returned: when Redis or its gate was dealt with, type: str}
reenqueued: {description: The command that re-enqueued jobs., returned: when it ran, type: str}
database_snapshot: {description: The snapshot that a stop took of the database., returned: when it took one, type: str}
restarts_at: {description: When AWS starts the database again automatically., returned: when stopped, type: str}
address: {description: "Where the application answers - O(health.url), else the load balancer's own name.", returned: when services were started, type: str}
alb_dns_name: {description: The load balancer's own name. It is another one after each start., returned: when services were started, type: str}
health: {description: "C(healthy), C(status), C(content) and C(attempts) of the application's answer.", returned: when it was asked, type: dict}
steps:
  description: The journal's steps - C(step), C(began_at), C(ended_at), C(outcome), C(says).
  returned: when something was done
  type: list
  elements: dict
summary: {description: The same for people., returned: success, type: list, elements: str}
duration_seconds: {description: How long it took., returned: but for check mode, type: float}
"""

from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.power.arguments import ARGUMENTS
from ansible_collections.atena.aws.plugins.module_utils.power.run import find_terraform, run_module
from ansible_collections.atena.aws.plugins.module_utils.power.start import Start
from ansible_collections.atena.aws.plugins.module_utils.power.stop import Stop
from ansible_collections.atena.aws.plugins.module_utils.power.text import summary
from ansible_collections.atena.aws.plugins.module_utils.recovery.redis import RestoreRedis


def main() -> None:
    module = AwsModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    find_terraform(module)
    kind = {"stopped": Stop, "started": Start, "redis_restored": RestoreRedis}[module.params["state"]]
    run_module(module, kind, summary)


if __name__ == "__main__":
    main()
