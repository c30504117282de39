# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What applications complain of in their logs, as causes of a diagnosis, each with the command that mends it here. No call to AWS here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.partitions import dns_suffix
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.aws import restart_command
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import LIKELY, Found, View
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.tasks import memory_variable, newest_first, subject_of
from ansible_collections.atena.aws.plugins.module_utils.ecs import failure_words

# How old a running task's log line may be to tell of now.
_RECENT = timedelta(minutes=15)
_LINES_SHOWN = 3
# What a task that was stopped as wanted may still complain of: the rest is what others did to it.
_OF_A_STOP = ("npm_first",)
_IN_THE_IMAGE = "/etc/ssl/certs/rds-global-bundle.pem"
# Modes with which the drivers that read them from DATABASE_URL speak TLS.
_ENCRYPTED = ("require", "verify-ca", "verify-full", "no-verify", "prefer")


class _Case:
    """One complaint: the environment, whose it is, and the commands that its remedies are made of."""

    def __init__(self, view: View, service: str, bundle: str):
        self.view, self.service, self.bundle = view, service, bundle
        self.path, self.database = view.ssm_path, view.request.get("database_id", "the database")
        secrets = view.facts["secrets"] or {}
        self.mode: str | None = secrets.get("database_url_sslmode")
        self.redis_has_tls: bool = bool(secrets.get("redis_url_is_tls"))
        self.restart = restart_command(view, [service] if service in view.services else list(view.services))
        self.deploy, self.infra, self.rollback = view.playbook("deploy.yml"), view.playbook("infra.yml"), view.playbook("rollback.yml")

    def rewritten(self, name: str) -> str:
        return f"`aws ssm delete-parameter --name {self.path}/{name}`, then {self.infra} writes it anew; then {self.restart}"

    def bundle_fetched(self) -> str:
        """How AWS's bundle gets into the repository. Other partitions than the commercial one have one of their own, at places that follow no rule."""
        arn = next((service["task_definition"] for service in self.view.services.values()), "").split(":")
        if len(arn) > 3 and arn[1] != "aws":
            return "certs/rds-global-bundle.pem from where the RDS user guide of this partition has it ('Using SSL/TLS to encrypt a connection')"
        suffix = dns_suffix(arn[3] if len(arn) > 3 else "")
        return f"`curl -fsSo certs/rds-global-bundle.pem --create-dirs https://truststore.pki.rds.{suffix}/global/global-bundle.pem`"

    def set_mode(self, mode: str) -> str:
        return self.view.playbook("secrets.yml", "secrets_action=sslmode", f"secrets_sslmode={mode}")


def _encryption(case: _Case) -> str:
    """A driver that does not read the URL's sslmode is not helped by writing it anew."""
    if case.mode in _ENCRYPTED:
        return (
            f"DATABASE_URL says sslmode={case.mode} already. Either these tasks still have an earlier value: {case.restart}. Or the driver drops what stands "
            f"behind the `?`, as MikroORM does: turn TLS on in its own options (MikroORM: `driverOptions: {{ ssl: true }}`), then {case.deploy}"
        )
    says = f"says sslmode={case.mode}" if case.mode else "says no sslmode" if case.mode == "" else "may say no sslmode"
    return f"DATABASE_URL {says}, so the driver does not encrypt. Have it say so: {case.set_mode('verify-full')}"


def _certificate(case: _Case) -> str:
    """The image's bundle first: a mode that verifies nothing is a way to run meanwhile, and no driver's but node-postgres's."""
    fetch = case.bundle_fetched()
    meanwhile = f"To run unverified until then (node-postgres and what stands on it): {case.set_mode('no-verify')}"
    if case.mode == "no-verify":
        meanwhile = "The URL says no-verify already, which this driver does not know: docs/application.md has a table"
    if case.redis_has_tls:
        meanwhile += ". REDIS_URL asks for TLS, too (rediss:): without the names in the log it may as well be that certificate"
    if case.bundle:
        shown = f"`aws rds describe-db-instances --db-instance-identifier {case.database} --query 'DBInstances[0].CertificateDetails'`"
        return (
            f"Its container is told to trust {case.bundle}. That file is not in the image, or lacks the authority of {case.database} ({shown}). "
            f"Take AWS's current one, {fetch}, commit it, then {case.deploy}. {meanwhile}"
        )
    return (
        f"The authorities of RDS are in no default trust store. Give the image AWS's bundle: {fetch}, in the Dockerfile "
        f"`COPY certs/rds-global-bundle.pem {_IN_THE_IMAGE}`, commit both, then {case.deploy}, which has NODE_EXTRA_CA_CERTS and PGSSLROOTCERT name it. "
        f"{meanwhile}"
    )


def _unreachable(case: _Case) -> str:
    return f"Its address, state and security groups look right from here. Tasks keep old values of secrets, so replace them: {case.restart}"


_REMEDIES: dict[str, Callable[[_Case], str]] = {
    "wrong_architecture": lambda case: f"Build for the service's architecture (atena_services: architecture), then {case.deploy}",
    "database_credentials": lambda case: (
        f"Check the SSM parameter {case.path}/DATABASE_URL against {case.database}. If its user is one of those that take turns (_app_a, "
        f"_app_b), {case.view.playbook('rotate_database_password.yml')} makes another password. Else, to have Terraform's own: {case.rewritten('DATABASE_URL')}"
    ),
    "database_encryption": _encryption,
    "database_certificate": _certificate,
    "database_name": lambda case: (
        f"RDS's certificate is for the instance's endpoint: compare the host in {case.path}/DATABASE_URL with it. To have the URL written anew: "
        f"{case.rewritten('DATABASE_URL')}"
    ),
    "redis_certificate": lambda case: (
        "ElastiCache's certificates are by Amazon's own authorities, which Node.js knows; this one is by another. Compare the host in "
        f"{case.path}/REDIS_URL with the cluster's. To have it written anew: {case.rewritten('REDIS_URL')}"
    ),
    "redis_name": lambda case: f"Compare the host in {case.path}/REDIS_URL with the cluster's. To have it written anew: {case.rewritten('REDIS_URL')}",
    "database_connections": lambda case: f"Lower the application's pool or the number of tasks, or raise atena_database.instance_class and apply {case.infra}",
    "database_full": lambda case: f"Raise atena_database.allocated_storage in the inventory, then {case.infra}",
    "database_absent": lambda case: f"Compare the name in DATABASE_URL with atena_database.name. To have it written anew: {case.rewritten('DATABASE_URL')}",
    "schema_behind": lambda case: f"Bring the schema up: {case.view.playbook('migrate.yml')}",
    "redis_full": lambda case: f"See why jobs pile up; then raise atena_redis.node_type and {case.infra}",
    "redis_credentials": lambda case: f"Check the SSM parameter {case.path}/REDIS_URL; then {case.restart}",
    "redis_read_only": lambda case: f"REDIS_URL names a replica: correct the SSM parameter {case.path}/REDIS_URL; then {case.restart}",
    "redis_eviction": lambda case: (
        f"{case.infra} gives this environment's cluster its parameter group with maxmemory-policy noeviction. If there is nothing to change, REDIS_URL names "
        f"another Redis: {case.rewritten('REDIS_URL')}"
    ),
    "bullmq_without_ioredis": lambda case: (
        f"BullMQ 6 no longer brings ioredis: `npm install --save-exact ioredis`, commit it with the lock file, then {case.deploy}; back: {case.rollback}. "
        "Such a worker stays up and writes without end: a health check of its container (atena_services: health_check) fails the release instead"
    ),
    "jobs_given_up": lambda case: (
        "A job whose worker was killed twice is failed, whatever its `attempts` say (BullMQ's maxStalledCount). See why: a worker that needs longer for a stop "
        "than `stopTimeout`, one that is killed for its memory, a job that blocks the event loop ('Missing lock'). Then retry what failed, with a command of "
        f"yours: {case.view.playbook('exec.yml')}"
    ),
    "npm_first": lambda case: (
        f'Let the program be process 1: in the Dockerfile `CMD ["node", "dist/main.js"]` instead of `npm start`, then {case.deploy}. Until then each stop and '
        "each release cuts off what is under way"
    ),
    "npm_script": lambda case: f"Name the program itself in the Dockerfile's CMD, or add the script to package.json; then {case.deploy}; back: {case.rollback}",
    "database_ended": lambda case: (
        "A restart, a failover or an administrator does that, and it passes. What happened: `aws rds describe-events --source-type db-instance "
        f"--source-identifier {case.database} --duration 120`. If a task ended by it, its pool has no listener for errors (pg: `pool.on('error', ...)`): "
        f"add one, then {case.deploy}"
    ),
    "database_unknown": lambda case: (
        f"{case.database} was renamed, restored or deleted after these tasks had started, or DATABASE_URL was written by hand. Tasks keep old values, so "
        f"replace them: {case.restart}. If it stays, have the URL written anew: {case.rewritten('DATABASE_URL')}"
    ),
    "redis_unknown": lambda case: (
        f"The cluster was made anew after these tasks had started, or REDIS_URL was written by hand. Tasks keep old values, so replace them: {case.restart}. "
        f"If it stays, have the URL written anew: {case.rewritten('REDIS_URL')}"
    ),
    "database_unreachable": _unreachable,
    "redis_unreachable": _unreachable,
    "out_of_memory": lambda case: f"Raise {''.join(memory_variable(case.view.key(case.service)))}, then {case.infra} and {case.deploy}",
    "port_taken": lambda case: "Start one server only in the container, or give the second another port.",
    "image_incomplete": lambda case: (
        f"Complete the Dockerfile (copy what was compiled into the last stage; `npm ci --omit=dev` leaves out devDependencies), then {case.deploy}; "
        f"back: {case.rollback}"
    ),
}


def _heard(view: View, task: dict[str, Any]) -> Iterator[tuple[str, dict[str, str], failure_words.Line]]:
    """(container, line, what it complains of)"""
    now = datetime.fromisoformat(view.facts["at"])
    for container, tail in task["log_tail"].items():
        lines = [*task.get("log_before", {}).get(container, []), *tail]
        recent = [line for line in lines if task["state"] != "running" or now - datetime.fromisoformat(line["at"]) <= _RECENT]
        for line, said in zip(recent, failure_words.what_lines_say([line["message"] for line in recent]), strict=True):
            if said and (task["state"] != "stopped" or said.code in _OF_A_STOP):
                yield container, line, said


def logs(view: View) -> Iterator[Found]:
    """What failed and running tasks complain of. A complaint about something that is known to be broken belongs to that."""
    for task in newest_first(view.tasks):
        subject = subject_of(view, task)
        found: dict[str, Found] = {}
        for container, line, said in _heard(view, task):
            if said.code not in found:
                bundle = view.container(task["task_definition"], container).get("bundle", "")
                found[said.code] = Found(
                    said.code,
                    subject,
                    said.cause,
                    _REMEDIES[said.code](_Case(view, task["service"], bundle)),
                    LIKELY,
                    about=(subject,),
                    past=task["state"] != "running" and view.is_past(task),
                    follows=(said.about,) if said.consequence else (),
                )
            found[said.code].add(f"log of {container}, task {task['task_id']}, {line['at']}: {line['message']}")
        for one in found.values():
            one.evidence = one.evidence[-_LINES_SHOWN:]
            yield one


RULES = (logs,)
