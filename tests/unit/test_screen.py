"""How reports and failures are laid out: at each width, without a line that is longer, without a command that is parted."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import failure as parts
from ansible_collections.atena.aws.plugins.module_utils.core.failure import Failure, of_message, of_result
from ansible_collections.atena.aws.plugins.plugin_utils import failure, screen

STATUS = [
    "power: on, last started 2027-01-15T10:00:00Z, by arn:aws:iam::123456789012:user/operator",
    "atena-prod-api: 2 of 2 tasks, release 3f2a91c0d4e5 of 2 h ago, 2 of 2 targets healthy",
    "database: available, postgres 15.4",
    "database: its certificate is by rds-ca-rsa2048-g1",
    "Healthy.",
]
COMMAND = "`ansible-playbook -i inventories/prod playbooks/deploy.yml -e release=3f2a91c0d4e5`"


def test_labels_make_two_columns():
    assert screen.arrange(STATUS, 60) == [
        "power:           on, last started 2027-01-15T10:00:00Z, by",
        "                 arn:aws:iam::123456789012:user/operator",
        "atena-prod-api:  2 of 2 tasks, release 3f2a91c0d4e5 of 2 h",
        "                 ago, 2 of 2 targets healthy",
        "database:        available, postgres 15.4",
        "database:        its certificate is by rds-ca-rsa2048-g1",
        "Healthy.",
    ]


@pytest.mark.parametrize("columns", [40, 60, 79, 100, 200])
def test_no_line_is_longer_than_the_screen(columns):
    lines = screen.arrange([*STATUS, "A sentence that is longer than a narrow terminal has columns, and longer than a usual one has, too."], columns)
    assert max(map(len, lines)) <= max(columns, 17 + len("arn:aws:iam::123456789012:user/operator"))


def test_a_command_and_an_option_are_not_parted():
    lines = screen.arrange(
        [f"Then, once the image is there, run it once more: {COMMAND}", "Or name the commit that is meant, as a person types it: -e release=3f2a91c0d4e5"], 90
    )
    assert [line.strip() for line in lines][1] == COMMAND
    assert any(line.strip().startswith("-e release=3f2a91c0d4e5") or "-e release=3f2a91c0d4e5" in line for line in lines)


def test_a_command_on_a_line_of_its_own_and_a_quoted_option_stay_whole():
    command = "       ansible-playbook -i inventories/prod playbooks/infra.yml -e infra_replace=aws_db_instance.main"
    assert screen.arrange([command], 60) == [command]
    option = """-e '{"infra_allow_destroy": ["aws_db_instance.main", "random_id.final_snapshot"]}'"""
    assert option in screen.fold(f"If it is meant, allow it by name for infra.yml: {option}", 90)


def test_a_blank_line_stays():
    assert screen.arrange(["one", "", "two"], 100) == ["one", "", "two"]


def test_a_table_stays_one():
    row = "  api               12.00        8.00        0.00       12.00  and a remark that is longer than the screen has columns"
    assert screen.arrange([row], 60) == [row]


@pytest.mark.parametrize(
    "line", ["Note that this is a sentence with a colon far from its beginning: here", "http://alb.example.com:8080/health", "12:30 is a time"]
)
def test_a_sentence_is_no_label(line):
    assert screen.arrange([line], 100) == [line]


def test_what_a_terminal_would_act_on_is_not_shown():
    assert screen.arrange(["state: \x1b[31mred\x1b[0m"], 100) == ["state: red"]


@pytest.mark.parametrize(("wanted", "terminal", "columns"), [("120", 80, 120), ("", 80, 80), ("", 0, screen.USUAL), ("none", 0, screen.USUAL), ("3", 80, 40)])
def test_the_width_is_the_caller_s_else_the_terminal_s_else_a_log_s(monkeypatch, wanted, terminal, columns):
    monkeypatch.setenv("COLUMNS", wanted)
    monkeypatch.setattr(screen, "_COLUMNS", terminal)
    assert screen.width() == columns


# --- Failures -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("X is wrong. Nothing was done. Set Y.", Failure("X is wrong.", [], ["Nothing was done."], ["Set Y."])),
        (
            "X is wrong, e.g. Foo. It is old. Set Y in Z. Nothing was built.",
            Failure("X is wrong, e.g. Foo.", ["It is old."], ["Nothing was built."], ["Set Y in Z."]),
        ),
        (
            "X is wrong. Nothing was changed:\n  y would be lost\nUndo it.",
            Failure("X is wrong.", ["  y would be lost"], ["Nothing was changed:"], ["Undo it."]),
        ),
        ("X failed.\nERROR no such table\n  Set this. Not an instruction", Failure("X failed.", ["ERROR no such table", "  Set this. Not an instruction"])),
        ("", Failure("It failed without a message.")),
        ("Nothing was done", Failure("Nothing was done")),
    ],
)
def test_a_message_has_parts(message, found):
    assert of_message(message) == found


def test_a_module_s_own_parts_and_code_come_first():
    given = {"what": "The migration failed.", "why": ["exit code 3"], "state": "No service was changed.", "next": [], "code": "MIGRATION_FAILED"}
    assert of_result({"msg": "all of it", "failure": given}) == Failure(
        "The migration failed.", ["exit code 3"], ["No service was changed."], [], "MIGRATION_FAILED"
    )
    assert of_result({"msg": "Denied.", "error": {"code": "AccessDenied", "message": "no"}}).code == "AccessDenied"


def test_a_block_is_short_and_says_what_is_left_out():
    long = Failure("It failed.", [f"line {number} of the log" for number in range(200)], ["Nothing was changed."], ["Run it again."])
    lines = failure.block(long, 100, "/work/failures/x.txt")
    assert len(lines) <= 30 and max(map(len, lines)) <= 100
    assert any(line.strip().endswith("more lines in the file)") for line in lines)
    assert [line.split(":")[0].strip() for line in lines if line[2] != " "] == ["What", "Why", "State", "Next", "Details"]


def test_the_parts_are_labelled_once_each():
    lines = failure.block(Failure("It failed.", ["because", "and because"], [], ["Run it."]), 100)
    assert lines == ["  What:     It failed.", "  Why:      because", "            and because", "  Next:     Run it."]


def test_the_file_is_private_and_the_oldest_of_many_go(tmp_path):
    directory = str(tmp_path / "failures")
    paths = [failure.write(directory, "atena-prod-deploy/../x", f"text {number}") for number in range(failure._KEPT_FILES + 3)]
    assert len(list((tmp_path / "failures").iterdir())) == failure._KEPT_FILES
    assert (tmp_path / "failures" / paths[-1]).exists()
    assert (tmp_path / "failures").stat().st_mode & 0o777 == 0o700
    assert all(entry.stat().st_mode & 0o777 == 0o600 for entry in (tmp_path / "failures").iterdir())


def test_what_is_left_of_a_result_leads_to_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(failure, "at_the_end", True)
    result = {
        "failed": True,
        "changed": True,
        "msg": "It failed.\n" + "log line\n" * 300,
        "failed_tasks": {"api": [1]},
        "invocation": {"module_args": {"a": 1}},
    }
    left = failure.condensed(result, "atena-prod", "atena.aws.ecs_release", str(tmp_path))
    assert len(str({key: value for key, value in left.items() if key != "invocation"})) < 200
    assert failure.whole(left)["failed_tasks"] == {"api": [1]} and failure.whole(left)["msg"] == result["msg"]
    told = failure.told_of(left)
    assert told is not None and "log line" in (tmp_path / told["file"]).read_text()
    assert failure.told_of({"msg": "another's", "invocation": {"module_args": {}}}) is None


def test_the_parts_are_the_ones_that_are_labelled():
    assert set(failure._LABELS) == set(parts.PARTS) == set(failure._MOST)
