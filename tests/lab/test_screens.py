"""What a person sees: how long a failure is, how wide its lines are, and that reports are text that fits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import bad_commits
import pytest
from conftest import CHECKOUT

WIDTH = 100
MOST_LINES = 50
# What cannot be folded: Ansible's own lines (a task's header, where the task is, the recap), and the path of a file.
ANSIBLES = re.compile(r"^(?:TASK \[|PLAY \[|Origin: |\S+ +: ok=|  Details: | +The whole diagnosis: )")


def from_the_failing_task(output: str) -> list[str]:
    """The lines from the failing task's header to the end."""
    before = output[: output.index("[ERROR]: Task failed" if "[ERROR]: Task failed" in output else "fatal: [")]
    return output[before.rindex("TASK [") :].splitlines()


def check(output: str) -> list[str]:
    """The block at the end of a run that failed, which is held against the limits."""
    lines = from_the_failing_task(output)
    assert len(lines) <= MOST_LINES, output
    assert [line for line in lines if len(line) > WIDTH and not ANSIBLES.match(line)] == [], output
    (at,) = [number for number, line in enumerate(lines) if line.startswith("FAILED: ")]
    assert at > next(number for number, line in enumerate(lines) if line.startswith("PLAY RECAP"))
    block = lines[at:]
    labels = [match[1] for line in block if (match := re.match(r"^  (\w+): ", line))]
    assert labels[0] == "What" and labels[-1] == "Details" and labels == sorted(labels, key=["What", "Why", "State", "Next", "Details"].index)
    return block


def part(block: list[str], label: str) -> str:
    text = " ".join(block)
    return re.sub(r"\s+", " ", re.search(rf"  {label}: (.*?)(?=  (?:What|Why|State|Next|Details): |$)", text)[1])


def details(block: list[str]) -> Path:
    return CHECKOUT / Path(part(block, "Details").strip()).expanduser()


def test_a_failed_migration_is_one_block_on_one_screen(lab, good):
    bad_commits.migration_fails(good)
    run = lab.playbook("deploy.yml").must_fail()
    block = check(run.output)
    assert "no_such_table" in part(block, "Why") and "TASK_EXITED" in block[0]
    assert "migrate.yml" not in part(block, "Next")
    file = details(block)
    assert file.stat().st_mode & 0o777 == 0o600
    whole = file.read_text()
    assert "failed_tasks:" in whole or "migration:" in whole
    first_words = part(block, "What").split(".")[0]
    assert len(first_words) > 10 and len(re.findall(re.escape(first_words), run.text.split("The whole message:")[0])) <= 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-e", "atena_vpc_cidr=10.0.0.0/99"], "vpc_cidr"),
        (["-e", '{"atena_database": {"name": "another"}}'], "aws_db_instance.main"),
    ],
    ids=["invalid", "would destroy"],
)
def test_a_failed_plan_is_one_block_on_one_screen(lab, good, arguments, words):
    run = lab.playbook("infra.yml", *arguments).must_fail()
    block = check(run.output)
    assert words in " ".join(block)
    assert "no change" not in run.output


def test_reports_fit_the_screen_and_are_no_yaml(lab, good):
    for playbook in ("status.yml", "cost.yml"):
        run = lab.playbook(playbook, environment={"COLUMNS": str(WIDTH)}).must_succeed()
        lines = run.output.splitlines()
        commands = [line for line in lines if re.match(r"^ +(?:\S+=\S* )*ansible-playbook ", line)]
        assert [line for line in lines if len(line) > WIDTH and not ANSIBLES.match(line) and line not in commands] == [], run.output
        assert not re.search(r"^\s+(?:- ['\"]|msg:)", run.output, re.MULTILINE), run.output


def test_a_narrow_screen_has_narrow_lines(lab, good):
    run = lab.playbook("status.yml", environment={"COLUMNS": "72"}).must_succeed()
    report = run.output[run.output.index("atena-prod, account") :].split("\nok:")[0].splitlines()
    assert max(map(len, report)) <= 72 and len(report) > 8


def test_the_result_file_has_what_was_shown(lab, good, tmp_path):
    for playbook, key in (("status.yml", "status"), ("cost.yml", "costs"), ("releases.yml", "releases")):
        file = tmp_path / f"{playbook}.json"
        lab.playbook(playbook, "-e", f"atena_result_file={file}").must_succeed()
        assert json.loads(file.read_text())["report"][key]
