"""No value of a secret in output at -vvv, temporary files, Docker's configuration, plan files, the state, or a process's arguments."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest

# In this order: the secrets are set before a release takes them up, and what is stopped is started again.
PLAYBOOKS = [
    *("bootstrap.yml", "secrets.yml", "infra.yml", "preflight.yml", "deploy.yml", "migrate.yml", "releases.yml", "status.yml", "diagnose.yml"),
    *("restart.yml", "logs.yml"),
    *("stop.yml", "start.yml"),
]
NAMES = ["CLAUDE_API_KEY", "ADMIN_TOKEN", "TELEGRAM_BOT_TOKEN"]


def is_regular(path):
    """Whether it is a file and no link; what is gone by now is none."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


class Watch(threading.Thread):
    """While it runs, looks for the values in every process's arguments and in every file below `directories`."""

    def __init__(self, values, directories):
        super().__init__(daemon=True)
        self.values, self.directories = [value.encode() for value in values], directories
        self.found, self.looks, self.files, self._end = set(), 0, set(), threading.Event()

    def run(self):
        while not self._end.is_set():
            self.look()
            self._end.wait(0.02)

    def look(self):
        self.looks += 1
        # Not Path.glob, which fails at a process that ends while it looks.
        for process in filter(str.isdigit, os.listdir("/proc")):
            self.search(Path("/proc", process, "cmdline"), "a process's arguments")
        for directory in self.directories:
            for folder, _, names in os.walk(directory):  # passes over what goes away meanwhile, as Path.rglob does not
                for path in (Path(folder, name) for name in names):
                    if is_regular(path):
                        self.files.add(path)
                        self.search(path, str(path))

    def search(self, path, where):
        try:
            content = path.read_bytes()
        except OSError:
            return  # gone since it was listed
        self.found.update((where, value.decode()[:4] + "...") for value in self.values if value in content)

    def __exit__(self, *_):
        assert self.is_alive(), "the watch ended before what it watched"
        self._end.set()
        self.join()
        self.look()

    def __enter__(self):
        self.start()
        return self


@pytest.fixture(scope="module")
def values(lab, tmp_path_factory):
    """New values for the three secrets, and the database's password, by what they are called."""
    fresh = {name: f"zq{uuid.uuid4().hex}" for name in NAMES}
    source = tmp_path_factory.mktemp("given") / "secrets.json"
    source.write_text(json.dumps({"atena_secrets": fresh}))
    database = lab.client("ssm").get_parameter(Name="/atena/prod/DATABASE_URL", WithDecryption=True)["Parameter"]["Value"]
    yield source, {**fresh, "DATABASE_URL": database, "the database's password": urlsplit(database).password}
    lab.playbook("secrets.yml", "-e", f"secrets_names={','.join(NAMES)}").must_succeed()


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_no_playbook_shows_a_secret(lab, values, playbook, tmp_path):
    source, secrets = values
    temporary = {"ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"), "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"), "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    if playbook == "deploy.yml":
        lab.app.change("For the secrets' sake", **{"packages/api/NOTES.md": f"{uuid.uuid4()}\n"})
    watched = [tmp_path, lab.infra]
    with Watch(secrets.values(), watched) as watch:
        run = lab.playbook(playbook, "-vvv", "--diff", "-e", f"@{source}", environment=temporary).must_succeed()
    shown = [name for name, value in secrets.items() if value in run.output]
    assert shown == []
    assert watch.looks > 5
    assert watch.found == set()


def test_the_watch_does_see_a_value_in_a_file_and_in_arguments(tmp_path):
    secret = f"zq{uuid.uuid4().hex}"
    (tmp_path / "left").write_text(f"password={secret}")
    process = subprocess.Popen(["sh", "-c", "sleep 2", secret])
    try:
        with Watch([secret], [tmp_path]) as watch:
            watch.join(0.5)
    finally:
        process.kill()
        process.wait()
    assert {where for where, _ in watch.found} == {"a process's arguments", str(tmp_path / "left")}


def test_the_secrets_reached_aws(lab, values):
    _, secrets = values
    for name in NAMES:
        assert lab.client("ssm").get_parameter(Name=f"/atena/prod/{name}", WithDecryption=True)["Parameter"]["Value"] == secrets[name]


def test_no_state_holds_a_persons_secret(lab, values):
    _, secrets = values
    s3 = lab.client("s3")
    bucket = f"atena-terraform-state-{lab.account}"
    # Every version: the bucket keeps them all.
    for version in s3.list_object_versions(Bucket=bucket)["Versions"]:
        body = s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])["Body"].read().decode("utf-8", "replace")
        assert not [name for name in NAMES if secrets[name] in body], version["Key"]


def test_dockers_configuration_holds_no_registry_password(lab):
    host = urlsplit(lab.endpoint).netloc
    for path in (Path.home() / ".docker" / "config.json",):
        if path.exists():
            assert host not in json.loads(path.read_text()).get("auths", {})


def test_no_plan_file_stays(lab):
    left = [path for path in (lab.directory / "work").rglob("*") if path.is_file() and ("plan" in path.name or path.suffix == ".tfplan")]
    assert [path for path in left if ".terraform/providers" not in str(path)] == []
