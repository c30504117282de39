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
        (PULL + "failed to resolve ref 1.dkr.ecr.us-east-1.amazonaws.com/a-api@sha256:0: not found", "image_missing"),
        ("CannotPullContainerError: Error response from daemon: manifest for a:b not found: manifest unknown", "image_missing"),
        (PULL + "image Manifest does not contain descriptor matching platform 'linux/amd64'", "wrong_architecture"),
        (PULL + "unexpected status from HEAD request to https://1.dkr.ecr.us-east-1.amazonaws.com/v2/a/manifests/b: 403 Forbidden", "registry_denied"),
        (PULL + 'failed to do request: Head "https://1.dkr.ecr.us-east-1.amazonaws.com/v2/": dial tcp 52.1.2.3:443: i/o timeout', "no_way_out"),
        ("CannotPullContainerError: ref pull has been retried: failed to copy: httpReadSeeker: something new", "image_not_pulled"),
        (INIT + "unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: /a/b", "secret_missing"),
        (
            INIT + "unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::1:assumed-role/x "
            "is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:us-east-1:1:parameter/a/b",
            "secret_denied",
        ),
        (INIT + "unable to retrieve secrets from ssm: The task cannot pull secrets: there is a connection issue between the task and AWS", "no_way_out"),
        (
            INIT + "unable to retrieve ecr registry auth: service call has been retried 3 time(s): AccessDeniedException: not authorized to perform: "
            "ecr:GetAuthorizationToken",
            "registry_denied",
        ),
        (INIT + "unable to retrieve ecr registry auth: RequestError: send request failed caused by: Post: dial tcp 1.2.3.4:443: i/o timeout", "no_way_out"),
        (
            "ResourceInitializationError: failed to validate logger args: ResourceNotFoundException: The specified log group does not exist.",
            "log_group_missing",
        ),
        ("ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for this task", "role_not_assumable"),
        ("OutOfMemoryError: Container killed due to memory usage", "out_of_memory"),
        ("Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:x)", "health_check_failed"),
        ("Task failed container health checks", "container_health_failed"),
        ('CannotStartContainerError: Error response from daemon: exec: "nod": executable file not found in $PATH', "command_not_found"),
        ("CannotStartContainerError: Error response from daemon: something else", "not_started"),
        ("exec /usr/local/bin/node: exec format error", "wrong_architecture"),
        ("RESOURCE:MEMORY", "no_memory_left"),
        ("RESOURCE:CPU", "no_cpu_left"),
        ("(service a) was unable to place a task. Reason: Capacity is unavailable at this time.", "no_capacity"),
        ("The specified subnet does not have enough free addresses to satisfy the request.", "no_addresses"),
        ("The target group with targetGroupArn x does not have an associated load balancer.", "no_listener"),
        ("Timeout waiting for network interface provisioning to complete.", "aws_side"),
        ("MISSING", "cluster_missing"),
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
        ('ERROR api: the database check failed: connection to server at "10.0.1.5", port 5432 failed: Connection refused', "database_unreachable"),
        ("Can't reach database server at `db`:`5432`", "database_unreachable"),
        ('psycopg.OperationalError: could not translate host name "db" to address: Name or service not known', "database_unknown"),
        ("the database check failed: connection timeout expired", "database_unreachable"),
        ('FATAL:  password authentication failed for user "atena"', "database_credentials"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.1.5", user "a", database "a", no encryption', "database_encryption"),
        ("FATAL: remaining connection slots are reserved for non-replication superuser connections", "database_connections"),
        ('relation "notes" does not exist', "schema_behind"),
        ('FATAL:  database "atena" does not exist', "database_absent"),
        ("Error: connect ECONNREFUSED 10.0.1.9:6379", "redis_unreachable"),
        ("the Redis check failed: Error 111 connecting to 10.0.1.9:6379. Connection refused.", "redis_unreachable"),
        ("ReplyError: OOM command not allowed when used memory > 'maxmemory'.", "redis_full"),
        ("NOAUTH Authentication required.", "redis_credentials"),
        ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "out_of_memory"),
        ("Error: listen EADDRINUSE: address already in use :::3000", "port_taken"),
        ("Error: Cannot find module '/app/dist/server.js'", "image_incomplete"),
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
    [(137, "SIGKILL"), (139, "crashed"), (127, "not found"), (143, "SIGTERM"), (0, "by itself"), (130, "signal 2"), (1, ""), (3, ""), (None, "")],
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
