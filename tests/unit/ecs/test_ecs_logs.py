"""Where a task's lines are, and reading all of them."""

from ansible_collections.atena.aws.plugins.module_utils.core.errors import failure
from ansible_collections.atena.aws.plugins.module_utils.ecs.logs import LogReader, drain, log_streams, tail_of_task
from ansible_collections.atena.aws.plugins.module_utils.ecs.rollout_run import failure_text

OPTIONS = {"awslogs-group": "/ecs/a", "awslogs-stream-prefix": "ecs"}
DEFINITION = {
    "containerDefinitions": [
        {"name": "api", "logConfiguration": {"logDriver": "awslogs", "options": OPTIONS}},
        {"name": "mute"},
        {"name": "elsewhere", "logConfiguration": {"logDriver": "splunk", "options": {}}},
    ]
}


class Stream:
    """CloudWatch's get_log_events: pages of one stream, the last token repeated when nothing follows."""

    def __init__(self, *pages):
        self.pages = list(pages)

    def __call__(self, service, operation, doing, /, **arguments):
        if self.pages and self.pages[0] is None:
            self.pages.pop(0)
            raise failure("none yet", "ResourceNotFoundException")
        at = int(arguments.get("nextToken", "0"))
        if at >= len(self.pages):
            return {"events": [], "nextForwardToken": str(at)}
        return {"events": [{"message": line} for line in self.pages[at]], "nextForwardToken": str(at + 1)}


def test_only_containers_that_log_to_cloudwatch_have_a_stream():
    assert log_streams(DEFINITION, "t1") == {"api": ("/ecs/a", "ecs/api/t1")}


def test_every_page_is_read_once():
    reader = LogReader(Stream(["a\n", "b"], [], ["c"]), "/ecs/a", "s")
    assert reader.read() == ["a", "b", "c"]
    assert reader.read() == []


def test_a_stream_that_is_not_there_yet_has_no_lines():
    reader = LogReader(Stream(None, ["late"]), "/ecs/a", "s")
    assert reader.read() == []
    assert reader.read() == ["late"]


def test_draining_goes_on_until_two_reads_bring_nothing():
    class Reader:
        def __init__(self):
            self.answers = [["b"], [], ["c"]]

        def read(self):
            return self.answers.pop(0) if self.answers else []

    lines = {"api": ["a"]}
    drain({"api": Reader()}, lines, patience=0, pause=0)
    assert lines == {"api": ["a", "b", "c"]}


def test_the_tail_leaves_out_containers_without_lines():
    assert tail_of_task(Stream(["1", "2", "3"]), DEFINITION, "t1", 2) == {"api": ["2", "3"]}
    assert tail_of_task(Stream(None), DEFINITION, "t1", 2) == {}


def test_a_failed_rollout_is_one_text_with_cause_lines_and_outcome():
    task = {"task_id": "t1", "reason": "api exited with code 3", "log_tail": {"api": ["no flux"]}}
    text = failure_text({"a-api": "a-api: breaker."}, {"a-api": [task], "a-workers": []}, ["a-api"], {"a-workers": "timed out"})
    for part in (
        "The rollout failed. a-api: breaker.\n",
        "a-api, task t1: api exited with code 3",
        "  no flux",
        "stable: a-api.",
        "Rollback not confirmed for a-workers",
    ):
        assert part in text
