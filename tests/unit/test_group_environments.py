"""A run that would do nothing, since no host is where the playbooks look for environments, is none that succeeded."""

import json
import re
import shutil
import sysconfig
from pathlib import Path

import pytest
import yaml
from ansible_collections.atena.aws.plugins.callback.group_environments import refusal

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = {"atena-prod": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}", "atena_stage": "prod"}}
# As it is installed.
OURS = CHECKOUT / ".collections/ansible_collections/atena/aws/playbooks"
INSTALLED = [Path(sysconfig.get_paths()["purelib"]), Path("/usr/share/ansible/collections")]
NEEDS_AWX = pytest.mark.skipif(
    not any((root / "ansible_collections/awx/awx/MANIFEST.json").is_file() for root in INSTALLED), reason="the collection awx.awx is not installed here"
)
WORK = {"hosts": "environments", "gather_facts": False, "tasks": [{"debug": {"msg": "worked"}}]}


class Here:
    """A directory with an inventory, and with playbooks beside which the callback lies as it does beside the collection's."""

    def __init__(self, directory, ansible):
        self.directory, self.ansible = directory, ansible

    def run(self, inventory, *arguments, playbook=OURS / "status.yml"):
        (self.directory / "hosts.yml").write_text(inventory if isinstance(inventory, str) else yaml.safe_dump(inventory))
        return self.ansible.run(["-i", "hosts.yml", str(playbook), *arguments], self.directory, {"HOME": str(self.directory / "home")})

    def playbook(self, plays, beside=True):
        place = self.directory / "playbooks"
        (place / "callback_plugins").mkdir(parents=True)
        if beside:
            shutil.copy(CHECKOUT / "playbooks/callback_plugins/atena_aws_group_environments.py", place / "callback_plugins")
        (place / "play.yml").write_text(json.dumps(plays))
        return "playbooks/play.yml"


@pytest.fixture
def here(tmp_path, ansible):
    return Here(tmp_path, ansible)


def refused(done, *words):
    text = re.sub(r"\s+", " ", done.stderr)
    assert done.returncode == 1, done.stdout + done.stderr
    assert [word for word in (*words, "Nothing was done.") if word not in text] == [], text


@pytest.mark.parametrize("more", [[], ["--check"], ["--limit", "atena-prod"]])
def test_a_group_of_another_name_is_refused_with_the_name_that_is_needed(here, more):
    done = here.run({"prod": {"hosts": HOST}}, *more)
    refused(done, "The inventory (hosts.yml) has no host in the group environments", "Its groups are prod.", "{environments: {children: {prod: }}}")


@pytest.mark.parametrize("path", sorted((CHECKOUT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_every_play_is_for_that_group_or_of_another_playbook(path):
    for play in yaml.safe_load(path.read_text()):
        assert play.get("hosts", "environments") == "environments" and ("hosts" in play) != ("ansible.builtin.import_playbook" in play)


def test_the_first_play_of_an_imported_playbook_refuses(here):
    refused(here.run({"prod": {"hosts": HOST}}, playbook=OURS / "site.yml"), "no host in the group environments")


def test_hosts_in_no_group_and_no_host_at_all(here):
    refused(here.run("atena-prod\n"), "Its hosts (atena-prod) are in no group.", "{environments: {hosts: {atena-prod: }}}")
    refused(here.run({"environments": {"hosts": {}}}), "It has no host at all. Name it with -i")


def test_a_limit_that_leaves_none_is_refused(here):
    inventory = {"environments": {"hosts": HOST}, "others": {"hosts": {"atena-dev": None}}}
    refused(here.run(inventory, "--limit", "atena-dev"), "--limit atena-dev chooses no host of the group environments, which has atena-prod.")


def test_a_group_that_is_there_is_left_to_the_playbook(here):
    done = here.run({"environments": {"children": {"prod": {"hosts": HOST}}}}, playbook=here.playbook([WORK]))
    assert done.returncode == 0 and "worked" in done.stdout, done.stdout + done.stderr


def test_plays_for_others_and_limits_of_playbooks_that_import_ours_are_none_of_its_business(here):
    inventory = {"environments": {"hosts": HOST}, "web": {"hosts": {"web-1": {"ansible_connection": "local"}}}}
    other = {"hosts": "nobody", "gather_facts": False, "tasks": []}
    place = here.playbook([other, WORK])
    (here.directory / "all.yml").write_text(json.dumps([other, {**WORK, "hosts": "web"}, {"import_playbook": place}]))
    done = here.run(inventory, playbook="all.yml")
    assert done.returncode == 0 and done.stdout.count("worked") == 2, done.stdout + done.stderr
    done = here.run(inventory, "--limit", "web-1", playbook="all.yml")
    assert done.returncode == 0 and done.stdout.count("worked") == 1, done.stdout + done.stderr


@NEEDS_AWX
def test_the_definitions_of_awx_refuse_it_too(here):
    done = here.run({"prod": {"hosts": HOST}}, playbook=str(CHECKOUT / "extensions/awx/configure.yml"))
    refused(done, "Its groups are prod.")


@NEEDS_AWX
def test_what_awx_is_told_and_does_not_take_is_refused(here):
    done = here.run({"environments": {"hosts": HOST}}, "-e", '{"awx": {"organisation": "Ops"}}', playbook=str(CHECKOUT / "extensions/awx/configure.yml"))
    text = re.sub(r"\s+", " ", done.stdout)
    assert done.returncode == 2 and "has no key organisation. Is organization meant?" in text and "Nothing was made." in text, text


def test_long_lists_are_cut():
    names = [f"g{number}" for number in range(9)]
    assert "Its groups are g0, g1, g2, g3, g4 and 4 more." in refusal({"all": names, **{name: [name] for name in names}}, [], "", True)
