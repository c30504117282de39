"""What the emulator's extension decides of CloudWatch Logs, apart from the emulator."""

import pytest
from extension.logs import log_filter


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
