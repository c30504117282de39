"""What is set and taken by nothing is refused before anything is done, and what an inventory leaves out is as in the defaults."""

import json
import re
from pathlib import Path

import jinja2.meta
import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.release import __version__ as ansible_version
from ansible_collections.atena.aws.plugins.module_utils.cost import items as cost_items
from ansible_collections.atena.aws.plugins.module_utils.power import arguments as power_arguments
from ansible_collections.atena.aws.plugins.module_utils.recovery import arguments as recovery_arguments
from ansible_collections.atena.aws.plugins.module_utils.schedule import working_hours
from ansible_collections.atena.aws.plugins.plugin_utils import inputs
from plays import Plays, said

CHECKOUT = Path(__file__).resolve().parents[2]
ROLES = CHECKOUT / "roles"
SECRET = "hush-4711"
LINE = "Verify that every variable is known"


def inventory(**variables):
    own = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}", "atena_stage": "prod"}
    return yaml.safe_dump({"environments": {"hosts": {"atena-prod": {**own, **variables}}}}, sort_keys=False)


NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}


class Runs(Plays):
    """The role `environment`, as every playbook has it; what it asks AWS fails, after what is looked at here."""

    def look(self, *arguments, **variables):
        (self.directory / "inventory.yml").write_text(inventory(**variables))
        play = {"hosts": "environments", "gather_facts": False, "roles": ["atena.aws.environment"]}
        (self.directory / "play.yml").write_text(json.dumps([play]))
        shut = {"HOME": str(self.directory / "home"), "AWS_EC2_METADATA_DISABLED": "true", **NOWHERE}
        done = self.ansible.run(["-i", "inventory.yml", "play.yml", *arguments], self.directory, shut)
        return Look(done, self.directory)


class Look:
    def __init__(self, done, directory):
        self.whole = said(done.stdout + done.stderr, directory)
        self.text = re.sub(r"\(inventory\.yml:\d+\) ?|, inventory\.yml:\d+", "", self.whole).replace(" . ", ". ")
        self.code = done.returncode
        self.passed = "TASK [atena.aws.environment : " in done.stdout

    def refuses(self, *words):
        assert self.code == 2 and not self.passed, self.text
        assert [word for word in (*words, "Nothing was done.") if word not in self.text] == [], self.text
        assert SECRET not in self.text
        return self

    def passes(self):
        assert self.passed and LINE in self.text and "has no key" not in self.text and "There is no variable" not in self.text, self.text
        return self


@pytest.fixture
def runs(tmp_path, ansible):
    return Runs(tmp_path, inventory(), ansible)


API = {"cpu": 256, "port": 3000, "dockerfile": "Dockerfile"}


# --- As it is played ----------------------------------------------------------------------------------------------------------------------------------
WRONG = {
    "atena_services": {"api": {**API, "healthcheck_path": "/up", "health_check": {"comand": ["CMD", "x"]}}, "workers": {"cp": 256}, "web": "{{ mine }}"},
    "mine": {**API, "secret": ["A"]},
    "atena_database": "{{ {'storage': 50} }}",
    "atena_domain": {"zone": "Z1", "name": "a.example.com"},
    "atena_redis": {"type": "cache.t4g.small"},
    "atena_github": {"repository": "acme/app", "deploy-environment": "x"},
    "atena_schedule": {"timezone": "UTC", "hours": [{"day": "mon", "start": "08:00"}]},
    "atena_power_timeouts": {"databases": 3},
    "atena_recovery_timeouts": {"task": 3},
    "atena_cost_usage": {"nat": 3},
    "atena_database_stop_schedule": {"every": 3},
    "atena_costs": {"runing": 3},
    "cost_schedule": {"hour": []},
    "ci_setup_actions": {"checkout": {"sha": "x"}},
    "atena_log_retension_days": 7,
    "atean_region": "x",
    "deploy_untill": "images",
}
TOLD = [
    *("atena_services.api has no key healthcheck_path. Is health_check_path meant?", "atena_services.api.health_check has no key comand. Is command meant?"),
    *("atena_services.workers has no key cp. Is cpu meant?", "atena_services.web has no key secret. Is secrets meant?"),
    *("atena_database has no key storage. Is allocated_storage meant?", "atena_domain has no key zone. Is zone_id meant?"),
    *("atena_redis has no key type. Is node_type meant?", "atena_github has no key deploy-environment. Is deploy_environment meant?"),
    *("atena_schedule.hours[0] has no key day. Is days meant? There are: days, start, stop.", "atena_power_timeouts has no key databases. Is database meant?"),
    *("atena_recovery_timeouts has no key task. Is tasks meant?", "atena_cost_usage has no key nat. Is nat_gb meant?"),
    *("atena_database_stop_schedule has no key every. Is every_minutes meant?", "atena_costs has no key runing. Is running meant?"),
    *("cost_schedule has no key hour. Is hours meant?", "ci_setup_actions.checkout has no key sha. There are: commit, uses, version."),
    *("There is no variable atena_log_retension_days. Is atena_log_retention_days meant?", "There is no variable atean_region. Is atena_region meant?"),
    "There is no variable deploy_untill. Is deploy_until meant?",
]


@pytest.mark.parametrize("more", [[], ["--check"]])
def test_what_an_inventory_says_and_nothing_takes_is_refused_with_what_is_meant(runs, more):
    runs.look(*more, **WRONG).refuses(*TOLD, "goes into the list atena_allowed_variables")


@pytest.mark.skipif(tuple(map(int, ansible_version.split(".")[:2])) < (2, 19), reason="before, Ansible tells no place of some")
def test_it_is_told_where_it_stands(runs):
    found = runs.look(atena_log_retension_days=7, atena_domain={"nmae": "x"})
    assert "atena_log_retension_days (inventory.yml:7)" in found.whole and "atena_domain (inventory.yml:9) has no key nmae" in found.whole


def test_what_is_given_for_a_run_is_looked_at_in_the_same_way(runs):
    (runs.directory / "extravars").write_text("awx_job_id: 7\ntower_user_name: ana\nawx_releese: 1\ndeploy_relaese: 0123\n")
    given = [
        "-e",
        "relase=3f2a91c",
        "-e",
        "stop_alow_destroy=x",
        "-e",
        '{"atena_domain": {"nmae": "a.example.com"}}',
        "-e",
        "atena_migration_command=node x.js",
    ]
    found = runs.look(*given, "-e", "@extravars").refuses(
        *("There is no variable relase (given for this run with -e, or by AWX). Is release meant?", "Is stop_allow_destroy meant?", "Is deploy_release meant?"),
        *("has no key nmae. Is name meant?", "was cut off at a blank, and its end belongs to no variable"),
    )
    assert "releese" not in found.text and "x.js" not in found.text


def test_what_others_take_passes_in_silence(runs):
    given = {"atena_result": {"outcome": "failed"}, "awx_release": 1, "tower_scale": 1, "stop_allow_destroy": [], "release": "", "my_scale": 1, "state": "x"}
    found = runs.look("-e", json.dumps({"awx_job_id": 1, "rollback_over_migration": True}), **given).passes()
    assert "takes no variable" not in found.text


def test_another_name_that_begins_like_ours_is_warned_of(runs):
    found = runs.look(atena_team="web").passes()
    assert "atena.aws takes no variable atena_team" in found.text and "name it in the list atena_allowed_variables" in found.text


def test_names_that_are_allowed_pass_in_silence(runs):
    own = {"atena_team": "web", "atena_app_color": "red", "atena_regions": ["us-east-1"], "deploy_untill": 1}
    found = runs.look(**own, atena_allowed_variables=["atena_team", "atena_app_*", "atena_regions", "deploy_untill"]).passes()
    assert "atena_team" not in found.text and "atena_app_color" not in found.text


def test_a_value_is_never_told(runs):
    wrong = {"api": {**API, "secrts": [SECRET], "environment": {"TOKEN": SECRET}}}
    runs.look(atena_services=wrong, atena_log_retension_days=SECRET, atena_team=SECRET, atena_secrets={"ADMIN_TOKN": SECRET}).refuses("has no key secrts")


def test_vaulted_values_are_not_needed_and_not_told(runs):
    vaulted = VaultLib([("default", VaultSecret(b"password"))]).encrypt(SECRET).decode()
    (runs.directory / "group_vars").mkdir()
    text = "\n".join(f"    {line}" for line in vaulted.splitlines())
    (runs.directory / "group_vars" / "environments.yml").write_text(f"atena_team: !vault |\n{text}\natena_log_retension_days: !vault |\n{text}\n")
    runs.look().refuses("Is atena_log_retention_days meant?")


@pytest.mark.parametrize("name", ["prod", "lab"])
def test_the_collections_own_inventories_pass(runs, name):
    variables = yaml.safe_load((CHECKOUT / "inventories" / name / "group_vars" / "environments.yml").read_text())
    variables.update({"ansible_python_interpreter": "{{ ansible_playbook_python }}", "lab_dir": str(runs.directory)})
    assert "takes no variable" not in runs.look(**variables).passes().text


@pytest.mark.parametrize("by", ["inventory", "-e"])
def test_attributes_that_are_left_out_are_as_in_the_defaults(tmp_path, ansible, by):
    given = {
        "atena_database": {"instance_class": "db.t4g.small"},
        "atena_redis": {"port": 6380},
        "atena_database_stop_schedule": {"enabled": True},
        "atena_price_files": [],
    }
    plays = Plays(tmp_path, inventory(**(given if by == "inventory" else {})), ansible)
    tasks = [
        {"ansible.builtin.copy": {"dest": str(tmp_path / "seen"), "content": "{{ [atena_terraform_variables, atena_power_database_snapshots_kept, "
         "database_password_owner, atena_cost_basis.described] | to_json }}"}}
    ]  # fmt: skip
    roles = [{"role": f"atena.aws.{name}", "when": False} for name in ("environment", "infra", "database_password")]
    done = plays.play(tasks, *(["-e", json.dumps(given)] if by == "-e" else []), roles=roles)
    assert done.returncode == 0, done.stdout + done.stderr
    variables, kept, owner, sizes = json.loads((tmp_path / "seen").read_text())
    written = inputs.defaults()
    assert variables["database"] == {**written["atena_database"], "instance_class": "db.t4g.small"}
    assert variables["redis"] == {**written["atena_redis"], "port": 6380}
    assert variables["database_stop_schedule"] == {"enabled": True, "every_minutes": 60}
    assert (int(kept), owner) == (7, "atena_owner") and "db.t4g.small" in json.dumps(sizes)


def test_naming_one_service_takes_the_place_of_all(tmp_path, ansible):
    plays = Plays(tmp_path, inventory(atena_services={"web": {"cpu": 512}}), ansible)
    task = {"ansible.builtin.copy": {"dest": str(tmp_path / "seen"), "content": "{{ atena_terraform_variables.services | to_json }}"}}
    done = plays.play([task], roles=[{"role": f"atena.aws.{name}", "when": False} for name in ("environment", "infra")])
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "seen").read_text()) == {"web": {"cpu": 512}}


SCALE = [{"ansible.builtin.include_role": {"name": "atena.aws.scale"}}]


def test_a_count_for_a_service_that_is_misspelt_is_refused(tmp_path, ansible):
    plays = Plays(tmp_path, inventory(), ansible)
    done = plays.play(SCALE, "-e", "api=2", "-e", "worker=2")
    text = said(done.stdout)
    assert done.returncode == 2 and "There is no variable worker (given for this run with -e, or by AWX). Is workers meant?" in text, text
    assert "Nothing was changed." in text and "TASK [atena.aws.scale : Scale the services]" not in text


# --- What is known ------------------------------------------------------------------------------------------------------------------------------------
def specifications():
    for path in ROLES.glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            yield from (entry.get("options") or {}).items()


def test_all_that_the_roles_take_is_known():
    known = inputs.known_names()
    assert sorted({name for name, _ in specifications()} - known) == []
    variables = {name for path in ROLES.glob("*/vars/main.yml") for name in yaml.safe_load(path.read_text())}
    assert sorted(name for name in variables - known if not name.startswith("__")) == []
    # And what is read by the lines' indentation is nothing else.
    others = known - {name for name, _ in specifications()} - variables - set(inputs.defaults()) - inputs.FACTS - inputs.RESULTS - inputs.SHORT
    assert sorted(others) == []


def test_facts_and_short_names_are_those_of_the_roles():
    tasks = [task for path in ROLES.glob("*/tasks/*.yml") for task in yaml.safe_load(path.read_text())]
    facts = {name for task in tasks for name in task.get("ansible.builtin.set_fact", {})}
    assert {name for name in facts if name.startswith("atena_")} == inputs.FACTS
    asked = set()
    for name, value in inputs.defaults().items():
        if not name.startswith("atena_") and isinstance(value, str):
            tree = jinja2.Environment(extensions=["jinja2.ext.do"]).parse(re.sub(r"\batena\.aws\.\w+", "string", value).replace("realpath", "string"))
            asked |= jinja2.meta.find_undeclared_variables(tree) - inputs.known_names() - {"lookup", "role_path"}
    magic = {"inventory_hostname", "playbook_dir", "playbook", "groups", "ansible_inventory_sources"}
    assert {name for name in asked if not name.startswith("__")} - magic == set()
    heads = " ".join(path.read_text() for path in (CHECKOUT / "playbooks").glob("*.yml"))
    short = {name for name in re.findall(r"-e ['{\"]*(\w+)", heads) if name not in {known for known, _ in specifications()}}
    assert short == inputs.SHORT


def test_no_result_of_a_role_passes_for_a_typing_error():
    tasks = "\n".join(path.read_text() for path in ROLES.glob("*/tasks/*.yml"))
    results = set(re.findall(r"register: ([a-z]\w*)", tasks)) | set(re.findall(r"^ +(\w+): ", tasks, re.MULTILINE))
    wrong, _ = inputs.strange({name for name in results if "_" in name and not name.startswith("atena_")}, set())
    assert wrong == []


def test_every_dictionary_is_either_known_or_free():
    dictionaries = {name for name, option in specifications() if option.get("type") == "dict" and "options" not in option}
    assert sorted(dictionaries - set(inputs.shapes()) - inputs.FREE) == []
    assert sorted((set(inputs.shapes()) | inputs.FREE) - dictionaries - {"bootstrap_gates"}) == [], "no such dictionary"


def terraform_keys(variable):
    text = (CHECKOUT / "infra" / "variables.tf").read_text()
    block = re.search(rf'^variable "{variable}" {{.*?^}}', text, re.MULTILINE | re.DOTALL)[0]
    body = block[: block.find("validation")] if "validation" in block else block
    return re.findall(r"^    (\w+) +=", body, re.MULTILINE)


@pytest.mark.parametrize(
    ("variable", "more"),
    [
        ("atena_services", {"desired_count", "dockerfile", "target", "stable_seconds"}),
        ("atena_database", set()),
        ("atena_database_stop_schedule", set()),
        ("atena_redis", set()),
        ("atena_domain", set()),
        ("atena_github", set()),
    ],
)
def test_known_keys_are_those_of_terraform_and_of_the_releases(variable, more):
    shape = inputs.shapes()[variable]
    keys = set(shape.shape if isinstance(shape, inputs.Each) else shape)
    assert keys == {*terraform_keys(variable.removeprefix("atena_")), *more}
    assert more == keys - set(yaml.safe_load((ROLES / "infra/vars/main.yml").read_text())["__infra_service_keys"]) or not more


def test_known_keys_are_those_that_the_specification_tells():
    told = dict(specifications())
    for name, shape in inputs.shapes().items():
        keys = shape.shape if isinstance(shape, inputs.Each) else shape
        words = re.findall(r"C\((\w+)\)", json.dumps(told[name].get("description")))
        if name.startswith("atena_") and name != "atena_recovery_timeouts":
            assert set(keys) - set(words) == set(), f"{name} does not list a key"


def test_other_lists_of_the_same_keys():
    assert set(inputs.SHAPES["atena_schedule"]) == set(working_hours._KEYS)
    assert inputs.defaults()["atena_cost_usage"] == cost_items.USAGE
    for name, options in (("atena_power_timeouts", power_arguments.ARGUMENTS), ("atena_recovery_timeouts", recovery_arguments.COMMON)):
        assert {key: option["default"] for key, option in options["timeouts"]["options"].items()} == inputs.defaults()[name]
    assert set(power_arguments.ARGUMENTS["costs"]["options"]) == set(inputs.SHAPES["atena_costs"])


# --- Near names -----------------------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("one", "other", "far"),
    [("release", "release", 0), ("relase", "release", 1), ("relaese", "release", 1), ("", "ab", 2), ("scale", "state", 2), ("a", "b", 1)],
)
def test_the_distance_of_two_names(one, other, far):
    assert inputs.distance(one, other) == inputs.distance(other, one) == far


@pytest.mark.parametrize(
    ("name", "known"),
    [("relase", "release"), ("releasse_", "release"), ("releasesss", ""), ("scael", "scale"), ("state", ""), ("atena_regoin", "atena_region")],
)
def test_a_typing_error_is_two_letters_and_one_in_a_short_name(name, known):
    assert inputs.meant(name, {"release", "scale", "atena_region"}) == known


def test_without_a_near_key_none_is_named():
    assert inputs.nearest("colour", {"cpu", "memory"}) == ""
