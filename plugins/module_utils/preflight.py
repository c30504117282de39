# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a release can succeed: one verdict over everything that it needs, all findings at once, each with its remedy.

The facts are gathered by preflight_read; here and in the preflight_* files beside it they are only judged.
"""

from __future__ import annotations

import time

from ansible_collections.atena.aws.plugins.module_utils import preflight_read
from ansible_collections.atena.aws.plugins.module_utils.preflight_findings import result_of, verdict_lines

__all__ = ["judge", "preflight", "verdict_lines"]

CHECKS = ()


def judge(facts: dict, request: dict, now: float) -> dict:
    """The verdict over gathered facts. `now` is epoch seconds, for the lock's expiry."""
    return result_of([found for check in CHECKS for found in check(facts, request, now)])


def preflight(call, request: dict) -> dict:
    """Reads and judges everything that the next release of these services needs.

    request: name, cluster, services, and where they apply ssm_path, placeholder, database_id, redis_id, rollout_timeout, gates_bucket, gates_key,
    lock_table, own_token. A service: name; optionally images ({container: image} of the release), task_definition (what will run, instead of the
    template `<name>-template`), health_path (what the application answers its health check on).

    Returns {"findings": [{"check", "subject", "status": "ok"|"warning"|"failed", "says", "remedy"}], "failed": n, "warnings": n}. Writes nothing.
    What the caller may not read is a warning, never an ok. Raises CallFailed only when nothing can be read (no credentials, no connection).
    """
    return judge(preflight_read.gather(call, request), request, time.time())
