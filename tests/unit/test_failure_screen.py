"""Reports and failures as Ansible shows them: real playbooks without AWS, with and without the callback that lies beside the collection's own."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
WIDTH = 100
LONG = "The environment atena-prod cannot be released, because a sentence that is longer than any terminal was written by somebody. " * 3
REPORT = {"name": "Report it", "atena.aws.report": {"title": "atena-prod", "lines": ["database: available", "services: 2 of 2 run"], "data": {"a": {"b": 1}}}}
REFUSE = {"name": "Refuse it", "atena.aws.verify": {"that": "1 > 2", "fail_msg": f"{LONG}Nothing was changed. Set atena_app_path in the inventory."}}


class Here:
    def __init__(self, directory, ansible):
        self.directory, self.ansible, self.result = directory, ansible, directory / "result.json"

    def with_callbacks(self):
        shutil.copytree(CHECKOUT / "playbooks/callback_plugins", self.directory / "callback_plugins", ignore=shutil.ignore_patterns("*group*", "__pycache__"))
        return self

    def run(self, tasks, *arguments, hosts="one,", **environment):
        variables = {"atena_work_dir": str(self.directory / "work"), "atena_name": "{{ inventory_hostname }}", "atena_result_file": str(self.result)}
        play = {"hosts": "all", "gather_facts": False, "connection": "local", "vars": variables, "tasks": tasks}
        (self.directory / "play.yml").write_text(json.dumps([play], indent=1))
        return self.ansible.run(["-i", hosts, "play.yml", *arguments], self.directory, {"COLUMNS": str(WIDTH), **environment})


@pytest.fixture
def here(tmp_path, ansible):
    return Here(tmp_path, ansible)


def test_a_report_is_text_in_columns(here):
    done = here.run([REPORT])
    assert done.returncode == 0
    assert "\natena-prod\ndatabase:  available\nservices:  2 of 2 run\nok: [one]\n" in done.stdout


@pytest.mark.parametrize("verbose", [[], ["-v"]])
def test_it_is_not_shown_again_as_a_result(here, verbose):
    assert here.run([REPORT], *verbose).stdout.count("2 of 2 run") == 1


def test_its_data_is_returned(here):
    tasks = [{**REPORT, "register": "shown"}, {"ansible.builtin.assert": {"that": ["shown.data.a.b == 1", "shown.msg | length == 2", "shown is not changed"]}}]
    assert here.run(tasks).returncode == 0


def test_verbatim_lines_are_not_touched(here):
    document = json.dumps({"a": "x" * 300})
    assert document in here.run([{"atena.aws.report": {"lines": "{{ " + repr(document) + " }}", "verbatim": True}}]).stdout


def test_of_several_environments_each_report_names_its_own(here):
    shown = here.run([{"atena.aws.report": {"lines": "Healthy."}}], hosts="one,two,").stdout
    assert "\none\nHealthy.\n" in shown and "\ntwo\nHealthy.\n" in shown


def test_there_is_colour_where_ansible_has_it_and_none_with_no_color(here):
    tasks = [{"atena.aws.report": {"lines": ["Healthy."]}}]
    environment = {**here.ansible.environment, "ANSIBLE_FORCE_COLOR": "1"}
    assert "\x1b[" not in here.run(tasks).stdout
    here.ansible = Program(environment)
    assert re.search(r"\x1b\[0;32mHealthy\.\x1b\[0m", here.run(tasks).stdout)


class Program:
    """ansible-playbook itself: what it reads while it imports is not what the server of the others has read."""

    def __init__(self, environment):
        self.environment = environment

    def run(self, arguments, cwd, environment):
        command = [sys.executable, str(Path(sys.executable).with_name("ansible-playbook")), *arguments]
        return subprocess.run(command, cwd=cwd, env={**self.environment, **environment}, text=True, capture_output=True, check=False)


# --- Failures -----------------------------------------------------------------------------------------------------------
def after_header(text, name="Refuse it"):
    return text[text.index(f"TASK [{name}]") :].splitlines()


def test_a_failure_ends_with_one_block(here):
    done = here.with_callbacks().run([REFUSE])
    lines = after_header(done.stdout)
    assert done.returncode == 2
    # Ansible's own: where the task is, and the recap.
    ours = [line for line in lines if not line.startswith(("Origin: ", "one  ", "  Details: "))]
    assert len(lines) <= 50 and max(map(len, ours)) <= WIDTH
    assert done.stdout.count("The environment atena-prod cannot be released") == 3, "three sentences, each once"
    assert done.stdout.index("PLAY RECAP") < done.stdout.index("FAILED: play.yml on one")
    block = done.stdout[done.stdout.index("FAILED: play.yml") :]
    assert [line.split(":")[0].strip() for line in block.splitlines()[1:] if line[2:3].strip()] == ["What", "Why", "State", "Next", "Details"]


def test_without_the_callback_the_block_is_where_it_failed(here):
    shown = here.run([REFUSE]).stdout
    assert shown.index("FAILED: atena.aws.verify on one") < shown.index("PLAY RECAP")
    assert "The reason is above." in shown and shown.count("Set atena_app_path") == 1


def test_the_file_has_all_of_it_and_is_the_owners_alone(here):
    here.with_callbacks().run([REFUSE])
    (file,) = (here.directory / "work" / "failures").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert REFUSE["atena.aws.verify"]["fail_msg"] in file.read_text() and "evaluated_to: false" in file.read_text()


def test_the_result_file_has_the_whole_message(here):
    here.with_callbacks().run([REFUSE])
    assert json.loads(here.result.read_text())["reason"] == REFUSE["atena.aws.verify"]["fail_msg"]


@pytest.mark.parametrize("handled", [{"ignore_errors": True}, {"failed_when": False}])
def test_a_failure_that_the_playbook_deals_with_is_left_as_it_is(here, handled):
    tasks = [{**REFUSE, **handled, "register": "found"}, {"ansible.builtin.assert": {"that": "'Set atena_app_path' in found.msg"}}]
    done = here.with_callbacks().run(tasks)
    assert done.returncode == 0 and "FAILED: play.yml" not in done.stdout


def test_so_is_one_in_a_block_with_a_rescue(here):
    rescue = [{"ansible.builtin.assert": {"that": "'Set atena_app_path' in ansible_failed_result.msg"}}]
    done = here.with_callbacks().run([{"block": [REFUSE], "rescue": rescue}])
    assert done.returncode == 0 and "FAILED: play.yml" not in done.stdout


def test_a_rescue_can_fail_with_it_and_say_more(here):
    again = {
        "name": "Fail again",
        "atena.aws.report_failure": {"result": "{{ ansible_failed_result }}", "why": "The database is full.", "next": ["Make room."]},
    }
    done = here.with_callbacks().run([{"block": [REFUSE], "rescue": [again]}])
    block = done.stdout[done.stdout.index("FAILED: play.yml") :]
    assert "The database is full." in block and "Set atena_app_path" in block and "Make room." in block


def test_a_hidden_failure_stays_hidden(here):
    done = here.with_callbacks().run([{**REFUSE, "no_log": True}])
    assert done.returncode == 2 and "FAILED: play.yml" not in done.stdout
    assert not (here.directory / "work").exists()


def test_of_many_environments_the_first_have_a_block_and_the_others_a_line(here):
    shown = here.with_callbacks().run([REFUSE], hosts="".join(f"env{number}," for number in range(8))).stdout
    assert len(re.findall(r"^FAILED: play\.yml on env\d$", shown, re.MULTILINE)) == 5
    assert len(re.findall(r"^FAILED: play\.yml on env\d: \S+/failures/\S+\.txt$", shown, re.MULTILINE)) == 3
