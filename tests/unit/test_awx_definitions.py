"""extensions/awx as data: it names every playbook, asks for nothing that a role does not know, and what surveys answer is text that the roles take."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

CHECKOUT = Path(__file__).resolve().parents[2]
AWX = CHECKOUT / "extensions" / "awx"
TEMPLATES = yaml.safe_load((AWX / "job_templates.yml").read_text())["awx_job_templates"]
WORKFLOWS = yaml.safe_load((AWX / "workflows.yml").read_text())["awx_workflows"]
PLAYBOOKS = sorted(path.name for path in (CHECKOUT / "playbooks").glob("*.yml"))
# Variables of the playbooks' command line that roles take under a name of their own.
SHORT = {"scale": ("scale", "scale_counts"), "ci_repository_path": ("ci_setup", "ci_setup_repository_path")}
KEYS = {"verb", "playbook", "says", "decides", "writes", "secrets", "for_all", "survey"}
QUESTION = {"variable", "asks", "help", "type", "default", "required", "choices", "min", "max"}
TO_ADD = """playbooks/{playbook} has no entry in extensions/awx/job_templates.yml. Add one, and a case for it in tests/lab/runner_cases.py:

  - verb: {verb}
    playbook: {playbook}
    says: What it does, in one sentence.
    decides: what a person must decide; "" for nothing
    writes: true or false
    survey:
      - variable: {verb}_<input of its role>
        asks: The question?
        type: text
        required: true
"""


@functools.cache
def parsed(file: Path):
    return yaml.safe_load(file.read_text())


def of(verb):
    return next(template for template in TEMPLATES if template["verb"] == verb)


def questions():
    pairs = [(template, question) for template in TEMPLATES for question in template.get("survey", [])]
    return [pytest.param(template, question, id=f"{template['verb']}-{question['variable']}") for template, question in pairs]


def roles(playbook: str) -> set[tuple[str, str]]:
    """(role, entry point) that a playbook runs, as far as the playbook itself says."""
    found = set()

    def look(node):
        if isinstance(node, list):
            for entry in node:
                look(entry)
        elif isinstance(node, dict):
            for key, value in node.items():
                if key == "ansible.builtin.import_playbook":
                    found.update(roles(value))
                elif key == "role":
                    found.add((value.removeprefix("atena.aws."), "main"))
                elif key in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
                    found.add((value["name"].removeprefix("atena.aws."), value.get("tasks_from", "main")))
                else:
                    look(value)

    look(parsed(CHECKOUT / "playbooks" / playbook))
    return found


def inputs(playbook: str) -> dict[str, tuple[str, dict]]:
    """{variable: (role, option)} of everything that the roles of a playbook take."""
    known = {}
    for role, entry in sorted(roles(playbook)):
        specs = parsed(CHECKOUT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
        known |= {name: (role, option) for name, option in specs.get(entry, {}).get("options", {}).items()}
    return known


def answers(question: dict) -> list[str]:
    """What a survey may send: as text, whatever the question's type is."""
    if question["type"] == "multiplechoice":
        return question["choices"]
    if question["type"] == "integer":
        return [str(question[key]) for key in ("default", "min", "max")]
    return ["a" * question.get("min", 1), *([] if question.get("required") else [""])]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_has_a_job_template(playbook):
    entries = [template for template in TEMPLATES if template["playbook"] == playbook]
    assert len(entries) == 1, TO_ADD.format(playbook=playbook, verb=playbook.removesuffix(".yml"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template["verb"])
def test_a_job_template_says_what_it_must(template):
    assert template["playbook"] in PLAYBOOKS, f"there is no playbooks/{template['playbook']}"
    assert not set(template) - KEYS
    assert {"verb", "playbook", "says", "decides", "writes"} <= set(template)
    assert [entry["verb"] for entry in TEMPLATES].count(template["verb"]) == 1
    for question in template.get("survey", []):
        assert not set(question) - QUESTION
        assert question["type"] in ("text", "textarea", "integer", "multiplechoice"), "AWX has no questions for booleans; offer the choices false and true"
    if any(question.get("required") for question in template.get("survey", [])):
        assert template["decides"], "what is required is what a person must decide"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template["verb"])
def test_the_documentation_lists_it(template):
    rows = [line for line in (CHECKOUT / "docs" / "awx.md").read_text().splitlines() if line.startswith(f"| *{template['verb']}* |")]
    assert len(rows) == 1, f"add a row for *{template['verb']}* to the table in docs/awx.md"


@pytest.mark.parametrize(("template", "question"), questions())
def test_a_question_is_about_an_input_of_a_role_and_its_answers_are_taken_as_text(template, question):
    known = inputs(template["playbook"])
    role, variable = SHORT.get(question["variable"], (None, question["variable"]))
    assert variable in known, (
        f"no role of {template['playbook']} takes {variable}; it takes {', '.join(sorted(name for name in known if 'atena_' not in name))}"
    )
    role, option = known[variable]
    for answer in answers(question):
        validated = ArgumentSpecValidator({variable: option}).validate({variable: answer})
        assert not validated.error_messages, f"roles/{role}/meta/argument_specs.yml refuses {answer!r}: {validated.error_messages}"


@pytest.mark.parametrize(("template", "question"), questions())
def test_no_answer_means_the_roles_default(template, question):
    if question.get("required") or question["type"] not in ("multiplechoice", "integer"):
        return
    role, variable = SHORT.get(question["variable"], (None, question["variable"]))
    role, option = inputs(template["playbook"])[variable]
    default = yaml.safe_load((CHECKOUT / "roles" / role / "defaults" / "main.yml").read_text())[variable]
    shared = re.fullmatch(r"\{\{ (atena_\w+) \}\}", str(default))
    if shared:
        default = yaml.safe_load((CHECKOUT / "roles/environment/defaults/main.yml").read_text())[shared[1]]
    assert str(question["default"]).lower() == str(default).lower()


def of_type(kind: str) -> list[str]:
    return sorted(
        {
            name
            for path in (CHECKOUT / "roles").glob("*/meta/argument_specs.yml")
            for entry in yaml.safe_load(path.read_text())["argument_specs"].values()
            for name, option in entry.get("options", {}).items()
            if option["type"] == kind
        }
    )


@pytest.mark.parametrize("name", of_type("bool"))
def test_a_boolean_given_as_text_is_not_taken_for_true(name):
    """A module's argument is coerced, an expression is not: in it the text 'false' is true."""
    for path in (CHECKOUT / "roles").glob("*/tasks/*.yml"):
        for line in path.read_text().splitlines():
            alone = re.search(rf'"\{{\{{ {name} \}}\}}"', line)
            for use in [] if alone else re.finditer(rf"\b{name}\b(?!\s*[:=])", line):
                assert re.match(r"\s*\|\s*bool\b", line[use.end() :]), f"{path.relative_to(CHECKOUT)}: {line.strip()}"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow["name"])
def test_a_workflow_runs_what_there_is_and_leads_somewhere(workflow):
    assert workflow["name"] not in [template["verb"] for template in TEMPLATES], "a schedule would not know which of the two it starts"
    nodes = {node["id"]: node for node in workflow["nodes"]}
    assert len(nodes) == len(workflow["nodes"])
    followed = {following for node in nodes.values() for kind in ("success", "failure") for following in node.get(kind, [])}
    assert followed <= set(nodes)
    assert set(nodes) - followed == {workflow["nodes"][0]["id"]}, "one beginning"
    for node in nodes.values():
        assert ("runs" in node) != ("approval" in node)
        for variable, value in node.get("answers", {}).items():
            assert value in next(question for question in of(node["runs"])["survey"] if question["variable"] == variable)["choices"]


def test_a_workflows_answers_reach_the_job_templates_that_they_are_for():
    """AWX hands them to every job of the workflow, so a name that two playbooks understand differently must not be one of them."""
    for workflow in WORKFLOWS:
        asked = {question["variable"]: question for question in workflow.get("survey", [])}
        assert not set(asked) & {"release", "scale"}
        taken = {question["variable"] for node in workflow["nodes"] if "runs" in node for question in of(node["runs"]).get("survey", [])}
        assert set(asked) <= taken
