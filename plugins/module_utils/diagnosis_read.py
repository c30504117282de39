# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gathers what a diagnosis judges, with the calls side by side. A part that cannot be read is itself a fact: nothing here fails."""

from __future__ import annotations

from datetime import UTC, datetime

from ansible_collections.atena.aws.plugins.module_utils import diagnosis

FORMAT = 1


def gather(call, request: dict) -> dict:
    """All facts of one diagnosis, without any secret's value in them."""
    return {}


def diagnose(call, request: dict) -> dict:
    """{"format": 1, "at", "environment", "findings": [...], "facts": {...}}: why the environment does not work. Never raises CallFailed; writes nothing.

    request: name, cluster, services (names), and where they apply ssm_path, placeholder ("CHANGE_ME"), database_id, redis_id, log_lines (20),
    tasks (ARNs of tasks that must be looked at, such as a migration's), gates_bucket and gates_key (what is off on purpose), url (the
    application's health address, asked once). diagnosis.as_text() makes it readable. All of it is JSON, and no secret's value is in it.
    """
    facts = gather(call, request)
    return {
        "format": FORMAT,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": request["name"],
        "findings": diagnosis.findings(facts),
        "facts": facts,
    }
