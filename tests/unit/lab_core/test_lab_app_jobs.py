"""The sample application's jobs: what may be asked of them, and what the queue is given."""

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[3] / "lab" / "app" / "packages" / "queue_jobs" / "__init__.py"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def jobs():
    spec = importlib.util.spec_from_file_location("lab_app_queue_jobs", PACKAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("given", "wishes"),
    [
        ({"text": "x"}, {}),
        ({"text": "x", "delay": 1.5, "fail": 2, "attempts": 3, "seconds": 10}, {"delay": 1.5, "fail": 2, "attempts": 3, "seconds": 10}),
        ({"delay": None, "fail": 0}, {"fail": 0}),
    ],
)
def test_what_makes_sense_is_taken(jobs, given, wishes):
    assert jobs.check_wishes(given) == wishes


@pytest.mark.parametrize("given", [{"delay": -1}, {"delay": "1"}, {"fail": 1.5}, {"fail": True}, {"attempts": 0}, {"seconds": 3601}, {"attempts": 2.0}])
def test_what_makes_none_is_refused(jobs, given):
    with pytest.raises(ValueError):
        jobs.check_wishes(given)


def test_a_job_has_its_notes_id_and_five_attempts(jobs):
    job = jobs.note_job("n", "text", {}, None, NOW)
    assert (job["data"], job["opts"]["jobId"], job["opts"]["attempts"], "delay" in job["opts"]) == ({"id": "n", "text": "text"}, "n", 5, False)


def test_the_worker_hears_of_what_concerns_it(jobs):
    job = jobs.note_job("n", "text", {"fail": 2, "seconds": 0.5, "attempts": 7}, None, NOW)
    assert job["data"] == {"id": "n", "text": "text", "fail": 2, "seconds": 0.5}
    assert job["opts"]["attempts"] == 7


@pytest.mark.parametrize(("due", "delay"), [(timedelta(seconds=90), 90_000), (timedelta(), None), (-timedelta(days=1), None)])
def test_a_delayed_note_is_delayed_for_what_is_left(jobs, due, delay):
    assert jobs.note_job("n", "text", {}, NOW + due, NOW)["opts"].get("delay") == delay
