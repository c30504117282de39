import subprocess

import pytest
from atena_lab import apprepo, settings, state


@pytest.fixture
def lab(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.py").write_text("one\n")
    lab = settings.read({"ATENA_LAB_DIR": str(tmp_path / "lab")})
    apprepo.ensure(lab.app, source)
    lab.log.write_text("log")
    lab.bundle.parent.mkdir()
    lab.bundle.write_text("certificates")
    lab.terraform.mkdir()
    (lab.terraform / "terraform.rc").write_text("provider_installation {}")
    return lab


@pytest.mark.parametrize("work", ["committed", "uncommitted", "none"])
def test_down_keeps_only_an_application_with_work_in_it(lab, work):
    if work != "none":
        (lab.app / "mine").write_text("mine\n")
    if work == "committed":
        identity = ["-c", "user.name=U", "-c", "user.email=u@example.com"]
        for arguments in (["add", "mine"], ["commit", "-m", "mine"]):
            subprocess.run(["git", "-C", str(lab.app), *identity, *arguments], check=True, capture_output=True)
    state.discard(lab, tools_too=False)
    assert not lab.log.exists()
    assert lab.bundle.exists() == (work != "none")  # the application has it, and could not connect with another authority's
    assert lab.directory.exists() == (work != "none")


def test_an_installed_provider_stays_but_the_choice_of_it_does_not(lab):
    (lab.terraform / "venv").mkdir()
    state.discard(lab, tools_too=False)
    assert [entry.name for entry in lab.terraform.iterdir()] == ["venv"]
    state.discard(lab, tools_too=True)
    assert not lab.directory.exists()


def test_nothing_there_is_nothing_to_do(tmp_path):
    state.discard(settings.read({"ATENA_LAB_DIR": str(tmp_path / "none")}), tools_too=True)
