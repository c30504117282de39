"""Every module: check mode writes nothing and tells what comes, a second run changes nothing, the diff names fields, RETURN is true.

One playbook runs all cases (tests/lab/module_cases.py), each task through a counting proxy of its own; the tests look at what came out.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess

import pytest
from conftest import CHECKOUT
from documented import documentation, faults, seen
from module_cases import ELSEWHERE, UNSEEN, Case, World, cases, restoring, result_of
from wire import Wire

MODULES = {path.stem: documentation(path) for path in sorted((CHECKOUT / "plugins" / "modules").glob("*.py")) if "def main(" in path.read_text()}
FOREIGN, CHECK, REAL, AGAIN = "foreign", "check", "real", "again"
# An account that no credentials here are of, and the modules that call nobody with any.
ANOTHER, WITHOUT_CREDENTIALS = "999999999999", {"terraform_output_info", "terraform_working_copy"}


class Outcomes:
    """What the playbook gave: the result and the calls of each case and phase."""

    def __init__(self, cases: list[Case], results: dict, wires: dict):
        self.cases, self.results, self.wires = cases, results, wires

    def of(self, module: str) -> list[Case]:
        return [case for case in self.cases if case.module == module]

    def result(self, case: Case, phase: str) -> dict:
        result = self.results[f"{case.id}: {phase}"]
        assert not result.get("failed"), f"{case.id} failed ({phase}): {result.get('msg', result)}"
        return result

    def phases(self, case: Case) -> list[str]:
        return [CHECK, REAL] if case.not_again else [CHECK, REAL, AGAIN]


def tasks_of(case: Case, endpoints: dict) -> list[dict]:
    tasks = []
    for phase, endpoint in endpoints.items():
        task = {
            "name": f"{case.id}: {phase}",
            f"atena.aws.{case.module}": {**case.options, **({"expected_account_id": ANOTHER} if phase == FOREIGN else {})},
            "environment": {"AWS_ENDPOINT_URL": endpoint},
            "check_mode": phase == CHECK,
            "diff": True,
            # One that fails must not hide what the others do; its own test tells.
            "ignore_errors": True,
        }
        tasks.append({**task, "register": result_of(case.module, case.name)} if phase == REAL else task)
    return tasks


@pytest.fixture(scope="module")
def outcomes(lab, tmp_path_factory):
    directory = tmp_path_factory.mktemp("documented")
    world = World(lab, directory)
    try:
        planned, wires, tasks = cases(world), {}, []
        with contextlib.ExitStack() as stack:
            for case in planned:
                foreign = {} if case.module in WITHOUT_CREDENTIALS else {FOREIGN: stack.enter_context(Wire(lab.endpoint))}
                endpoints = {**foreign, CHECK: stack.enter_context(Wire(lab.endpoint)), REAL: None, AGAIN: stack.enter_context(Wire(lab.endpoint))}
                if case.not_again:
                    del endpoints[AGAIN]
                wires.update({(case.id, phase): wire for phase, wire in endpoints.items() if wire})
                tasks += tasks_of(case, {phase: wire.endpoint if wire else lab.endpoint for phase, wire in endpoints.items()})
            play = {"hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": [*tasks, *restoring(world)]}
            play["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_pipelining": True}
            (directory / "play.yml").write_text(json.dumps([play]))
            done = subprocess.run(
                ["ansible-playbook", "-i", "localhost,", str(directory / "play.yml")],
                cwd=CHECKOUT,
                env={**os.environ, "AWS_REGION": "us-east-1", "ANSIBLE_STDOUT_CALLBACK": "json", "ANSIBLE_NOCOLOR": "1"},
                capture_output=True,
                text=True,
                timeout=1800,
            )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        shown = json.loads(done.stdout[done.stdout.index("{") :])["plays"][0]["tasks"]
        yield Outcomes(planned, {task["task"]["name"]: task["hosts"]["localhost"] for task in shown}, wires)
    finally:
        world.close()


@pytest.fixture(params=sorted(set(MODULES) - set(ELSEWHERE)))
def module(request, outcomes):
    assert outcomes.of(request.param), f"tests/lab/module_cases.py has no case of {request.param}: every module has one"
    return request.param


def test_credentials_of_another_account_are_refused_before_any_other_call(module, outcomes):
    for case in outcomes.of(module):
        if module in WITHOUT_CREDENTIALS:
            assert "expected_account_id" not in case.options
            continue
        result, wire = outcomes.results[f"{case.id}: {FOREIGN}"], outcomes.wires[case.id, FOREIGN]
        assert result.get("failed"), case.id
        assert (
            "These credentials belong to account 0000" in result["msg"] and f"but this environment is in account {ANOTHER}. Nothing was done." in result["msg"]
        )
        assert {str(call) for call in wire.calls} == {"sts:GetCallerIdentity"}, case.id


def test_check_mode_writes_nothing_and_tells_what_comes(module, outcomes):
    assert MODULES[module][0]["attributes"]["check_mode"]["support"] == "full"
    for case in outcomes.of(module):
        predicted, real = outcomes.result(case, CHECK), outcomes.result(case, REAL)
        assert outcomes.wires[case.id, CHECK].writes() == [], case.id
        assert (predicted["changed"], real["changed"]) == (case.changes, case.changes), case.id
        if module not in ("terraform_working_copy",):  # it calls nobody
            assert outcomes.wires[case.id, CHECK].calls, f"{case.id}: nothing came through the proxy, so nothing was counted"


def test_a_second_run_changes_nothing(module, outcomes):
    for case in outcomes.of(module):
        if case.not_again:
            continue
        again = outcomes.result(case, AGAIN)
        assert again["changed"] is False, f"{case.id}: {again}"
        if not case.again_writes:
            assert outcomes.wires[case.id, AGAIN].writes(besides_lock=True) == [], case.id


def test_the_diff_names_what_changes(module, outcomes):
    supported = MODULES[module][0]["attributes"]["diff_mode"]["support"] == "full"
    assert supported == any(case.diff for case in outcomes.of(module)), f"{module}: what its documentation says of diffs is not what its cases expect"
    for case in outcomes.of(module):
        diff = json.dumps(outcomes.result(case, CHECK).get("diff") or "")
        assert [words for words in case.diff if words not in diff] == [], f"{case.id}: {diff}"
        if not supported:
            assert diff == '""', case.id


def test_what_is_returned_is_what_is_documented(module, outcomes):
    documented, found, results = MODULES[module][1], [], []
    for case in outcomes.of(module):
        for phase in outcomes.phases(case):
            result = outcomes.result(case, phase)
            results.append(result)
            found += [f"{case.name} ({phase}): {fault}" for fault in faults(documented, result)]
    assert found == []
    excused = set(UNSEEN.get(module, {}))
    assert set(documented) - seen(documented, results) == excused, "documented and returned by no case, or excused and returned"
