"""The callback as Ansible runs it: real playbooks without AWS, beside which it lies as it does beside the collection's own.

The runs are forks of a process that has Ansible imported (warm_ansible.py). Where what a run inherits or how it ends is the point, it is the program.
"""

import contextlib
import http.server
import json
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.release import __version__ as ansible_version
from warm_ansible import HANGS

CHECKOUT = Path(__file__).resolve().parents[2]
# What a run shows of custom statistics is what AWX keeps as a job's artifacts: both are read from the same place at the same moment.
SHOWN = {"ANSIBLE_SHOW_CUSTOM_STATS": "1"}

VARIABLES = {"atena_name": "env-{{ inventory_hostname }}", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


class Here:
    """A directory with a playbook."""

    def __init__(self, directory, ansible):
        self.directory, self.file, self.ansible = directory, directory / "out" / "result.json", ansible
        beside = directory / "callback_plugins"
        beside.mkdir()
        shutil.copy(CHECKOUT / "playbooks/callback_plugins/atena_aws_result_file.py", beside)

    def arguments(self, tasks, *arguments, hosts="one,", asked=True):
        play = {"hosts": "all", "gather_facts": False, "connection": "local", "vars": {**VARIABLES}, "tasks": tasks}
        (self.directory / "play.yml").write_text(json.dumps([play]))
        asks = ["-e", f"atena_result_file={self.file}"] if asked else []
        return ["-i", hosts, "play.yml", *asks, *arguments]

    def run(self, tasks, *arguments, hosts="one,", asked=True, **environment):
        return self.ansible.run(self.arguments(tasks, *arguments, hosts=hosts, asked=asked), self.directory, environment)

    def program(self, arguments, **streams):
        """ansible-playbook itself. Its tasks have the number of its process as $RUN."""
        command = ["sh", "-c", 'RUN=$$ exec "$@"', "sh", sys.executable, str(Path(sys.executable).with_name("ansible-playbook")), *arguments]
        return subprocess.run(command, cwd=self.directory, env=self.ansible.environment, text=True, timeout=HANGS, **streams)

    @property
    def result(self):
        return json.loads(self.file.read_text())


@pytest.fixture
def here(tmp_path, ansible):
    return Here(tmp_path, ansible)


def statistics(done):
    return json.loads(next(line.partition("RUN: ")[2] for line in done.stdout.splitlines() if line.startswith("\tRUN: ")))


FINE = {"name": "Change it", "debug": {"msg": "done"}, "changed_when": True}
BROKEN = {"name": "Break it", "fail": {"msg": "It broke. Do this."}}


def test_a_run_that_succeeds(here):
    done = here.program(here.arguments([FINE]), capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    result = here.result
    assert set(result) == {
        *("format", "playbook", "environment", "check_mode", "changed", "outcome", "reason", "did", "report", "ids", "redacted", "started_at", "ended_at"),
    }
    assert (result["playbook"], result["environment"], result["outcome"], result["changed"]) == ("play.yml", "env-one", "succeeded", True)
    assert stat.S_IMODE(here.file.stat().st_mode) == 0o600


def test_a_failure_is_written_and_shown_once_as_without_it(here):
    without = here.run([BROKEN], asked=False)
    done = here.run([BROKEN])
    assert done.returncode == without.returncode == 2
    assert done.stdout == without.stdout
    assert done.stdout.count("It broke. Do this.") == without.stdout.count("It broke. Do this.")
    assert (here.result["outcome"], here.result["reason"], here.result["changed"]) == ("failed", "It broke. Do this.", False)


def test_what_follows_in_always_is_not_the_reason(here):
    here.run([{"block": [BROKEN], "always": [{"fail": {"msg": "nor could it be cleared up"}}]}])
    assert here.result["reason"] == "It broke. Do this."


def test_a_failure_that_is_rescued_or_ignored_is_none(here):
    done = here.run([{"block": [BROKEN], "rescue": [FINE]}, {**BROKEN, "ignore_errors": True}, {**BROKEN, "failed_when": False}])
    assert done.returncode == 0
    assert (here.result["outcome"], here.result["reason"]) == ("succeeded", "")


def test_a_failure_after_a_rescue_is_the_reason(here):
    here.run([{"block": [{"fail": {"msg": "the first"}}], "rescue": [FINE]}, BROKEN])
    assert here.result["reason"] == "It broke. Do this."


def test_a_template_that_fails_is_a_failure(here):
    assert here.run([{"debug": {"msg": "{{ nobody_set_this }}"}}]).returncode == 2
    assert here.result["outcome"] == "failed"
    assert "nobody_set_this" in here.result["reason"]


def test_a_host_that_cannot_be_reached_has_failed(here):
    done = here.run([{"ping": {}, "vars": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_ssh_retries": 0}}])
    assert done.returncode == 4
    assert here.result["outcome"] == "failed"
    assert here.result["reason"]


def test_check_mode_says_so(here):
    here.run([{"copy": {"content": "x", "dest": str(here.directory / "new")}}], "--check")
    assert (here.result["check_mode"], here.result["changed"]) == (True, True)


def test_what_an_earlier_run_left_is_gone_as_soon_as_it_starts(here):
    here.file.parent.mkdir()
    here.file.write_text("old")
    seen = here.directory / "seen"
    here.run([{"shell": f"test -e {here.file} && touch {seen} || true"}])
    assert not seen.exists()
    assert here.result["outcome"] == "succeeded"


def test_nothing_is_written_or_set_unless_asked(here):
    done = here.run([FINE], asked=False, **SHOWN)
    assert done.returncode == 0
    assert not here.file.parent.exists()
    assert "atena_result" not in done.stdout


def test_programs_get_the_same_as_a_statistic_also_on_failure(here):
    for tasks, outcome in (([FINE], "succeeded"), ([FINE, BROKEN], "failed")):
        shown = statistics(here.run(tasks, **SHOWN))["atena_result"]
        assert shown.keys() == {"env-one"}
        assert shown["env-one"]["outcome"] == outcome
        assert {**shown["env-one"], "ended_at": ""} == {**here.result, "ended_at": ""}


def test_the_statistic_leaves_others_alone(here):
    set_stats = {"set_stats": {"data": {"mine": 1}}}
    shown = statistics(here.run([set_stats, FINE], **SHOWN))
    assert shown["mine"] == 1
    assert shown["atena_result"]["env-one"]["changed"] is True


def test_several_environments_in_one_file(here):
    done = here.run([FINE, {**BROKEN, "when": "inventory_hostname == 'two'"}], hosts="one,two,")
    assert done.returncode == 2
    result = here.result
    assert (result["outcome"], result["reason"]) == ("failed", "1 of 2 environments failed: env-two")
    assert {entry["environment"]: entry["outcome"] for entry in result["environments"]} == {"env-one": "succeeded", "env-two": "failed"}


def test_several_environments_in_a_file_each(here):
    here.run([FINE], "-e", f'{{"atena_result_file": "{here.file.parent}/{{{{ inventory_hostname }}}}.json"}}', hosts="one,two,", asked=False)
    assert sorted(path.name for path in here.file.parent.iterdir()) == ["one.json", "two.json"]
    assert json.loads((here.file.parent / "two.json").read_text())["environment"] == "env-two"


def test_a_file_that_cannot_be_written_is_a_warning(here):
    (here.directory / "out").write_text("no directory")
    done = here.run([FINE])
    assert done.returncode == 0
    assert f"resultfile{here.file}willnotbewritten" in "".join(done.stderr.split())  # however the warning is folded


def test_an_interrupted_run_has_failed(here):
    # The task interrupts the run that it is of, and lasts until that is over.
    slow = {"name": "Take long", "shell": "kill -INT $RUN; while kill -0 $RUN; do sleep 0.1; done"}
    done = here.program(here.arguments([slow]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert done.returncode != 0
    assert here.result["outcome"] == "failed"
    assert "in the task 'Take long'" in here.result["reason"]


def test_it_comes_along_with_an_imported_playbook(here):
    """As where a project's playbook imports one of the collection's."""
    outer = here.directory / "outer"
    outer.mkdir()
    here.arguments([FINE])
    (outer / "all.yml").write_text(json.dumps([{"import_playbook": "../play.yml"}]))
    done = here.program(["-i", "one,", "outer/all.yml", "-e", f"atena_result_file={here.file}"], capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert here.result["playbook"] == "all.yml"


# --- What Ansible cuts out of results ---------------------------------------------------------------------------------
IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::{account}:user/ana</Arn><UserId>AIDA0</UserId><Account>{account}</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true"}
# From 2.22 on ansible-core cuts the values of vaulted files out of all that callbacks get.
CUTS = tuple(int(part) for part in ansible_version.split(".")[:2]) >= (2, 22)


@contextlib.contextmanager
def sts(account):
    """An STS that says whose account it is, and nothing else. Gives the variables that lead there."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = IDENTITY.format(account=account).encode()
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()


def vaulted(here, values):
    """The arguments that read these values from an encrypted file."""
    (here.directory / "password").write_text("open")
    file = here.directory / "vaulted.yml"
    file.write_bytes(VaultLib([("default", VaultSecret(b"open"))]).encrypt(json.dumps(values)))
    return "-e", f"@{file}", "--vault-password-file", str(here.directory / "password")


IDENTIFY = {"name": "Who is it", "atena.aws.caller_identity_info": {"region": "us-east-1"}}


def test_ids_that_ansible_cut_are_left_out_and_the_file_says_so(here):
    """A vaulted `1` is cut out of every account and every ARN with a 1 in it: half an id names nothing."""
    with sts("210000000042") as environment:
        done = here.run([IDENTIFY, {**BROKEN, "fail": {"msg": "a1b failed"}}], *vaulted(here, {"level": "1"}), **environment)
    assert done.returncode == 2, done.stdout + done.stderr
    result = here.result
    assert result["ids"] == ({} if CUTS else {"account": "210000000042"})
    assert result["redacted"] is CUTS
    assert result["reason"] == ("a$REDACTED$b failed" if CUTS else "a1b failed")


def test_even_the_names_in_a_result_can_be_cut(here):
    """A vaulted letter is in the keys of what modules return: `msg`, `account`, `failed`."""
    with sts("210000000042") as environment:
        done = here.run([IDENTIFY, {"name": "Look", "debug": {"msg": "fine"}}, BROKEN], *vaulted(here, {"letter": "c", "other": "m"}), **environment)
    assert done.returncode == 2, done.stdout + done.stderr
    result = here.result
    assert (result["outcome"], result["redacted"]) == ("failed", CUTS)
    assert result["reason"] == ("The task 'Break it' failed, and Ansible cut its output." if CUTS else "It broke. Do this.")
    assert result["ids"] == ({} if CUTS else {"account": "210000000042"})
    assert "Traceback" not in done.stderr and "Callback" not in done.stderr, done.stderr


def test_a_secret_in_a_tasks_name_is_cut_there_too(here):
    tasks = [{"name": "Say {{ word }}", "fail": {"msg": "nothing"}, "no_log": True}]
    here.run(tasks, *vaulted(here, {"word": "hush"}))
    assert here.result["reason"] == f"The task 'Say {'$REDACTED$' if CUTS else 'hush'}' failed, and its output is hidden."
    assert here.result["redacted"] is CUTS


def test_nothing_is_called_cut_that_is_whole(here):
    with sts("210000000042") as environment:
        here.run([IDENTIFY, FINE], *vaulted(here, {"word": "long-and-nowhere-else"}), **environment)
    assert (here.result["ids"], here.result["redacted"], here.result["outcome"]) == ({"account": "210000000042"}, False, "succeeded")
