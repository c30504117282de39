"""One look at AWS: each question once, the same answer for all who ask, and nothing that writes or must be fresh."""

import io
import threading

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import NotFound, failure
from ansible_collections.atena.aws.plugins.module_utils.core.look import Look


class World:
    """An Aws that counts what it is asked."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def __call__(self, service, operation, doing, /, **arguments):
        self.asked.append((service, operation, arguments))
        answer = self.answers[operation]
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    def pages(self, service, operation, doing, key, /, **arguments):
        return self(service, operation, doing, **arguments)[key]

    def client(self, service):
        return f"client of {service}"

    once = __call__


def test_a_question_is_asked_once_and_another_one_for_itself():
    world = World({"describe_services": {"services": [{"serviceName": "api"}]}})
    look = Look(world)
    for _ in range(3):
        assert look("ecs", "describe_services", "read", cluster="c", services=["api"])["services"][0]["serviceName"] == "api"
    look("ecs", "describe_services", "read", services=["workers"], cluster="c")
    assert [arguments["services"] for _service, _operation, arguments in world.asked] == [["api"], ["workers"]]
    Look(world)("ecs", "describe_services", "read", cluster="c", services=["api"])
    assert len(world.asked) == 3, "another look has its own answers"


def test_pages_are_remembered_apart_from_single_answers():
    world = World({"list_tasks": {"taskArns": ["a"]}})
    look = Look(world)
    assert look.pages("ecs", "list_tasks", "list", "taskArns", cluster="c") == look.pages("ecs", "list_tasks", "list", "taskArns", cluster="c") == ["a"]
    assert look("ecs", "list_tasks", "list", cluster="c") == {"taskArns": ["a"]}
    assert len(world.asked) == 2


def test_what_one_reader_does_to_its_answer_is_its_own():
    world = World({"get_object": lambda: {"Body": io.BytesIO(b"{}"), "tags": []}})
    look = Look(world)
    first = look("s3", "get_object", "read", Bucket="b", Key="k")
    first["tags"].append("mine")
    assert first["Body"].read() == b"{}"
    second = look("s3", "get_object", "read", Bucket="b", Key="k")
    assert (second["Body"].read(), second["tags"]) == (b"{}", []) and len(world.asked) == 1


@pytest.mark.parametrize(("service", "operation"), [("ssm", "get_parameters"), ("dynamodb", "get_item"), ("logs", "get_log_events")])
def test_secrets_locks_and_logs_are_asked_for_each_time(service, operation):
    world = World({operation: {"it": 1}})
    look = Look(world)
    look(service, operation, "read")
    look(service, operation, "read")
    assert len(world.asked) == 2 and "it" not in str(vars(look)["_asked"])


def test_that_something_is_absent_is_an_answer_too():
    world = World({"describe_cache_clusters": failure("no", "CacheClusterNotFound")})
    look = Look(world)
    for _ in range(2):
        with pytest.raises(NotFound, match="no"):
            look("elasticache", "describe_cache_clusters", "read", CacheClusterId="r")
    assert len(world.asked) == 1


def test_an_interruption_is_no_answer():
    world = World({"describe_services": KeyboardInterrupt()})
    look = Look(world)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            look("ecs", "describe_services", "read")
    assert len(world.asked) == 2


def test_writes_are_refused():
    look = Look(World({"update_service": {}}))
    for send in (look, look.once):
        with pytest.raises(ValueError, match="only reads"):
            send("ecs", "update_service", "update", cluster="c")


def test_who_asks_the_same_meanwhile_waits_for_the_answer():
    asked, go = threading.Event(), threading.Event()

    def slow():
        asked.set()
        assert go.wait(5)
        return {"services": []}

    world = World({"describe_services": slow})
    look, found = Look(world), []
    threads = [threading.Thread(target=lambda: found.append(look("ecs", "describe_services", "read"))) for _ in range(4)]
    threads[0].start()
    assert asked.wait(5)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(5)
    assert found == [{"services": []}] * 4 and len(world.asked) == 1
