import os

import pytest
from atena_lab import doctor, engine, settings
from atena_lab.report import LabError


def proc(tmp_path, pid, name):
    folder = tmp_path / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    return tmp_path / "proc"


class Apt:
    """apt-get and apt-cache of a Debian: which packages hold the docker command, and whether its lists are there yet."""

    def __init__(self, folder, holds, known, listed=True):
        self.folder, self.log = folder, folder / "log"
        packages, lists = " ".join(known), folder / "lists"
        if listed:
            lists.touch()
        self._script("apt-cache", f'test -e {lists} || exit 100; case " {packages} " in *" $2 "*) exit 0;; esac; exit 100')
        install = f'case " {packages} " in *" $4 "*) ;; *) exit 100;; esac; echo "$4" >>{self.log}; [ "$4" != {holds} ] || : >{folder}/docker'
        self._script(
            "apt-get", f'[ "$1" != update ] || {{ touch {lists}; exit 0; }}; test -e {lists} || exit 100; {install}; chmod 755 {folder}/docker || true'
        )

    def _script(self, name, text):
        (self.folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
        (self.folder / name).chmod(0o755)

    @property
    def installed(self):
        return self.log.read_text().split()


@pytest.mark.parametrize(
    ("holds", "known", "listed", "installed"),
    [
        ("docker.io", ["docker.io"], True, ["docker.io"]),
        ("docker-cli", ["docker.io", "docker-cli"], True, ["docker-cli"]),
        ("docker-cli", ["docker.io", "docker-cli"], False, ["docker.io", "docker-cli"]),
    ],
    ids=["Debian 12", "Debian 13", "Debian 13 before its first update"],
)
def test_the_docker_command_is_installed_from_the_package_that_holds_it(tmp_path, monkeypatch, holds, known, listed, installed):
    apt = Apt(tmp_path, holds, known, listed)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    engine.install_command()
    assert apt.installed == installed
    assert (tmp_path / "docker").exists()


def test_the_pid_file_of_a_killed_engine_is_removed(tmp_path):
    file = tmp_path / "docker.pid"
    file.write_text("4711")
    assert engine.clear_stale_pid_files({file: "dockerd"}, tmp_path / "proc") == [file]
    assert not file.exists()


def test_so_is_one_whose_pid_another_program_got(tmp_path):
    file = tmp_path / "docker.pid"
    file.write_text("4711\n")
    assert engine.clear_stale_pid_files({file: "dockerd"}, proc(tmp_path, 4711, "bash")) == [file]


def test_and_one_with_nonsense_in_it(tmp_path):
    file = tmp_path / "docker.pid"
    file.write_text("")
    assert engine.clear_stale_pid_files({file: "dockerd"}, tmp_path / "proc") == [file]


def test_the_pid_file_of_a_live_engine_stays(tmp_path):
    file = tmp_path / "docker.pid"
    file.write_text("4711")
    assert engine.clear_stale_pid_files({file: "dockerd"}, proc(tmp_path, 4711, "dockerd")) == []
    assert file.exists()


def test_no_engine_behind_the_socket_is_no_engine(tmp_path):
    assert engine.version(str(tmp_path / "docker.sock")) is None


def test_an_engine_elsewhere_is_refused(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://build.example:2376")
    with pytest.raises(LabError, match="Unset DOCKER_HOST"):
        engine.ensure()


def test_only_root_starts_an_engine(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="only its client.*systemctl start docker"):
        engine.start("/nowhere")


def test_an_engine_with_vfs_is_refused_and_not_left_running(monkeypatch):
    stopped = []
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "version", lambda path: None)
    monkeypatch.setattr(engine, "start", lambda path: "20.10")
    monkeypatch.setattr(engine.shutil, "which", lambda name: name)
    monkeypatch.setattr(engine, "check_client", lambda: None)
    monkeypatch.setattr(engine.process, "run", lambda command: type("Result", (), {"stdout": "vfs\n"}))
    monkeypatch.setattr(engine, "stop_if_ours", lambda: stopped.append(True))
    with pytest.raises(LabError, match="vfs"):
        engine.ensure()
    assert stopped


def test_a_full_disk_is_told_before_anything_is_built(tmp_path):
    lab = settings.read({"ATENA_LAB_DIR": str(tmp_path / "not" / "there")})
    with pytest.raises(LabError, match="GB free"):
        doctor.require_disk(lab, wanted=10**9)


def test_doctor_reports_all_and_fails_when_something_is_missing(monkeypatch, capsys):
    def bad(_):
        raise LabError("There is no x.", "Get it.")

    monkeypatch.setattr(doctor, "CHECKS", (("good", lambda _: "fine"), ("bad", bad), ("more", lambda _: "fine too")))
    assert doctor.report(settings.read({})) == 1
    output = capsys.readouterr().out
    assert "ok      good       fine" in output
    assert "MISSING bad        There is no x. Get it." in output
    assert "fine too" in output
