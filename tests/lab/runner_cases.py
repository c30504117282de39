"""For each job template of extensions/awx what its survey is answered with, and what must come of it. A new template needs a case here.

Answers are text, as surveys send them. `says` must be in what the job shows; `changed` is whether it may change anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

SECRETS = {"CLAUDE_API_KEY": "lab-claude-api-key", "ADMIN_TOKEN": "lab-admin-token", "TELEGRAM_BOT_TOKEN": "lab-telegram-bot-token"}


@dataclass(frozen=True)
class Case:
    verb: str
    says: str
    # Or a function of the test's `Releases`, where an answer is a commit.
    answers: dict | Callable = field(default_factory=dict)
    check: bool = False
    changed: bool = False
    # What a job of this verb finds in its environment by its second credential.
    environment: dict = field(default_factory=dict)
    # What the inventory says of the environment besides.
    described: dict = field(default_factory=dict)
    # Left to `make test-soak`.
    soak: bool = False

    @property
    def id(self) -> str:
        action = self.answers.get("secrets_action", "") if isinstance(self.answers, dict) else ""
        return "-".join(filter(None, (self.verb, action, "check" if self.check else "")))


# Run by tests/lab/test_ci.py, where there are a repository and its API.
ELSEWHERE = {"ci-setup"}

CASES = [
    Case("status", "Healthy."),
    Case("preflight", "prevents a release", {"preflight_fail_on": "failed"}, soak=True),
    Case("deploy", "Would release", lambda releases: {"deploy_release": releases.earlier}, check=True, changed=True, soak=True),
    Case("deploy", "Released", lambda releases: {"deploy_release": releases.earlier}, changed=True),
    # The one before is now the later one: back where it began. A workflow hands the commit to this job too, and it must mean nothing here.
    Case(
        "rollback",
        "Released",
        lambda releases: {"rollback_release": "", "rollback_over_migration": "false", "deploy_release": releases.earlier},
        changed=True,
    ),
    Case("releases", "*", {"releases_count": "3", "releases_show": ""}, soak=True),
    Case("lock", "is not locked", {"lock_force": ""}, soak=True),
    Case("scale", "api", {"scale": "api=1,workers=1"}, soak=True),
    Case("schedule", "Nothing is due", {"schedule_act": "true", "schedule_keep_on_until": ""}, soak=True),
    Case("guard", "the environment is not recorded as stopped", {"guard_wait_seconds": "0"}, soak=True),
    Case("infra", "nothing to change", {"infra_allow_destroy": ""}, check=True, soak=True),
    Case("infra", "nothing to change", {"infra_allow_destroy": "aws_nothing.at_all, aws_nor.this[0]"}, soak=True),
    Case("secrets", "ADMIN_TOKEN", {"secrets_action": "list", "secrets_names": ""}, environment=SECRETS, soak=True),
    Case("secrets", "ADMIN_TOKEN", {"secrets_action": "set", "secrets_names": ""}, environment=SECRETS, soak=True),
    Case("restart", "api", {"restart_services": "api"}, changed=True, soak=True),
    Case("logs", "api", {"logs_services": "api", "logs_since": "1h", "logs_pattern": "", "logs_errors": "false"}, soak=True),
    Case("exec", "hello", {"exec_command": "echo hello", "exec_service": "api"}, changed=True, soak=True),
    Case("cost", "month", {"cost_from": "environment", "cost_counts": "api=2,workers=1"}, soak=True),
    Case("database-password", "atena", changed=True, soak=True),
    Case("bootstrap", "nothing to change", soak=True),
    Case("migrate", "Ran node packages/database/dist/migrate.js", {"migrate_task_definition": ""}, changed=True, soak=True),
    Case("diagnose", "In S3: s3://", {"diagnose_log_lines": "5"}, soak=True),
    Case("prune", "Nothing to delete", {"prune_min_age_days": "3650", "prune_keep_newest": "1000"}, soak=True),
    Case("stop", "Stopped", {"stop_allow_destroy": ""}, changed=True, soak=True),
    Case("start", "Started", {"start_without_queue": "", "start_redis_snapshot": "", "start_allow_destroy": ""}, changed=True, soak=True),
    Case("restore-database", "atena-prod-db", {"restore_database_confirm": "", "restore_database_time": "latest"}, check=True, changed=True, soak=True),
    Case("restore-redis", "atena-prod-redis", {"restore_redis_confirm": "", "restore_redis_snapshot": ""}, check=True, changed=True, soak=True),
    Case("destroy", "atena-prod-db", {"destroy_confirm": ""}, check=True, changed=True, soak=True),
    # It asks for the releases, too: the next one needs them, and they cannot be made of what is destroyed.
    Case("destroy", "Destroyed atena-prod", lambda releases: {"destroy_confirm": "atena-prod"}, changed=True, soak=True),
    Case(
        "redeploy",
        "from the snapshot atena-prod-db-final-",
        lambda releases: {"deploy_release": releases.later, "redeploy_database_snapshot": "", "redeploy_redis_snapshot": ""},
        environment=SECRETS,
        changed=True,
        soak=True,
    ),
    Case(
        "site",
        "already runs",
        lambda releases: {"deploy_release": releases.later, "infra_allow_destroy": ""},
        environment=SECRETS,
        soak=True,
    ),
]
