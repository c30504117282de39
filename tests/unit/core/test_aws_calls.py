"""Which calls are sent again, how often, and what a failure tells."""

import io

import botocore.loaders
import botocore.session
import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import calls as aws_calls
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Denied, Unanswered
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, IncompleteReadError, NoCredentialsError, ReadTimeoutError


def refused(code, status=400):
    return ClientError({"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": status}}, "UpdateService")


class Client:
    """Fails with each of `errors` in turn, then answers."""

    def __init__(self, *errors):
        self.errors, self.sent = list(errors), 0

    def update_service(self, **arguments):
        self.sent += 1
        if self.errors:
            raise self.errors.pop(0)
        return arguments


@pytest.fixture
def pauses(monkeypatch):
    slept = []
    monkeypatch.setattr(aws_calls.time, "sleep", slept.append)
    return slept


def calling(client):
    call = Caller(None)
    call._clients["ecs"] = client
    return call


LOST = ConnectionClosedError(endpoint_url="http://x")
UNREACHABLE = EndpointConnectionError(endpoint_url="http://x")
SLOW = ReadTimeoutError(endpoint_url="http://x")


@pytest.mark.parametrize(
    "error, times",
    [
        (refused("ThrottlingException"), 20),
        (refused("Throttling"), 20),
        (refused("SlowDown", 503), 20),
        (refused("TooManyUpdates"), 20),
        (refused("SomethingNew", 429), 20),
        (refused("ServerException", 500), 5),
        (refused("RequestTimeout"), 5),
        (LOST, 5),
        (SLOW, 5),
    ],
)
def test_a_bad_moment_is_outlasted(pauses, error, times):
    client = Client(*[error] * times)
    assert calling(client)("ecs", "update_service", "update it", service="api") == {"service": "api"}
    assert (client.sent, len(pauses)) == (times + 1, times)


@pytest.mark.parametrize("error", [refused("AccessDeniedException"), refused("ClientException"), refused("ExpiredTokenException"), NoCredentialsError()])
def test_what_would_be_the_same_again_is_sent_once(pauses, error):
    client = Client(error)
    with pytest.raises(CallFailed) as failed:
        calling(client)("ecs", "update_service", "update it")
    assert (client.sent, pauses, failed.value.unsure) == (1, [], False)


@pytest.mark.parametrize("error", [refused("ThrottlingException"), refused("ServerException", 500), UNREACHABLE])
def test_it_ends_some_time(pauses, error):
    client = Client(*[error] * 100)
    with pytest.raises(CallFailed, match="Could not update it"):
        calling(client)("ecs", "update_service", "update it")
    assert client.sent < 100


class Broken:
    """A body whose connection breaks off so many times while it is read."""

    def __init__(self, times):
        self.times = times

    def get_object(self, **_arguments):
        return {"Body": self, "ETag": "e"}

    def read(self):
        if self.times:
            self.times -= 1
            raise IncompleteReadError(actual_bytes=3, expected_bytes=9)
        return b"all of it"


def test_a_body_that_breaks_off_while_it_is_read_is_asked_for_again(pauses):
    call = Caller(None)
    call._clients["s3"] = Broken(3)
    assert call("s3", "get_object", "read it")["Body"].read() == b"all of it"
    assert len(pauses) == 3
    call._clients["s3"] = Broken(100)
    with pytest.raises(Unanswered):
        call("s3", "get_object", "read it")


def test_a_wrong_address_is_told_sooner_than_throttling_is_given_up(pauses):
    unanswered, throttled = Client(*[UNREACHABLE] * 100), Client(*[refused("Throttling")] * 100)
    for client in (unanswered, throttled):
        with pytest.raises(CallFailed):
            calling(client)("ecs", "update_service", "update it")
    assert unanswered.sent < throttled.sent


def test_what_must_not_be_done_twice_is_sent_again_only_after_throttling(pauses):
    client = Client(*[refused("ThrottlingException")] * 20)
    assert calling(client).once("ecs", "update_service", "update it") == {}
    for error in (LOST, SLOW, refused("ServerException", 500)):
        client = Client(error)
        with pytest.raises(CallFailed) as failed:
            calling(client).once("ecs", "update_service", "update it")
        assert (client.sent, failed.value.unsure) == (1, True)


def test_a_refusal_leaves_no_doubt(pauses):
    with pytest.raises(CallFailed) as failed:
        calling(Client(*[refused("SlowDown", 503)] * 100)).once("ecs", "update_service", "update it")
    assert failed.value.unsure is False
    assert failed.value.code == "SlowDown"


def test_pauses_grow_and_can_be_scaled_for_tests(pauses, monkeypatch):
    calling(Client(*[refused("Throttling")] * 20))("ecs", "update_service", "update it")
    assert pauses[0] <= 0.25
    assert 5 <= pauses[-1] <= 10
    monkeypatch.setenv("ATENA_AWS_PAUSE_SCALE", "0.001")
    pauses.clear()
    calling(Client(*[refused("Throttling")] * 20))("ecs", "update_service", "update it")
    assert max(pauses) <= 0.01


# --- Pages ---
# What it has read of a service's description it keeps: a tenth of a second each time, otherwise.
LOADER = botocore.loaders.create_loader()


class Raw(io.BytesIO):
    def stream(self):
        yield self.read()


def paging(service, *answers):
    """A Caller with a true client of the service, whose HTTP answers are these: (status, body), or an exception. Returns it, and what is sent."""
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    client = session.create_client(
        service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="s", config=botocore.config.Config(retries={"total_max_attempts": 1})
    )
    sent, left = [], list(answers)

    def answer(request, **_):
        sent.append(str(request.body))
        next_one = left.pop(0)
        if isinstance(next_one, Exception):
            raise next_one
        return AWSResponse(request.url, next_one[0], {}, Raw(next_one[1].encode()))

    client.meta.events.register(f"before-send.{service}", answer)
    call = Caller(None)
    call._session.core, call._clients[service] = session, client
    return call, sent


def rds_events(message, marker=""):
    more = f"<Marker>{marker}</Marker>" if marker else ""
    body = f"<Events><Event><Message>{message}</Message></Event></Events>{more}"
    return 200, f"<DescribeEventsResponse><DescribeEventsResult>{body}</DescribeEventsResult></DescribeEventsResponse>"


def test_all_pages_are_read_by_the_tokens_that_the_service_has():
    call, sent = paging("rds", rds_events("one", "m1"), rds_events("two"))
    found = call.pages("rds", "describe_events", "read the events", "Events", SourceIdentifier="db")
    assert [event["Message"] for event in found] == ["one", "two"]
    assert ["Marker=m1" in body for body in sent] == [False, True] and all("SourceIdentifier=db" in body for body in sent)


def test_what_ends_a_list_is_the_services_word_for_it():
    """IAM gives a Marker that counts only where the list is truncated."""

    def policies(name, truncated):
        body = f"<PolicyNames><member>{name}</member></PolicyNames><IsTruncated>{truncated}</IsTruncated><Marker>m</Marker>"
        return 200, f"<ListRolePoliciesResponse><ListRolePoliciesResult>{body}</ListRolePoliciesResult></ListRolePoliciesResponse>"

    call, sent = paging("iam", policies("one", "true"), policies("two", "false"))
    assert call.pages("iam", "list_role_policies", "list them", "PolicyNames", RoleName="r") == ["one", "two"]
    assert len(sent) == 2


def test_each_page_is_sent_again_like_any_call_and_fails_in_its_words(pauses):
    throttled = 400, "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
    denied = 403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    call, sent = paging("rds", rds_events("one", "m1"), throttled, LOST, rds_events("two"))
    assert len(call.pages("rds", "describe_events", "read the events", "Events")) == 2
    assert len(sent) == 4 and len(pauses) == 2
    call, sent = paging("rds", rds_events("one", "m1"), denied)
    with pytest.raises(Denied, match="Could not read the events: AccessDenied: no"):
        call.pages("rds", "describe_events", "read the events", "Events")


def test_a_list_without_an_end_is_told_and_not_read_for_ever():
    call, _sent = paging("rds", *[rds_events("one", "same")] * 3)
    with pytest.raises(CallFailed, match="Could not read the events: .*same next token"):
        call.pages("rds", "describe_events", "read the events", "Events")


@pytest.mark.parametrize(("service", "operation"), [("rds", "stop_db_instance"), ("sts", "get_caller_identity")])
def test_what_has_no_pages_is_an_error_of_the_code(service, operation):
    call, sent = paging(service)
    with pytest.raises(ValueError, match=f"botocore knows no pages of {service}'s {operation}"):
        call.pages(service, operation, "do it", "Items")
    assert sent == []


class Module:
    """What get_aws_connection_info asks of a module."""

    params = {"region": "us-east-1", "access_key": "a", "secret_key": "s"}
    fail_json = warn = deprecate = staticmethod(print)


def test_the_pages_of_a_real_session_are_known():
    call, asked = Caller(Module()), []

    def answer(request, **_):
        asked.append(request)
        return AWSResponse(request.url, 200, {}, Raw(b'{"taskArns": ["t"]}'))

    call.client("ecs").meta.events.register("before-send.ecs", answer)
    assert call.pages("ecs", "list_tasks", "list the tasks", "taskArns", cluster="c") == ["t"]
    assert len(asked) == 1
