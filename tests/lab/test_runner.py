"""Every job template of extensions/awx, run by ansible-runner as AWX runs it (tests/lab/controller.py).

What AWX adds around it is not here: its database, its scheduler, containers around the jobs, and the image.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from controller import TEMPLATES, Controller
from power import without_new_snapshots
from runner_cases import CASES, ELSEWHERE, SECRETS, Case


class Releases:
    """Two commits whose images are in ECR: `later` runs, `earlier` ran before it."""

    def __init__(self, lab):
        self.earlier = lab.app.commit
        self.later = lab.app.change("For the runner", **{"packages/api/NOTES.md": f"{datetime.now(UTC)}\n"})
        lab.playbook("deploy.yml").must_succeed()


@pytest.fixture(scope="module")
def controller(lab, tmp_path_factory):
    with without_new_snapshots(lab):
        yield Controller(lab, tmp_path_factory.mktemp("controller"))


@pytest.fixture(scope="module")
def releases(lab):
    return Releases(lab)


def test_every_job_template_has_a_case():
    missing = sorted(set(TEMPLATES) - {case.verb for case in CASES} - ELSEWHERE)
    assert not missing, f"Add a case for {', '.join(missing)} to tests/lab/runner_cases.py: what its survey is answered with, and what must come of it."


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id, marks=[pytest.mark.soak] if case.soak else []) for case in CASES])
def test_a_job_template_runs_as_awx_runs_it(lab, controller, case, request):
    answers = case.answers(request.getfixturevalue("releases")) if callable(case.answers) else case.answers
    assert all(isinstance(answer, str) for answer in answers.values()), "surveys send text"
    job = controller.run(case, answers)
    assert (job.rc, job.status) == (0, "successful"), job.output
    assert case.says in " ".join(job.output.split()), job.output
    assert job.changed == case.changed, job.output
    result = job.result(lab.name)
    assert (result["outcome"], result["changed"], result["check_mode"]) == ("succeeded", case.changed, case.check)
    assert not [path for value in (*SECRETS.values(), os.environ["AWS_SECRET_ACCESS_KEY"]) for path in job.holds(value)]


def test_a_job_that_is_refused_fails_and_says_why_in_its_artifacts(lab, controller):
    job = controller.run(Case("lock", "", check=True), {"lock_force": "atena-other"})
    assert (job.rc, job.status) == (2, "failed")
    assert "this environment is atena-prod. Nothing was released" in job.result(lab.name)["reason"]


def test_after_all_of_it_the_environment_is_as_terraform_left_it(lab):
    assert lab.app.version == lab.app.commit
    assert lab.plan()[0] == 0
