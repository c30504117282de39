"""`make test-diff` on small repositories: what a change takes away is listed, what it moves is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from diff import report  # noqa: E402

IDENTITY = ["-c", "user.name=U", "-c", "user.email=u@example.com", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"]
TEST = """def test_a():
    answer = ask()
    assert answer.status == 200
    assert answer.text == "fine"
"""
MODULE = """def run(module):
    if not module.params["name"]:
        module.fail_json(msg="Give a name.")
    try:
        work()
    except OSError as error:
        raise Refused("Free some space.") from error
"""
TASKS = """- name: Look
  when: wanted
  block:
    - name: Check what was asked
      ansible.builtin.assert:
        that:
          - scale_count >= 0
          - scale_count < 100
        fail_msg: Ask for less.
    - name: Refuse
      ansible.builtin.fail:
        msg: Not here.
      when: stage == 'prod'
"""


@pytest.fixture
def repository(tmp_path, capsys):
    """What a change from the first files to the second takes away, as lines; a file without content is deleted."""

    def git(*arguments):
        subprocess.run(["git", "-C", str(tmp_path), *IDENTITY, *arguments], check=True, capture_output=True)

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def taken(before, after, *arguments, base="HEAD"):
        git("init", "-q", "-b", "main")
        write(before)
        git("add", "-A")
        git("commit", "-q", "-m", "Before", "--allow-empty")
        write(after)
        assert report.main([base, *arguments] if base else [*arguments], tmp_path) == 0
        return capsys.readouterr().out.splitlines()[2:]

    taken.git, taken.write, taken.directory = git, write, tmp_path
    return taken


def rows(lines):
    return [line for line in lines if " - " in line or line.startswith("    + ")]


def test_an_assertion_that_is_gone_and_one_that_says_less(repository):
    lines = repository(
        {"tests/unit/test_x.py": TEST}, {"tests/unit/test_x.py": TEST.replace('    assert answer.text == "fine"\n', "").replace("== 200", "< 500")}
    )
    assert lines == [
        "--- tests/unit/test_x.py",
        "tests/unit/test_x.py:3 test_a: - assert answer.status == 200",
        "    + assert answer.status < 500",
        "tests/unit/test_x.py:4 test_a: - assert answer.text == 'fine'",
        "",
        "    1 gone,     1 altered: assertions",
        "1 gone, 1 altered, 0 skips added; 0 moved; 0 files not compared.",
    ]


@pytest.mark.parametrize(
    "after",
    [
        {"tests/unit/test_x.py": TEST.replace("test_a", "test_what_it_answers")},
        {"tests/unit/test_x.py": None, "tests/lab/test_y.py": "import pytest\n\n\n" + TEST},
        {
            "tests/unit/test_x.py": TEST.replace('    assert answer.text == "fine"\n', ""),
            "tests/unit/seen.py": "def fine(answer):\n    assert answer.text == 'fine'\n",
        },
        {"tests/unit/test_x.py": TEST.replace('answer.text == "fine"', "answer.text == (\n        'fine'  # in words\n    )")},
    ],
    ids=["renamed", "in another file", "in a helper", "laid out otherwise"],
)
def test_what_moved_is_not_listed(repository, after):
    lines = repository({"tests/unit/test_x.py": TEST}, after)
    assert rows(lines) == []
    assert lines[-1].startswith("0 gone, 0 altered")


def test_a_move_is_shown_to_who_asks(repository):
    shorter = TEST.replace("    assert answer.status == 200\n", "")
    lines = repository(
        {"tests/test_x.py": TEST}, {"tests/test_x.py": shorter, "tests/test_y.py": "def test_b():\n    assert answer.status == 200\n"}, "--moves"
    )
    assert "tests/test_x.py:3 test_a: > tests/test_y.py:2 test_b: assert answer.status == 200" in lines


def test_one_of_two_that_say_the_same_is_missed(repository):
    both = TEST + "\n\ndef test_b():\n    assert ask().status == 200\n    assert answer.status == 200\n"
    lines = repository({"tests/test_x.py": both}, {"tests/test_x.py": TEST + "\n\ndef test_b():\n    assert ask().status == 200\n"})
    assert rows(lines) == ["tests/test_x.py:9 test_b: - assert answer.status == 200"]


def test_the_same_under_another_condition_is_another_statement(repository):
    before = "def test_a():\n    for answer in ask(1, 2, 3):\n        assert answer.ok\n"
    lines = repository({"tests/test_x.py": before}, {"tests/test_x.py": before.replace("for answer in ask(1, 2, 3)", "while answer := ask_politely()")})
    assert rows(lines) == [
        "tests/test_x.py:3 test_a: - for answer in ask(1, 2, 3): assert answer.ok",
        "    + while (answer := ask_politely()): assert answer.ok",
    ]


def test_what_moved_out_of_its_condition_is_shown_where_it_is(repository):
    before = "def test_a():\n    if asked:\n        assert answer.ok\n"
    lines = repository({"tests/test_x.py": before}, {"tests/test_x.py": None, "tests/test_y.py": "def helper():\n    assert answer.ok\n"})
    assert rows(lines)[1:] == ["tests/test_x.py:3 test_a: - if asked: assert answer.ok", "    + tests/test_y.py:2 helper: assert answer.ok"]


def test_a_whole_test_is_listed_with_all_that_it_held(repository):
    lines = repository({"tests/test_x.py": TEST, "tests/test_y.py": TEST.replace("fine", "well")}, {"tests/test_x.py": None})
    assert rows(lines) == [
        "tests/test_x.py:1 test_a: - the whole test, 3 lines",
        "tests/test_x.py:3 test_a: - assert answer.status == 200",
        "tests/test_x.py:4 test_a: - assert answer.text == 'fine'",
    ]


def test_what_a_renamed_test_in_a_renamed_file_no_longer_says(repository):
    after = TEST.replace("test_a", "test_b").replace('== "fine"', '!= ""')
    lines = repository({"tests/test_x.py": TEST}, {"tests/test_x.py": None, "tests/test_y.py": after})
    assert rows(lines) == ["tests/test_x.py:4 test_a: - assert answer.text == 'fine'", "    + tests/test_y.py:4 test_b: assert answer.text != ''"]


def test_cases_are_counted_one_by_one_wherever_they_are_written(repository):
    before = """import pytest
MORE = ["c", "d"]
@pytest.mark.parametrize(("x", "y"), [("a", 1), pytest.param("b", 2, id="two")])
def test_a(x, y): pass
@pytest.mark.parametrize("z", ["a", *MORE])
def test_b(z): pass
"""
    lines = repository({"tests/test_x.py": before}, {"tests/test_x.py": before.replace('("a", 1), ', "").replace(', "d"', "")})
    assert rows(lines) == ["tests/test_x.py:2 test_b: - case: z = 'd'", "tests/test_x.py:3 test_a: - case: x, y = ('a', 1)"]


def test_expected_refusals_with_what_is_refused(repository):
    before = """def test_a():
    with pytest.raises(CallFailed, match="Run infra.yml"):
        run(wrong)
    must_fail("deploy.yml", "no such release")
"""
    after = before.replace(', match="Run infra.yml"', "").replace('must_fail("deploy.yml", "no such release")', 'play("deploy.yml")')
    assert rows(repository({"tests/lab/test_x.py": before}, {"tests/lab/test_x.py": after})) == [
        "tests/lab/test_x.py:2 test_a: - pytest.raises(CallFailed, match='Run infra.yml'): run(wrong)",
        "    + pytest.raises(CallFailed): run(wrong)",
        "tests/lab/test_x.py:4 test_a: - must_fail('deploy.yml', 'no such release')",
    ]


def test_a_test_that_is_left_out_now_and_none_that_is_new(repository):
    after = "@pytest.mark.soak\n" + TEST + "\n\n@pytest.mark.soak\ndef test_new():\n    assert long()\n"
    lines = repository({"tests/test_x.py": TEST}, {"tests/test_x.py": after})
    assert [line for line in lines if "soak" in line and not line.startswith("---")] == ["tests/test_x.py:1 test_a: + @pytest.mark.soak"]


def test_refusals_of_plugins_with_their_condition(repository):
    after = (
        MODULE.replace("if not module", "if not quick and not module")
        .replace("        raise Refused", "        raise Exception")
        .replace("OSError", "KeyError")
    )
    before = {"plugins/modules/x.py": MODULE, "lab/lab": "#!/usr/bin/env python3\nraise SystemExit(1)\n", "lab/run": "#!/bin/sh\nif\n"}
    assert rows(repository(before, {"plugins/modules/x.py": after, "lab/lab": "#!/usr/bin/env python3\n", "lab/run": "#!/bin/sh\n"})) == [
        "lab/lab:2 (module): - raise SystemExit(1)",
        "plugins/modules/x.py:3 run: - if not module.params['name']: module.fail_json(msg='Give a name.')",
        "    + if not quick and (not module.params['name']): module.fail_json(msg='Give a name.')",
        "plugins/modules/x.py:7 run: - except OSError: raise Refused('Free some space.') from error",
        "    + except KeyError: raise Exception('Free some space.') from error",
    ]


def test_refusals_of_roles_with_their_conditions(repository):
    after = TASKS.replace("          - scale_count < 100\n", "").replace("stage == 'prod'", "stage == 'production'").replace("Ask for less.", "No.")
    assert rows(repository({"roles/scale/tasks/main.yml": TASKS}, {"roles/scale/tasks/main.yml": after})) == [
        "roles/scale/tasks/main.yml:4 Check what was asked: - fail_msg: Ask for less.",
        "    + fail_msg: No.",
        "roles/scale/tasks/main.yml:4 Check what was asked: - that scale_count < 100 when wanted",
        "roles/scale/tasks/main.yml:10 Refuse: - fail when wanted and stage == 'prod'",
        "    + fail when wanted and stage == 'production'",
    ]


def test_conditions_of_terraform(repository):
    before = 'variable "stage" {\n  validation {\n    condition     = can(regex("^[a-z]{1,3}$", var.stage))\n    error_message = "Short."\n  }\n}\n'
    assert rows(repository({"infra/main.tf": before}, {"infra/main.tf": 'variable "stage" {\n}\n'})) == [
        'infra/main.tf:2 variable "stage": - validation condition = can(regex("^[a-z]{1,3}$", var.stage)) error_message = "Short."'
    ]


def test_what_cannot_be_read_is_named_and_costs_the_rest_nothing(repository):
    before = {"tests/test_x.py": TEST, "tests/test_y.py": TEST.replace("fine", "well"), "roles/x/tasks/main.yml": TASKS, "lab/x.py": "raise X\n"}
    after = {"tests/test_x.py": "def test_a(:\n", "tests/test_y.py": TEST, "roles/x/tasks/main.yml": "a: [", "lab/x.py": b"# \xff\n"}
    lines = repository(before, after)
    assert rows(lines) == ["tests/test_y.py:4 test_a: - assert answer.text == 'well'", "    + assert answer.text == 'fine'"]
    unread = lines[lines.index("--- not compared, as they could not be read") + 1 :]
    assert [line.split(",")[0] for line in unread[:3]] == ["lab/x.py: now", "roles/x/tasks/main.yml: now", "tests/test_x.py: now"]
    assert lines[-1].endswith("3 files not compared.")


def test_without_a_base_it_is_where_the_branch_left_main(repository, capsys):
    repository({"tests/test_x.py": TEST}, {}, base=None)
    repository.git("checkout", "-q", "-b", "change")
    repository.write({"tests/test_x.py": TEST.replace("200", "204")})
    repository.git("commit", "-q", "-a", "-m", "Change")
    assert report.main([], repository.directory) == 0
    said = capsys.readouterr().out
    assert "(where this branch left main)" in said.splitlines()[0]
    assert "- assert answer.status == 200" in said


def test_a_base_that_is_not_there_is_told_with_the_remedy(repository, capsys):
    repository({}, {})
    assert report.main(["v9"], repository.directory) == 2
    assert "v9 is no commit here. Say which with BASE=" in capsys.readouterr().err
