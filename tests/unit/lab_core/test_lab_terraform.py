import pytest
from atena_lab import own_terraform, process, settings, terraform


@pytest.fixture
def lab(tmp_path, monkeypatch):
    def make(choice="auto", registry=False):
        def run(command, **_):
            (tmp_path / "terraform" / "terraform.rc").write_text("provider_installation {}")
            python = tmp_path / "terraform" / "venv" / "bin" / "python"
            python.parent.mkdir(parents=True, exist_ok=True)
            python.write_text("#!/bin/sh\nexec sleep 60\n")
            python.chmod(0o755)

        monkeypatch.setattr(terraform, "run", run)
        monkeypatch.setattr(terraform, "registry_answers", lambda: registry)
        monkeypatch.setattr(own_terraform, "ensure", lambda _: None)
        return settings.read({"ATENA_LAB_DIR": str(tmp_path), "ATENA_LAB_OFFLINE_PROVIDER": choice})

    yield make
    terraform.stop_warm(make())


def warm(here):
    return process.read_pid(here.provider_pid_file)


@pytest.mark.parametrize(
    ("choice", "registry", "offline"),
    [("auto", True, False), ("auto", False, True), ("always", True, True), ("always", False, True), ("never", True, False), ("never", False, False)],
)
def test_the_offline_provider_is_used_where_the_registry_is_out_of_reach_or_it_is_asked_for(lab, choice, registry, offline):
    here = lab(choice, registry)
    terraform.ensure(here)
    assert (terraform.configuration(here) is not None) == offline


def test_a_registry_that_comes_or_goes_later_changes_nothing(lab):
    terraform.ensure(lab(registry=False))
    here = lab(registry=True)
    terraform.ensure(here)
    assert terraform.configuration(here) is not None


def test_nor_the_other_way_round(lab):
    terraform.ensure(lab(registry=True))
    here = lab(registry=False)
    terraform.ensure(here)
    assert terraform.configuration(here) is None


def test_a_choice_overrides_an_earlier_decision(lab):
    terraform.ensure(lab(registry=False))
    here = lab("never")
    terraform.ensure(here)
    assert terraform.configuration(here) is None


def test_each_up_starts_the_offline_provider_anew_and_the_registrys_needs_nothing(lab):
    here = lab(registry=False)
    terraform.ensure(here)
    first = warm(here)
    terraform.ensure(here)
    assert warm(here) not in (None, first)
    assert process.start_time(first) is None
    terraform.ensure(lab("never"))
    assert warm(here) is None
