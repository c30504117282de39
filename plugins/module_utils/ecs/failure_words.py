# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS's and an application's own words of a failure mean: tables, and looking things up in them. No call to AWS here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# The network gave up: no answer, as against an answer that says no.
# 'signal: killed' is of the program that ECS pulls and logs with, which it ends after minutes without an answer.
_NO_ANSWER = (
    r"i/o timeout|deadline exceeded|connection refused|no such host|request canceled|requestcanceled|connection issue|send request failed|dial tcp|"
    r"signal: killed"
)
_NOT_ALLOWED = r"accessdenied|access denied|not authorized|unauthorized|403 forbidden|no basic auth|denied:"


class Words(NamedTuple):
    """One kind of failure: `pattern` is searched in AWS's sentence (any case); `remedy` holds for every environment."""

    code: str
    pattern: str
    cause: str
    remedy: str


# Stopped reasons, containers' reasons, RunTask's failures and service events (Amazon ECS developer guide: 'Stopped tasks error codes',
# 'API failures messages', 'Service event messages'). The first that matches counts, so the special stands before the general.
AWS_WORDS = (
    Words(
        "QUOTA_REACHED",
        r"reached the limit on the number of|vcpu limit|limit on the number of (tasks|vcpus)|servicequotaexceeded|(task|eni|vcpu|concurrent)\w* limit exceeded",
        "The account has reached a quota, so AWS starts no further task",
        "Stop tasks that are not needed (scale.yml), or request a higher quota in Service Quotas (AWS Fargate: On-Demand vCPU resource count, L-3032A538; "
        "Spot, L-36FBB829).",
    ),
    Words(
        "SPOT_INTERRUPTED",
        r"spotinterruption|spot task was interrupted|spot interruption",
        "AWS reclaimed the Spot capacity that the task ran on",
        "ECS starts another task when there is capacity. For a service that must not be interrupted, use FARGATE instead of FARGATE_SPOT.",
    ),
    Words(
        "TASK_RETIRED",
        r"terminationnotice|performing maintenance on the underlying infrastructure|task retirement|fargate.*being retired",
        "AWS retired the host that the task ran on",
        "ECS starts another task automatically. A one-off task has to be run again.",
    ),
    Words(
        "IMAGE_PULL_LIMITED",
        r"(cannotpull|pull image).*(toomanyrequests|pull rate limit)",
        "The registry refuses the pull because of too many pulls",
        "The limit passes after some hours. Until then push the base image to ECR (or use ECR's pull-through cache), take it from there in the Dockerfile, "
        "then deploy.yml.",
    ),
    Words(
        "AWS_THROTTLED",
        r"throttl|requestlimitexceeded|slow ?down\b|rate exceeded|toomanyrequests",
        "AWS throttles the account's calls",
        "ECS retries automatically. If it lasts, find out what else in the account calls AWS so often (CloudTrail), or request a higher quota.",
    ),
    Words(
        "IMAGE_WRONG_ARCHITECTURE",
        r"does not contain descriptor matching platform|exec format error|no matching manifest for linux",
        "The image is built for another processor than the task definition asks for",
        "Build it for the service's architecture (atena_services: architecture), or change that and apply infra.yml; then deploy.yml.",
    ),
    Words(
        "IMAGE_DENIED",
        rf"(cannotpull|ecr registry auth).*({_NOT_ALLOWED})",
        "ECS may not pull the image",
        "Give the execution role the permission to pull (infra.yml does) and check the repository's policy.",
    ),
    Words(
        "EGRESS_MISSING",
        rf"(cannotpull|pull image|pull command|resourceinitializationerror|logging driver|logger args).*({_NO_ANSWER})",
        "The task cannot reach AWS from its subnet (ECR, SSM or CloudWatch Logs)",
        "Check the egress of the private subnets: NAT gateway, route to it, and the tasks' security group on port 443. infra.yml puts them back.",
    ),
    Words(
        "IMAGE_MISSING",
        r"(cannotpull|pull image).*(not found|manifest unknown|does not exist|manifest for)",
        "The image is not in the registry",
        "The image could not be pulled: check that it was pushed to ECR. deploy.yml builds and pushes it.",
    ),
    Words(
        "IMAGE_NOT_PULLED",
        r"cannotpull|pull image",
        "The image could not be pulled",
        "The image could not be pulled: check that it was pushed to ECR, and the egress of the private subnets (NAT gateway).",
    ),
    Words(
        "LOGS_DENIED",
        rf"(logger args|logging driver|create (cloudwatch )?(log )?stream).*({_NOT_ALLOWED})",
        "ECS may not write to the log group",
        "Give the execution role logs:CreateLogStream and logs:PutLogEvents (infra.yml does).",
    ),
    Words(
        "LOG_GROUP_MISSING",
        r"logger args|log group does not exist|create (cloudwatch )?(log )?stream",
        "The log group does not exist",
        "Create the log group: infra.yml.",
    ),
    Words(
        "SECRET_DENIED",
        rf"resourceinitializationerror.*(secret|ssm|parameter|kms).*({_NOT_ALLOWED})",
        "ECS may not read a secret",
        "Give the execution role ssm:GetParameters on the path of the secrets, and kms:Decrypt (infra.yml does).",
    ),
    Words(
        "SECRET_MISSING",
        r"invalid (ssm )?parameters|parameternotfound",
        "A parameter that the task definition names does not exist in SSM",
        "Create the parameter: secrets.yml for those that people set, infra.yml for DATABASE_URL and REDIS_URL.",
    ),
    Words(
        "SECRET_UNREADABLE",
        r"resourceinitializationerror.*(secret|ssm|parameter)",
        "A secret could not be read",
        "A secret could not be read: check the SSM parameter's name, that it exists, and the execution role's permission (ssm:GetParameters).",
    ),
    Words(
        "ROLE_NOT_ASSUMABLE",
        r"unable to assume the (service linked )?role|unable to assume role|role .* cannot be assumed",
        "ECS may not assume the task's role",
        "The execution or task role is missing or does not trust ecs-tasks.amazonaws.com: infra.yml puts it back.",
    ),
    Words(
        "OUT_OF_MEMORY",
        r"outofmemory|out of memory",
        "The container needed more memory than it has",
        "The container needed more memory than it has: raise the service's memory (atena_api_memory, atena_workers_memory; "
        "of others atena_services.<service>.memory) and apply infra.yml.",
    ),
    Words(
        "HEALTH_CHECK_FAILED",
        r"elb health checks|is unhealthy in \(?target-group",
        "The load balancer's health check failed",
        "The load balancer's health check failed: check the container's port, the health check's path and the security groups.",
    ),
    Words(
        "CONTAINER_UNHEALTHY",
        r"container health checks",
        "The container's own health check failed",
        "Run the command of the container's health check manually in the image, and read the container's log.",
    ),
    Words(
        "COMMAND_NOT_FOUND",
        r"(cannotstart|cannotcreate).*(executable file not found|no such file or directory|permission denied)",
        "The container's command cannot be started",
        "Correct the image's CMD or ENTRYPOINT (or the service's command in atena_services), then deploy.yml.",
    ),
    Words(
        "CONTAINER_NOT_STARTED",
        r"cannotstart|cannotcreate",
        "The container could not be started",
        "Read AWS's words above; then correct the image or the task definition.",
    ),
    Words("CAPACITY_MEMORY", r"resource:memory", "There is no capacity for the task's memory", "Lower the memory, or try again later or in other subnets."),
    Words("CAPACITY_CPU", r"resource:cpu", "There is no capacity for the task's CPU", "Lower the CPU, or try again later or in other subnets."),
    Words(
        "CAPACITY_UNAVAILABLE",
        r"resource:fargate|capacity is unavailable|unable to place a task",
        "Fargate has no capacity in these availability zones now",
        "Try again later, or add subnets in another zone.",
    ),
    Words(
        "ADDRESSES_EXHAUSTED",
        r"(insufficient|enough) free addresses|insufficientfreeaddresses|eni(s)? limit|resource:eni",
        "The subnets have no free address for another task",
        "Stop what is not needed there, or give the environment larger subnets.",
    ),
    Words(
        "LISTENER_MISSING",
        r"does not have an associated load balancer",
        "The target group belongs to no load balancer",
        "Apply infra.yml: it makes the load balancer and its listener.",
    ),
    Words(
        "TASK_SETUP_FAILED",
        r"timeout waiting for (network interface|ephemeralstorage) provisioning|internalerror|agenterror|host is unreachable",
        "AWS could not set the task up",
        "ECS retries automatically. If it stays so, check the AWS Health Dashboard.",
    ),
    Words("CLUSTER_MISSING", r"^(missing|inactive)\b", "The task definition or the cluster does not exist", "Run infra.yml first, and check the names."),
)


class Line(NamedTuple):
    """What a line of an application's log tells. `about` is the part that it complains of; both patterns must be found in it.

    around: must be found in it or in a line near it. A driver's error names what it was about in its stack, if at all.
    consequence: of the part itself being down, if it is.
    refusal: the words of the server itself, which leave no doubt.
    """

    code: str
    about: str
    pattern: str
    context: str
    cause: str
    around: str = ""
    consequence: bool = False
    refusal: bool = False


_POSTGRES = (
    r"postgres|database|psycopg|prisma|pg_|sqlstate|connection to server|port:? 5432|:5432\b|"
    r"node_modules/pg|pg-pool|\.rds\.([a-z0-9-]+\.)?amazonaws|mikro-?orm|typeorm|knex"
)
# In stacks: node-postgres, what stands on it, and postgres.js.
_NODE_POSTGRES = r"node_modules/(pg|postgres)\b"
_REDIS = r"redis|bullmq|:6379\b|port:? 6379|\.cache\.([a-z0-9-]+\.)?amazonaws"
_NO_NAME = r"could not translate host|enotfound|eai_again|getaddrinfo|name or service not known|name resolution"
_UNREACHABLE = (
    r"connection refused|econnrefused|timed? ?out|etimedout|timeout expired|connection timeout|no route to host|ehostunreach|can't reach|could not connect|"
    r"econnreset|connection reset|connection is closed|error 11[013] connecting"
)

# Node.js's words for a connection, that say nothing of what it was to.
_NO_CONTEXT = r"(read|write) ECONNRESET|^(Error: )?timeout expired"
# The words of Node.js (OpenSSL's, in short and in full), of libpq and Python, and of Prisma's adapter.
_CERTIFICATE = (
    r"self[- ]signed certificate|SELF_SIGNED_CERT|unable to get (local )?issuer certificate|UNABLE_TO_GET_ISSUER_CERT|unable to verify the first certificate|"
    r"UNABLE_TO_VERIFY_LEAF_SIGNATURE|certificate verify failed|CERT_HAS_EXPIRED|certificate has expired|TlsConnectionError|"
    r"root certificate file .* does not exist"
)
_OTHER_NAME = r"ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate's altnames|server certificate for .* does not match host name"
_NO_MODULE = r"Cannot find (module|package)|ModuleNotFoundError|MODULE_NOT_FOUND"
_ENDED = r"connection terminated unexpectedly|terminating connection due to|57P01|server closed the connection"

# How far around a line is looked for what it is about: a stack of Node.js has ten lines at the most.
_AROUND = 12

LOG_WORDS = (
    Line("IMAGE_WRONG_ARCHITECTURE", "image", r"exec format error", "", "The image is built for another processor than the task definition asks for"),
    Line(
        "DATABASE_CREDENTIALS_REFUSED",
        "database",
        r"authentication failed for|28P01|role \"[^\"]*\" does not exist",
        "",
        "The database refuses the credentials",
        refusal=True,
    ),
    Line("DATABASE_ENCRYPTION_REQUIRED", "database", r"no pg_hba\.conf entry", "", "The database refuses a connection without TLS", refusal=True),
    Line("REDIS_CERTIFICATE_REFUSED", "redis", _CERTIFICATE, "", "The application refuses the certificate of Redis", around=_REDIS),
    Line("DATABASE_CERTIFICATE_REFUSED", "database", _CERTIFICATE, "", "The application refuses a certificate, most likely the database's"),
    Line("REDIS_CERTIFICATE_NAME", "redis", _OTHER_NAME, "", "The certificate of Redis is for another name than REDIS_URL has", around=_REDIS),
    Line("DATABASE_CERTIFICATE_NAME", "database", _OTHER_NAME, "", "The database's certificate is for another name than DATABASE_URL has"),
    Line(
        "DATABASE_CONNECTIONS_EXHAUSTED",
        "database",
        r"too many clients|remaining connection slots|too many connections",
        "",
        "The database has no connection left",
        refusal=True,
    ),
    Line("DATABASE_FULL", "database", r"no space left on device|53100|disk full", _POSTGRES, "The database's disk is full"),
    Line("DATABASE_NAME_UNKNOWN", "database", r"database \"[^\"]*\" does not exist|3D000", "", "The server has no database of that name", refusal=True),
    Line(
        "SCHEMA_BEHIND",
        "schema",
        r"relation \"[^\"]*\" does not exist|column \S+ does not exist|42P01|42703",
        "",
        "The database's schema lacks something",
        refusal=True,
    ),
    Line("REDIS_FULL", "redis", r"OOM command not allowed", "", "Redis is full and takes no new job", refusal=True),
    Line("REDIS_CREDENTIALS_REFUSED", "redis", r"NOAUTH|WRONGPASS|invalid username-password", "", "Redis refuses the credentials", refusal=True),
    Line("REDIS_READ_ONLY", "redis", r"READONLY You can't write", "", "Redis is read-only here", refusal=True),
    Line("REDIS_EVICTION", "redis", r"Eviction policy is \S+ It should be", "", "Redis may throw jobs away when its memory is full"),
    Line("BULLMQ_WITHOUT_IOREDIS", "image", r"BullMQ could not load the optional 'ioredis' package", "", "BullMQ 6 has no ioredis, so no job is done"),
    Line("JOBS_STALLED", "workers", r"job stalled more than allowable limit", "", "BullMQ gave up jobs whose worker ended or lost its lock"),
    Line(
        "NPM_IS_PROCESS_1", "process", r"npm (error|ERR!) signal SIGTERM", "", "npm is the container's first process, so the program is not notified of a stop"
    ),
    Line("NPM_SCRIPT_MISSING", "image", r"npm (error|ERR!) Missing script", "", "The container's command names a script that package.json does not have"),
    Line("DATABASE_CONNECTIONS_ENDED", "database", _ENDED, "", "The database ended the application's connections", consequence=True),
    Line("REDIS_HOST_UNKNOWN", "redis", _NO_NAME, _REDIS, "The name in REDIS_URL has no address", consequence=True),
    Line("DATABASE_HOST_UNKNOWN", "database", _NO_NAME, _POSTGRES, "The name in DATABASE_URL has no address", consequence=True),
    Line("DATABASE_UNREACHABLE", "database", _UNREACHABLE, _POSTGRES, "The application cannot reach the database", consequence=True),
    Line("REDIS_UNREACHABLE", "redis", _UNREACHABLE, _REDIS, "The application cannot reach Redis", consequence=True),
    Line("DATABASE_UNREACHABLE", "database", _NO_CONTEXT, "", "The application cannot reach the database", _NODE_POSTGRES, consequence=True),
    Line(
        "OUT_OF_MEMORY",
        "memory",
        r"heap out of memory|\bMemoryError\b|cannot allocate memory|std::bad_alloc",
        "",
        "The application ran out of memory inside its container",
    ),
    Line("PORT_TAKEN", "port", r"EADDRINUSE|address already in use", "", "The application's port is taken inside its container"),
    Line(
        "IMAGE_INCOMPLETE",
        "image",
        _NO_MODULE,
        "",
        "The image lacks a file that the application needs",
    ),
)

# Exit codes with a meaning of their own (128 + n is 'ended by signal n').
EXIT_CODES = {
    0: "exited on its own without an error, which a service must not",
    126: "the command is no program, or may not be run",
    127: "the command was not found in the image",
    134: "the program aborted (SIGABRT), as Node.js does when its heap is full",
    137: "killed (SIGKILL)",
    139: "the program crashed (SIGSEGV)",
    143: "ended by SIGTERM",
}


def what_aws_says(text: str) -> Words | None:
    """The kind of failure that AWS's sentence tells of; None for one we do not know."""
    return next((words for words in AWS_WORDS if re.search(words.pattern, text, re.IGNORECASE | re.DOTALL)), None)


def what_a_line_says(text: str, around: str = "") -> Line | None:
    """What a log line complains of; None for an ordinary one. around: the lines near it."""
    near = f"{text}\n{around}"
    return next(
        (
            line
            for line in LOG_WORDS
            if re.search(line.pattern, text, re.IGNORECASE) and re.search(line.context, text, re.IGNORECASE) and re.search(line.around, near, re.IGNORECASE)
        ),
        None,
    )


def what_lines_say(texts: Sequence[str]) -> list[Line | None]:
    """What each line of a log complains of."""
    return [what_a_line_says(text, "\n".join(texts[max(0, place - _AROUND) : place + _AROUND + 1])) for place, text in enumerate(texts)]


# The same of a container that was asked to stop: its exit code tells how it ended, not why.
_EXIT_CODES_OF_A_STOP = {
    0: "it ended when it was asked to stop",
    137: "it did not stop within its stopTimeout, and was killed",
    143: "it ended by the SIGTERM that asked it to stop",
}


def exit_code_means(code: int | None, asked_to_stop: bool = False) -> str:
    """What an exit code tells; '' for a number of the program's own. asked_to_stop: ECS or a person stopped the task."""
    if code is None:
        return ""
    if asked_to_stop and code in _EXIT_CODES_OF_A_STOP:
        return _EXIT_CODES_OF_A_STOP[code]
    if code in EXIT_CODES:
        return EXIT_CODES[code]
    return f"ended by signal {code - 128}" if 128 < code < 160 else ""
