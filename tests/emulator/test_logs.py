"""What the emulator's extension decides of CloudWatch Logs, apart from the emulator."""

import json
from pathlib import Path

import pytest
import yaml
from extension.logs import log_filter

ROOT = Path(__file__).resolve().parents[2]
# Real lines of real programs, with their versions: tests/drivers/lines.
RUNS = {run["what"]: run for run in json.loads((ROOT / "tests/unit/recorded/node_lines.json").read_text())["runs"]}
PATTERN = yaml.safe_load((ROOT / "roles/logs/defaults/main.yml").read_text())["logs_error_pattern"]
# Runs in which nothing failed, or of which no line says so.
WELL = {
    "log: pino-info",
    "log: winston-info",
    "log: console-info",
    "process: warning",
    "node as process 1 is stopped",
    "eviction policy; bullmq5-worker",
    "eviction policy; bullmq6-worker",
    "BullMQ: maxRetriesPerRequest is set; bullmq5-retries",
    "Redis: TLS to a port without; ioredis-silent",
}


class TestLogFilter:
    @pytest.mark.parametrize(
        ("pattern", "taken"),
        [
            ("", {"ERROR disk full", "Error disk", "WARN disk"}),
            ("ERROR", {"ERROR disk full"}),
            ("ERROR full", {"ERROR disk full"}),
            ("?ERROR ?WARN", {"ERROR disk full", "WARN disk"}),
            ("disk -ERROR", {"Error disk", "WARN disk"}),
            ("disk ?nothing", {"ERROR disk full", "Error disk", "WARN disk"}),
            ('"disk full"', {"ERROR disk full"}),
            ('?"disk full" ?WARN', {"ERROR disk full", "WARN disk"}),
            ("%[Ee]rror%", {"Error disk"}),
        ],
    )
    def test_a_pattern_takes_what_cloudwatch_takes(self, pattern, taken):
        assert {message for message in ("ERROR disk full", "Error disk", "WARN disk") if log_filter.matcher(pattern)(message)} == taken

    @pytest.mark.parametrize("pattern", ['{ $.level = "error" }', "[a, b]", "%(%"])
    def test_one_that_is_not_understood_is_refused(self, pattern):
        with pytest.raises(ValueError):
            log_filter.matcher(pattern)

    def test_only_what_is_within_the_time_is_read(self):
        history = [{"timestamp": at, "ingestionTime": 0} for at in (1, 2, 2, 3)]
        assert [key[3] for key, _ in log_filter.keyed(history, "s", 2, 2)] == [1, 2]


class TestWhatLooksLikeAnError:
    """`logs.yml -e logs_errors=true`: what the role asks CloudWatch for, and what Node.js programs really write."""

    @staticmethod
    def taken(what: str) -> list[str]:
        return [line for line in RUNS[what]["lines"] if log_filter.matcher(PATTERN)(line)]

    def test_cloudwatch_takes_so_long_a_pattern(self):
        assert len(PATTERN) <= 1024 and "\n" not in PATTERN

    @pytest.mark.parametrize("what", [what for what in RUNS if what not in WELL])
    def test_a_failure_is_found_by_one_of_its_lines(self, what):
        assert self.taken(what)

    @pytest.mark.parametrize("what", sorted(WELL))
    def test_what_did_not_fail_is_not(self, what):
        assert self.taken(what) == []

    def test_stacks_and_what_is_printed_with_an_error_are_left_out(self):
        """A frame is taken if its function or file has 'Error' in its name."""
        frames = [line for run in RUNS.values() for line in run["lines"] if line.lstrip().startswith("at ")]
        taken = [line for line in frames if log_filter.matcher(PATTERN)(line)]
        assert len(frames) > 300 and len(taken) < len(frames) / 10
        assert len(self.taken("certificate: for another name; pg-uncaught")) <= 3, "with the certificate it is 140 lines"

    @pytest.mark.parametrize(("what", "lines"), [("log: pino-error", 4), ("log: winston-error", 4), ("log: console-error", 2)])
    def test_each_line_that_a_logger_calls_an_error_is_one(self, what, lines):
        assert len(self.taken(what)) == lines
