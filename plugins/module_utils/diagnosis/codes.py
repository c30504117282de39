# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The codes of all findings, and which finding explains which. docs/findings.md is made from this table.

The order is that of causes: what the rest depends on comes first, and a code explains later ones only.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.ecs.failure_words import AWS_WORDS

# Whom a cause keeps from working: what lies in the environment, every later task; a revision's fault, tasks of that revision; the rest passes by itself.
ENVIRONMENT, REVISION, PASSING = "environment", "revision", "passing"

# --- What a cause brings about ---
_UNAVAILABLE = ("TOO_FEW_TASKS", "ADDRESS_UNHEALTHY")
_UNHEALTHY = ("HEALTH_CHECK_FAILED", "HEALTH_CHECK_TIMED_OUT", "HEALTH_CHECK_NO_ANSWER", "CONTAINER_UNHEALTHY", *_UNAVAILABLE)
# A program that lacks something ends, or stays up and says that it is unhealthy.
_FAILS = ("TASK_EXITED", "JOBS_STALLED", *_UNHEALTHY)
_NOT_STARTED = ("TASK_NOT_STARTED", "CONTAINER_NOT_STARTED", "HEALTH_CHECK_NO_ANSWER", *_UNAVAILABLE)
_NO_DATABASE = ("DATABASE_HOST_UNKNOWN", "DATABASE_UNREACHABLE", "DATABASE_CONNECTIONS_ENDED", *_FAILS)
_NO_REDIS = ("REDIS_HOST_UNKNOWN", "REDIS_UNREACHABLE", *_FAILS)
_OTHER_DATABASE = (
    *("DATABASE_CREDENTIALS_REFUSED", "DATABASE_ENCRYPTION_REQUIRED", "DATABASE_CERTIFICATE_REFUSED", "DATABASE_CERTIFICATE_NAME"),
    *("DATABASE_NAME_UNKNOWN", "SCHEMA_BEHIND", *_NO_DATABASE),
)
_OTHER_REDIS = (
    *("REDIS_CERTIFICATE_REFUSED", "REDIS_CERTIFICATE_NAME", "REDIS_CREDENTIALS_REFUSED", "REDIS_READ_ONLY", "REDIS_EVICTION", "REDIS_FULL"),
    *_NO_REDIS,
)
_NO_EGRESS = ("SECRET_UNREADABLE", "IMAGE_NOT_PULLED", "LOG_GROUP_MISSING", *_NOT_STARTED)
_NO_PARTS = (
    *("DATABASE_MISSING", "DATABASE_STOPPED", "DATABASE_NOT_READY", "REDIS_MISSING", "REDIS_NOT_READY", "LOAD_BALANCER_MISSING"),
    *("LOAD_BALANCER_NOT_READY", "LISTENER_MISSING", "EGRESS_MISSING", "DATABASE_URL_WRONG", "REDIS_URL_WRONG"),
    *(*_NO_EGRESS, *_OTHER_DATABASE, *_OTHER_REDIS),
)


class Code(NamedTuple):
    """cause, remedy: as the page has them; '' for those of ecs.failure_words. about: the chapter of the page.

    explains: codes of findings that are its consequences, where both concern the same service or one of them concerns all. minor: worth knowing, and no
    reason why the environment does not work. lasts: ENVIRONMENT, REVISION or PASSING.
    """

    code: str
    about: str
    cause: str = ""
    remedy: str = ""
    explains: tuple[str, ...] = ()
    lasts: str = ENVIRONMENT
    minor: bool = False


_E, _D, _R, _N, _T, _I, _A, _H = (
    *("The environment", "The database", "Redis", "The network", "Tasks do not start", "The image and its program", "The application", "Health"),
)
_REBUILD = "Correct the application, then `deploy.yml`; or return to the previous release: `rollback.yml`"
_PASSES = "It is temporary: wait, then `status.yml`"
_REWRITE = "`infra.yml -e infra_replace=aws_ssm_parameter.{}`, which has Terraform write it again, then `restart.yml`"

CODES = (
    Code(
        "AWS_NOT_READABLE",
        _E,
        "AWS refuses the caller, so nothing is known of the environment",
        "Get working credentials, then run `diagnose.yml` again",
        explains=("PARTLY_READABLE",),
    ),
    Code("ENVIRONMENT_STOPPED", _E, "The environment was stopped on purpose", "`start.yml`", explains=_NO_PARTS),
    Code(
        "WORK_INCOMPLETE",
        _E,
        "A stop, start, restore, destroy or rotation began and is incomplete",
        "Run its playbook again, as the finding names it",
        explains=_NO_PARTS,
    ),
    Code("CLUSTER_MISSING", _E, explains=("SERVICE_MISSING", *_NOT_STARTED)),
    Code(
        "SERVICE_MISSING", _E, "The cluster has no such service", "`infra.yml`; check `atena_project`, `atena_stage` and `atena_region`", explains=_UNAVAILABLE
    ),
    Code("NEVER_RELEASED", _E, "No release ever ran", "`deploy.yml`", explains=_UNAVAILABLE),
    Code(
        "DATABASE_MISSING",
        _D,
        "The RDS instance does not exist",
        "`redeploy.yml` after a destroy, `restore_database.yml` from a snapshot, or `infra.yml` if it was never created",
        explains=_NO_DATABASE,
    ),
    Code("DATABASE_STOPPED", _D, "The RDS instance is stopped", "`start.yml`", explains=_NO_DATABASE),
    Code(
        "DATABASE_NOT_READY",
        _D,
        "The RDS instance is in a state in which it serves nobody",
        _PASSES + "; of a state that does not pass, its events in RDS have the reason",
        explains=_NO_DATABASE,
    ),
    Code("DATABASE_FULL", _D, "The database's disk is full", "Raise `atena_database.allocated_storage`, then `infra.yml`", explains=_NO_DATABASE),
    Code("REDIS_MISSING", _R, "The ElastiCache cluster does not exist", "`start.yml`, which restores it from its snapshot", explains=_NO_REDIS),
    Code("REDIS_NOT_READY", _R, "The ElastiCache cluster is in a state in which it serves nobody", _PASSES, explains=_NO_REDIS),
    Code(
        "LOAD_BALANCER_MISSING",
        _H,
        "The load balancer does not exist, so nobody reaches the application",
        "`start.yml` after a stop, else `infra.yml`",
        explains=("LISTENER_MISSING", *_UNAVAILABLE),
    ),
    Code("LOAD_BALANCER_NOT_READY", _H, "The load balancer is not active", "Wait some minutes; else `infra.yml`", explains=("ADDRESS_UNHEALTHY",)),
    Code("LISTENER_MISSING", _H, "No listener or rule sends requests to the service's target group", "`infra.yml`", explains=_UNAVAILABLE),
    Code(
        "EGRESS_MISSING",
        _N,
        "The tasks have no egress to AWS: ECR, SSM, CloudWatch Logs (NAT gateway, its route, port 443 of the security group)",
        "`start.yml` after a stop, else `infra.yml`",
        explains=_NO_EGRESS,
    ),
    Code("DATABASE_BLOCKED", _N, "The security groups do not let the tasks reach the database", "`infra.yml`", explains=_NO_DATABASE),
    Code("REDIS_BLOCKED", _N, "The security groups do not let the tasks reach Redis", "`infra.yml`", explains=_NO_REDIS),
    Code("SERVICE_BLOCKED", _N, "The security groups do not let the load balancer reach the tasks", "`infra.yml`", explains=_UNHEALTHY),
    Code("DATABASE_URL_WRONG", _D, "`DATABASE_URL` has another address than the database", _REWRITE.format("database_url"), explains=_OTHER_DATABASE),
    Code("REDIS_URL_WRONG", _R, "`REDIS_URL` has another address than the cluster", _REWRITE.format("redis_url"), explains=_OTHER_REDIS),
    # --- A task that starts now fails ---
    Code("ROLE_NOT_ASSUMABLE", _T, explains=_NOT_STARTED),
    Code("SECRET_DENIED", _T, explains=_NOT_STARTED),
    Code(
        "SECRET_MISSING",
        _T,
        "A parameter that the task definition names does not exist in SSM",
        "`secrets.yml` for those that people set, `infra.yml` for `DATABASE_URL` and `REDIS_URL`",
        explains=("SECRET_UNREADABLE", *_NOT_STARTED),
    ),
    Code("SECRET_UNREADABLE", _T, explains=_NOT_STARTED),
    Code("IMAGE_DENIED", _T, explains=_NOT_STARTED),
    Code("IMAGE_MISSING", _T, explains=("IMAGE_NOT_PULLED", *_NOT_STARTED)),
    Code("IMAGE_PULL_LIMITED", _T, explains=_NOT_STARTED, lasts=PASSING),
    Code("IMAGE_NOT_PULLED", _T, explains=_NOT_STARTED),
    Code("IMAGE_WRONG_ARCHITECTURE", _T, explains=(*_NOT_STARTED, *_FAILS), lasts=REVISION),
    Code("LOGS_DENIED", _T, explains=_NOT_STARTED),
    Code("LOG_GROUP_MISSING", _T, explains=_NOT_STARTED),
    Code("QUOTA_REACHED", _T, explains=("CAPACITY_UNAVAILABLE", *_NOT_STARTED), lasts=PASSING),
    Code("AWS_THROTTLED", _T, explains=("PARTLY_READABLE", *_NOT_STARTED), lasts=PASSING),
    Code("CAPACITY_UNAVAILABLE", _T, explains=_NOT_STARTED, lasts=PASSING),
    Code("CAPACITY_MEMORY", _T, explains=_NOT_STARTED, lasts=PASSING),
    Code("CAPACITY_CPU", _T, explains=_NOT_STARTED, lasts=PASSING),
    Code("ADDRESSES_EXHAUSTED", _T, explains=_NOT_STARTED, lasts=PASSING),
    Code("TASK_SETUP_FAILED", _T, explains=_NOT_STARTED, lasts=PASSING),
    Code("COMMAND_NOT_FOUND", _T, explains=_NOT_STARTED, lasts=REVISION),
    Code("SPOT_INTERRUPTED", _T, explains=("JOBS_STALLED", *_UNHEALTHY), lasts=PASSING),
    Code("TASK_RETIRED", _T, explains=("JOBS_STALLED", *_UNHEALTHY), lasts=PASSING),
    # --- What the program in the container complains of ---
    Code("OUT_OF_MEMORY", _I, explains=_FAILS, lasts=REVISION),
    Code(
        "IMAGE_INCOMPLETE",
        _I,
        "The image lacks a file or a package that the application needs",
        "Complete the Dockerfile, then `deploy.yml`; or return to the previous release: `rollback.yml`",
        explains=_FAILS,
        lasts=REVISION,
    ),
    Code(
        "NPM_SCRIPT_MISSING",
        _I,
        "The container's command names a script that package.json does not have",
        "Name the program itself in the Dockerfile's CMD, then `deploy.yml`",
        explains=_FAILS,
        lasts=REVISION,
    ),
    Code(
        "BULLMQ_WITHOUT_IOREDIS",
        _I,
        "BullMQ 6 finds no ioredis, so no job is done",
        "`npm install --save-exact ioredis`, commit it, then `deploy.yml`",
        explains=_FAILS,
        lasts=REVISION,
    ),
    Code("PORT_TAKEN", _I, "The application's port is taken inside its container", "Start one server only, then `deploy.yml`", explains=_FAILS, lasts=REVISION),
    Code(
        "DATABASE_CREDENTIALS_REFUSED",
        _D,
        "The database refuses the user or password in `DATABASE_URL`",
        f"{_REWRITE.format('database_url')}; where the users are rotated, `rotate_database_password.yml`",
        explains=_FAILS,
    ),
    Code(
        "DATABASE_ENCRYPTION_REQUIRED",
        _D,
        "The database refuses a connection without TLS",
        "`secrets.yml -e secrets_action=sslmode -e secrets_sslmode=verify-full`; of a driver that ignores the URL's mode, its own option",
        explains=_FAILS,
        lasts=REVISION,
    ),
    Code(
        "DATABASE_CERTIFICATE_REFUSED",
        _D,
        "The application refuses the database's certificate",
        "Put AWS's bundle into the image ([application](application.md)), then `deploy.yml`",
        explains=_FAILS,
        lasts=REVISION,
    ),
    Code(
        "DATABASE_CERTIFICATE_NAME",
        _D,
        "The database's certificate is for another name than `DATABASE_URL` has",
        _REWRITE.format("database_url"),
        explains=_FAILS,
    ),
    Code(
        "REDIS_CERTIFICATE_REFUSED",
        _R,
        "The application refuses the certificate of Redis",
        f"Compare the host in `REDIS_URL` with the cluster's; {_REWRITE.format('redis_url')}",
        explains=_FAILS,
    ),
    Code("REDIS_CERTIFICATE_NAME", _R, "The certificate of Redis is for another name than `REDIS_URL` has", _REWRITE.format("redis_url"), explains=_FAILS),
    Code("REDIS_CREDENTIALS_REFUSED", _R, "Redis refuses the user or password in `REDIS_URL`", _REWRITE.format("redis_url"), explains=_FAILS),
    Code("DATABASE_NAME_UNKNOWN", _D, "The server has no database of the name in `DATABASE_URL`", _REWRITE.format("database_url"), explains=_FAILS),
    Code(
        "DATABASE_CONNECTIONS_EXHAUSTED",
        _D,
        "The database has no connection left",
        "Lower the application's pool or the number of tasks (`scale.yml`), or raise `atena_database.instance_class` and `infra.yml`",
        explains=_FAILS,
        lasts=REVISION,
    ),
    Code("REDIS_FULL", _R, "Redis is full and takes no new job", "Find out why jobs pile up; raise `atena_redis.node_type`, then `infra.yml`", explains=_FAILS),
    Code("REDIS_READ_ONLY", _R, "`REDIS_URL` names a replica", _REWRITE.format("redis_url"), explains=_FAILS),
    Code("SCHEMA_BEHIND", _D, "The database's schema lacks something", "`migrate.yml`", explains=_FAILS, lasts=REVISION),
    Code(
        "DATABASE_HOST_UNKNOWN",
        _D,
        "The host name in `DATABASE_URL` does not resolve",
        f"`restart.yml`, as tasks keep old values; else {_REWRITE.format('database_url')}",
        explains=_FAILS,
    ),
    Code(
        "REDIS_HOST_UNKNOWN",
        _R,
        "The host name in `REDIS_URL` does not resolve",
        f"`restart.yml`, as tasks keep old values; else {_REWRITE.format('redis_url')}",
        explains=_FAILS,
    ),
    Code("DATABASE_UNREACHABLE", _D, "The application cannot reach the database", "`restart.yml`, as tasks keep old values", explains=_FAILS),
    Code("REDIS_UNREACHABLE", _R, "The application cannot reach Redis", "`restart.yml`, as tasks keep old values", explains=_FAILS),
    Code(
        "DATABASE_CONNECTIONS_ENDED",
        _D,
        "The database ended the application's connections",
        "A restart or a failover does that, and it passes. A program that ends by it lacks a listener for errors of its pool",
        explains=_FAILS,
        lasts=REVISION,
    ),
    Code("SECRET_NOT_SET", _A, "A secret still has the placeholder instead of a value", "`secrets.yml`, then `restart.yml`"),
    Code(
        "HEALTH_CHECK_PATH_WRONG",
        _H,
        "The application answers the health check's path with 3xx or 4xx",
        "Correct `atena_services.<service>.health_check_path`, then `infra.yml`",
        explains=_UNAVAILABLE,
    ),
    Code(
        "HEALTH_CHECK_PORT_WRONG",
        _H,
        "The health check uses another port than the container has",
        "Correct `atena_services.<service>.port`, then `infra.yml`",
        explains=_UNAVAILABLE,
    ),
    # --- Symptoms ---
    Code("CONTAINER_NOT_STARTED", _T, explains=("HEALTH_CHECK_NO_ANSWER", *_UNAVAILABLE), lasts=REVISION),
    Code("TASK_NOT_STARTED", _T, "The task ended before a container ran", _REBUILD, explains=("HEALTH_CHECK_NO_ANSWER", *_UNAVAILABLE), lasts=REVISION),
    Code("TASK_EXITED", _I, "A container exited on its own", _REBUILD, explains=("HEALTH_CHECK_NO_ANSWER", "JOBS_STALLED", *_UNAVAILABLE), lasts=REVISION),
    Code("CONTAINER_UNHEALTHY", _H, explains=_UNAVAILABLE, lasts=REVISION),
    Code(
        "HEALTH_CHECK_NO_ANSWER",
        _H,
        "Nothing answers the load balancer's health check",
        "Compare the port in the log with `atena_services.<service>.port`",
        explains=_UNAVAILABLE,
        lasts=REVISION,
    ),
    Code(
        "HEALTH_CHECK_TIMED_OUT",
        _H,
        "The application does not answer the health check in time",
        f"Its log has what it is busy with. {_REBUILD}",
        explains=_UNAVAILABLE,
        lasts=REVISION,
    ),
    Code(
        "HEALTH_CHECK_FAILED",
        _H,
        "The application reports itself unhealthy (5xx)",
        f"Its log has the reason. {_REBUILD}",
        explains=_UNAVAILABLE,
        lasts=REVISION,
    ),
    Code("TOO_FEW_TASKS", _H, "A service runs fewer tasks than it should, and AWS names no cause", "`restart.yml`", explains=("ADDRESS_UNHEALTHY",)),
    Code("ADDRESS_UNHEALTHY", _H, "The application's address does not answer with 200", "Read its log: `logs.yml -e logs_errors=true`"),
    # --- Worth knowing ---
    Code("SCALED_TO_ZERO", _E, "A service is scaled to 0 tasks", "If that is not wanted: `scale.yml -e scale=<service>=1`", minor=True),
    Code("REDEPLOY_INCOMPLETE", _E, "A redeploy began and is incomplete", "`redeploy.yml`", minor=True),
    Code("PARTLY_READABLE", _E, "Something could not be read, so a cause may be missing", "Grant the permissions of the role `diagnose`", minor=True),
    Code(
        "REDIS_EMPTY", _R, "AWS replaced or restarted the node of Redis, and what was queued is gone", "`start.yml` enqueues what the database has", minor=True
    ),
    Code("SECRETS_OUTDATED", _A, "Running tasks have earlier values of secrets", "`restart.yml`", minor=True),
    Code("REDIS_EVICTION", _R, "Redis may evict jobs when its memory is full", "`infra.yml`, then `restart.yml`", minor=True),
    Code("JOBS_STALLED", _A, "BullMQ failed jobs whose worker ended or lost its lock", "Find out why the workers end; then retry the jobs", minor=True),
    Code(
        "NPM_IS_PROCESS_1",
        _I,
        "npm is the container's first process, so the program gets no SIGTERM",
        'CMD ["node", …] in the Dockerfile, then `deploy.yml`',
        minor=True,
    ),
)

BY_CODE = {entry.code: entry for entry in CODES}
POSITION = {entry.code: place for place, entry in enumerate(CODES)}
_WORDS = {words.code: words for words in AWS_WORDS}


def cause_of(entry: Code) -> str:
    return entry.cause or _WORDS[entry.code].cause


def remedy_of(entry: Code) -> str:
    return (entry.remedy or _WORDS[entry.code].remedy).rstrip(".")


def explains(cause: str, consequence: str) -> bool:
    """Whether one finding brings about the other, by the table."""
    return consequence in BY_CODE[cause].explains
