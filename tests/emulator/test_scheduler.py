"""What the emulator's extension decides of EventBridge Scheduler, apart from the emulator."""

import pytest
from extension.scheduler import schedule_targets


class TestSchedules:
    def test_the_input_has_the_names_of_another_sdk(self):
        assert schedule_targets.parameters({"DbInstanceIdentifier": "d", "other": 1}, schedule_targets.names_of("StopDBInstance")) == {
            "DBInstanceIdentifier": ["d"]
        }

    @pytest.mark.parametrize(("code", "for_good"), [("InvalidDBInstanceState", False), ("DBInstanceNotFound", True), ("Throttling", False)])
    def test_what_rds_refuses_for_now_is_tried_again(self, code, for_good):
        body = f"<Error><Code>{code}</Code></Error>".encode()
        assert schedule_targets.code_of(body) == code
        assert bool(schedule_targets.FOR_GOOD.search(body)) is for_good

    @pytest.mark.parametrize(("arn", "operation"), [("rds:stopDBInstance", "stopDBInstance"), ("rds:deleteDBInstance", None), ("ecs:runTask", None)])
    def test_it_calls_stop_and_start_alone(self, arn, operation):
        match = schedule_targets.UNIVERSAL.fullmatch(f"arn:aws:scheduler:::aws-sdk:{arn}")
        assert (match and match[1]) == operation
