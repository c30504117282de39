"""Inventory values in the files of CI stay values: what is refused, what is quoted, and what the written files do when they are read."""

import json

import pytest
import yaml
from ansible_collections.atena.aws.plugins.plugin_utils.ci_values import cron_problem, literals, problems, scalar
from plays import Plays

COMMIT = "0123456789abcdef0123456789abcdef01234567"


# --- Cron -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("line", ["17 */6 * * *", "0 0 1 1 0", "59 23 31 12 6", "0,30 8-18/2 * JAN-mar MON-FRI", "*/5 * * * *", "0 0 * * sun", "5/15 * * * *"])
def test_a_cron_line_of_githubs_is_one(line):
    assert cron_problem(line) == ""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("17 */6 * *", "five fields"),
        ("17 */6 * * * *", "five fields"),
        ("17  */6 * * *", "five fields"),
        ("", "five fields"),
        (None, "five fields"),
        (17, "five fields"),
        ("@daily", "five fields"),
        ("17 */6 * * *\n", "day of the week has '*\n'"),
        ("60 * * * *", "minute has '60', which is not 0 to 59"),
        ("0 24 * * *", "hour has '24', which is not 0 to 23"),
        ("0 0 0 * *", "day of the month has '0', which is not 1 to 31"),
        ("0 0 * 13 *", "month has '13', which is not 1 to 12 or JAN to DEC"),
        ("0 0 * * 7", "day of the week has '7', which is not 0 to 6 or SUN to SAT"),
        ("0 0 * * monday", "day of the week has 'monday'"),
        ("0 18-8 * * *", "hour has the range '18-8', which ends before it begins"),
        ("*/0 * * * *", "minute has '*/0', whose step"),
        ("*/x * * * *", "minute has '*/x', whose step"),
        ("*/ * * * *", "minute has '*/', whose step"),
        ("1, * * * *", "minute has ''"),
        ("-1 * * * *", "minute has ''"),
        ("٣ * * * *", "minute has '٣'"),
        ('0 0 * * *"\non:\n  push:', "five fields"),
        ('0 0 * * 0"#', "day of the week has '0\"#'"),
        ("${{secrets.X}} 0 * * *", "minute has '${{secrets.X}}'"),
    ],
)
def test_any_other_line_is_refused_with_the_field_that_is_wrong(line, says):
    assert says in cron_problem(line)


# --- What is refused --------------------------------------------------------------------------------------------------
FINE = {
    **{"inventory_hostname": "atena-prod", "atena_name": "atena-prod", "atena_region": "us-east-1", "atena_rollout_order": ["api", "workers"]},
    **{"atena_github.repository": "acme/app", "atena_github.branch": "main", "atena_github.deploy_environment": "", "atena_github.toggle_environment": "Power"},
    **{"ci_setup_title": "Production: São Paulo", "ci_setup_guard_cron": "17 */6 * * *", "ci_setup_runner": "ubuntu-24.04"},
    **{"ci_setup_terraform_version": "1.11.4", "ci_setup_secret_prefix": "STAGING_", "ci_setup_lock_wait_seconds": 1800},
    **{"ci_setup_packages": ["ansible-core~=2.19.0"], "ci_setup_actions": {"checkout": {"uses": "actions/checkout", "commit": COMMIT, "version": "v7.0.1"}}},
}
INJECTIONS = ("a\n      - run: id", "${{ secrets.X }}", "a\rb", "a\u2028b", "\x1b[2J")
PLACES = [name for name in FINE if name not in ("atena_rollout_order", "ci_setup_packages", "ci_setup_actions")]


def test_what_is_right_is_not_refused():
    assert problems(FINE) == []
    assert problems({**FINE, "ci_setup_runner": "[self-hosted, linux]", "atena_github.branch": "release/2.x", "ci_setup_secret_prefix": ""}) == []
    assert problems({**FINE, "ci_setup_runner": ["self-hosted", "linux"], "atena_github.deploy_environment": "Produção (leste)"}) == []


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("place", PLACES)
def test_no_value_can_be_a_second_line_or_an_expression(place, value):
    (said,) = problems({**FINE, place: value})
    assert said.startswith(f"{place} is ") and "\n" not in said and "\x1b" not in said


@pytest.mark.parametrize("value", INJECTIONS)
def test_nor_can_one_in_a_list(value):
    action = {"uses": "actions/checkout", "commit": COMMIT, "version": value}
    told = problems({**FINE, "ci_setup_packages": [value], "ci_setup_actions": {"checkout": action}, "atena_rollout_order": ["api", value]})
    assert [said.split(" is ")[0] for said in told] == ["atena_rollout_order[1]", "ci_setup_packages[0]", "ci_setup_actions.checkout.version"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("atena_name", "a; rm -rf /"),
        ("atena_name", "$(id)"),
        ("atena_name", "../../x"),
        ("atena_name", "-x"),
        ("inventory_hostname", "a b"),
        ("inventory_hostname", "a:"),
        ("atena_region", "us-east-1 # x"),
        ("atena_github.branch", "*"),
        ("atena_github.branch", "!main"),
        ("atena_github.branch", "main, x"),
        ("atena_github.branch", "ma]in"),
        ("atena_github.branch", "a..b"),
        ("atena_github.branch", ""),
        ("atena_github.repository", "acme"),
        ("atena_github.repository", "acme/app/../x"),
        ("ci_setup_secret_prefix", "X }} ${"),
        ("ci_setup_secret_prefix", "GITHUB_"),
        ("ci_setup_secret_prefix", "1X"),
        ("ci_setup_runner", "${x}"),
        ("ci_setup_runner", ["a", "b: c"]),
        ("ci_setup_lock_wait_seconds", "1; id"),
        ("ci_setup_terraform_version", "1.11.4\nx"),
        ("ci_setup_actions", {"checkout": {"uses": "actions/checkout", "commit": "main", "version": "v1"}}),
    ],
)
def test_what_has_a_grammar_must_follow_it(place, value):
    assert len(problems({**FINE, place: value})) == 1


# --- What is quoted ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["Deploy to it", "yes", "1.10", "a: b", "a #b", "'a'", '"a"', "[a]", "{a}", "&a", "*a", "!a", "- a", "é\\n", "", "null"])
def test_a_scalar_is_read_as_the_text_it_was(text):
    assert yaml.safe_load(f"name: {scalar(text)}\n") == {"name": text}


def test_what_needs_no_quotes_has_none():
    assert scalar("Deploy to Production") == "Deploy to Production"


def test_only_what_ansible_would_evaluate_is_tagged_and_nothing_else_changes():
    document = yaml.safe_dump(
        {"a": "plain", "b": ["{{ x }}", {"c": "{% y %}"}], "d": 1, "e": "{# z #}", "f": "#jinja2: x", "{{ k }}": "{ v }"}, sort_keys=False
    )
    document += "g: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"
    text = literals(document)
    assert text.count("!unsafe") == 4 and "!vault" in text and "$ANSIBLE_VAULT;1.1;AES256\n  6162" in text
    assert yaml.safe_load(text.replace("!unsafe ", "").replace("!vault ", "")) == yaml.safe_load(document.replace("!vault ", ""))


# --- For real ---------------------------------------------------------------------------------------------------------
INVENTORY = """
environments:
  hosts:
    atena-prod:
      ansible_connection: local
      ansible_python_interpreter: "{{ ansible_playbook_python }}"
      atena_project: atena
      atena_stage: prod
      atena_tags:
        Live: "{{ 'ren' ~ 'dered' }}"
        Literal: !unsafe "{{ lookup('ansible.builtin.pipe', 'touch CALLED; echo called') }}"
        Block: !unsafe "{% set x = 1 %}"
        Comment: !unsafe "{# not gone #}"
        Override: !unsafe "#jinja2:variable_start_string:'[[',variable_end_string:']]'\\n[[ lookup('ansible.builtin.pipe', 'touch CALLED') ]]"
        List: !unsafe ["{{ 1 + 1 }}"]
        Quoted: "it's: \\"so\\" # x"
      atena_app_path: "{{ inventory_dir }}/app"
"""
TAGS = {
    "Live": "rendered",
    "Literal": "{{ lookup('ansible.builtin.pipe', 'touch CALLED; echo called') }}",
    "Block": "{% set x = 1 %}",
    "Comment": "{# not gone #}",
    "Override": "#jinja2:variable_start_string:'[[',variable_end_string:']]'\n[[ lookup('ansible.builtin.pipe', 'touch CALLED') ]]",
    "List": ["{{ 1 + 1 }}"],
    "Quoted": 'it\'s: "so" # x',
}


class Project(Plays):
    """The role's checks and its files, as ci_setup.yml has them, without what it asks AWS and Terraform for."""

    def setup(self, given):
        (self.directory / "app" / ".git").mkdir(parents=True)
        steps = [{"ansible.builtin.include_role": {"name": "atena.aws.ci_setup", "tasks_from": part}} for part in ("values", "files")]
        given = {"atena_github": {"repository": "acme/app"}, "atena_account_id": "210000000042", **given}
        return self.play(steps, "-e", json.dumps(given))

    def workflow(self, name):
        return yaml.safe_load((self.directory / f"app/.github/workflows/atena-prod-{name}.yml").read_text())


@pytest.fixture
def project(tmp_path, ansible):
    return Project(tmp_path, INVENTORY, ansible)


def test_what_an_inventory_calls_unsafe_is_no_template_in_the_one_that_is_written(project):
    done = project.setup({})
    assert done.returncode == 0, done.stdout + done.stderr
    read = [{"ansible.builtin.copy": {"content": "{{ atena_tags | to_json }}", "dest": str(project.directory / "read.json")}}]
    done = project.play(read, inventory="app/.github/atena/atena-prod.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((project.directory / "read.json").read_text()) == TAGS
    assert not list(project.directory.rglob("CALLED"))


def test_free_text_is_the_same_text_in_the_workflows(project):
    title, place = "Prod: #1 'east' [x]", "yes"
    done = project.setup(
        {"ci_setup_title": title, "atena_github": {"repository": "acme/app", "deploy_environment": place}, "ci_setup_terraform_version": "1.10"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    deploy, plan = project.workflow("deploy"), project.workflow("plan")
    assert (deploy["name"], plan["name"]) == (f"Deploy to {title}", f"Plan {title}")
    assert deploy["jobs"]["deploy"]["environment"] == place
    versions = [step["with"]["terraform_version"] for step in plan["jobs"]["plan"]["steps"] if "terraform_version" in step.get("with", {})]
    assert versions == ["1.10"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ci_setup_guard_cron": "17 24 * * *"}, "ci_setup_guard_cron is"),
        ({"ci_setup_title": "x\non: push"}, "ci_setup_title is"),
        ({"atena_github": {"repository": "acme/app", "branch": "main]\npermissions: write-all"}}, "atena_github.branch is"),
    ],
)
def test_a_refusal_comes_before_anything_is_written(project, given, says):
    done = project.setup(given)
    assert done.returncode == 2
    assert says in done.stdout and "Nothing was written." in done.stdout, done.stdout
    assert not (project.directory / "app/.github").exists()
