# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why an environment does not work: from gathered facts to causes, each with its evidence and the steps that fix it. No call to AWS here.

The rules about what there is now are in diagnosis.aws and diagnosis.network. By those it is decided whether what tasks met is still so (diagnosis.presence):
how they ended (diagnosis.tasks), what the health check shows (diagnosis.health_checks) and what they complain of (diagnosis.logged).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.diagnosis import aws, causality, health_checks, logged, network, tasks
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.presence import Presence
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.records import Facts
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.view import View

OF_NOW = (*aws.RULES, *network.RULES, tasks.events)
OF_TASKS = (tasks.ended, health_checks.health, logged.logs)


def findings(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """[{"code", "resource", "cause", "certainty", "over", "minor", "caused_by", "at", "times", "remedy", "steps", "evidence"}]

    First what is wrong now, a cause before its consequences; then what is worth knowing; then what is over, the newest first.
    """
    view = View(Facts.of(facts))
    now = [item for rule in OF_NOW for item in rule(view)]
    presence = Presence(view, now)
    found = [*now, *(item for rule in OF_TASKS for item in rule(view, presence)), *tasks.unexplained(view)]
    return [item.as_dict() for item in causality.ordered(found)]
