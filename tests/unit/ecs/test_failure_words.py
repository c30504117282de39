"""What AWS's and an application's own words are taken to mean."""

import re

import pytest
from ansible_collections.atena.aws.plugins.module_utils.ecs.failure_words import AWS_WORDS, LOG_WORDS, exit_code_means, what_a_line_says, what_aws_says

PULL = "CannotPullContainerError: pull image manifest has been retried 5 time(s): "
INIT = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "


# As AWS's documentation and users' reports have them.
@pytest.mark.parametrize(
    ("text", "code"),
    [
        (PULL + "failed to resolve ref 1.dkr.ecr.us-east-1.amazonaws.com/a-api@sha256:0: not found", "IMAGE_MISSING"),
        ("CannotPullContainerError: Error response from daemon: manifest for a:b not found: manifest unknown", "IMAGE_MISSING"),
        (PULL + "image Manifest does not contain descriptor matching platform 'linux/amd64'", "IMAGE_WRONG_ARCHITECTURE"),
        (PULL + "unexpected status from HEAD request to https://1.dkr.ecr.us-east-1.amazonaws.com/v2/a/manifests/b: 403 Forbidden", "IMAGE_DENIED"),
        (PULL + 'failed to do request: Head "https://1.dkr.ecr.us-east-1.amazonaws.com/v2/": dial tcp 52.1.2.3:443: i/o timeout', "EGRESS_MISSING"),
        ("CannotPullContainerError: ref pull has been retried: failed to copy: httpReadSeeker: something new", "IMAGE_NOT_PULLED"),
        (INIT + "unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: /a/b", "SECRET_MISSING"),
        (
            INIT + "unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::1:assumed-role/x "
            "is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:us-east-1:1:parameter/a/b",
            "SECRET_DENIED",
        ),
        (INIT + "unable to retrieve secrets from ssm: The task cannot pull secrets: there is a connection issue between the task and AWS", "EGRESS_MISSING"),
        (
            INIT + "unable to retrieve ecr registry auth: service call has been retried 3 time(s): AccessDeniedException: not authorized to perform: "
            "ecr:GetAuthorizationToken",
            "IMAGE_DENIED",
        ),
        (INIT + "unable to retrieve ecr registry auth: RequestError: send request failed caused by: Post: dial tcp 1.2.3.4:443: i/o timeout", "EGRESS_MISSING"),
        (
            "ResourceInitializationError: failed to validate logger args: ResourceNotFoundException: The specified log group does not exist.",
            "LOG_GROUP_MISSING",
        ),
        ("ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for this task", "ROLE_NOT_ASSUMABLE"),
        ("OutOfMemoryError: Container killed due to memory usage", "OUT_OF_MEMORY"),
        ("Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:x)", "HEALTH_CHECK_FAILED"),
        ("Task failed container health checks", "CONTAINER_UNHEALTHY"),
        ('CannotStartContainerError: Error response from daemon: exec: "nod": executable file not found in $PATH', "COMMAND_NOT_FOUND"),
        ("CannotStartContainerError: Error response from daemon: something else", "CONTAINER_NOT_STARTED"),
        ("exec /usr/local/bin/node: exec format error", "IMAGE_WRONG_ARCHITECTURE"),
        ("RESOURCE:MEMORY", "CAPACITY_MEMORY"),
        ("RESOURCE:CPU", "CAPACITY_CPU"),
        ("(service a) was unable to place a task. Reason: Capacity is unavailable at this time.", "CAPACITY_UNAVAILABLE"),
        ("The specified subnet does not have enough free addresses to satisfy the request.", "ADDRESSES_EXHAUSTED"),
        ("The target group with targetGroupArn x does not have an associated load balancer.", "LISTENER_MISSING"),
        ("Timeout waiting for network interface provisioning to complete.", "TASK_SETUP_FAILED"),
        ("MISSING", "CLUSTER_MISSING"),
        ("Essential container in task exited", None),
        ("Scaling activity initiated by (deployment ecs-svc/1)", None),
        ("(service a) has reached a steady state.", None),
    ],
)
def test_aws_words(text, code):
    words = what_aws_says(text)
    assert (words and words.code) == code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('ERROR api: the database check failed: connection to server at "10.0.1.5", port 5432 failed: Connection refused', "DATABASE_UNREACHABLE"),
        ("Can't reach database server at `db`:`5432`", "DATABASE_UNREACHABLE"),
        ('psycopg.OperationalError: could not translate host name "db" to address: Name or service not known', "DATABASE_HOST_UNKNOWN"),
        ("the database check failed: connection timeout expired", "DATABASE_UNREACHABLE"),
        ('FATAL:  password authentication failed for user "atena"', "DATABASE_CREDENTIALS_REFUSED"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.1.5", user "a", database "a", no encryption', "DATABASE_ENCRYPTION_REQUIRED"),
        ("FATAL: remaining connection slots are reserved for non-replication superuser connections", "DATABASE_CONNECTIONS_EXHAUSTED"),
        ('relation "notes" does not exist', "SCHEMA_BEHIND"),
        ('FATAL:  database "atena" does not exist', "DATABASE_NAME_UNKNOWN"),
        ("Error: connect ECONNREFUSED 10.0.1.9:6379", "REDIS_UNREACHABLE"),
        ("the Redis check failed: Error 111 connecting to 10.0.1.9:6379. Connection refused.", "REDIS_UNREACHABLE"),
        ("ReplyError: OOM command not allowed when used memory > 'maxmemory'.", "REDIS_FULL"),
        ("NOAUTH Authentication required.", "REDIS_CREDENTIALS_REFUSED"),
        ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "OUT_OF_MEMORY"),
        ("Error: listen EADDRINUSE: address already in use :::3000", "PORT_TAKEN"),
        ("Error: Cannot find module '/app/dist/server.js'", "IMAGE_INCOMPLETE"),
        ("connection refused by the weather service", None),
        ("INFO api: version 1 listens on port 3000", None),
        ("INFO: connected to redis at 10.0.1.9:6379", None),
    ],
)
def test_log_words(line, code):
    said = what_a_line_says(line)
    assert (said and said.code) == code


@pytest.mark.parametrize(
    ("code", "word"),
    [(137, "SIGKILL"), (139, "crashed"), (127, "not found"), (143, "SIGTERM"), (0, "on its own"), (130, "signal 2"), (1, ""), (3, ""), (None, "")],
)
def test_exit_codes(code, word):
    meaning = exit_code_means(code)
    assert (word in meaning) if word else meaning == ""


def test_every_pattern_is_a_pattern_and_every_kind_has_a_remedy():
    for words in AWS_WORDS:
        re.compile(words.pattern)
        assert words.cause and words.remedy.endswith(".")
    for line in LOG_WORDS:
        re.compile(line.pattern)
        re.compile(line.context)
