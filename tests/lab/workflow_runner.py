"""Runs a rendered GitHub workflow on this machine: its jobs' steps in order, the `run:` ones with bash as GitHub does.

It knows the few expressions that our workflows use and refuses any other. What `uses:` names is stood in for by what it does:

- actions/checkout: a clone of the bare repository at the event's commit;
- aws-actions/configure-aws-credentials: the role must exist and its trust policy accept the token that GitHub would sign for this event; the
  credentials themselves stay the lab's, where nothing is checked against them;
- hashicorp/setup-terraform: Terraform must be there;
- and the step `install`, which cannot reach Galaxy here: the checkout under test and its virtual environment are put where it would put them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
ISSUER = "token.actions.githubusercontent.com"
EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")


@dataclass
class Event:
    """What a workflow is started by. `environment` of the job becomes part of the token's subject, as at GitHub."""

    name: str
    repository: str
    sha: str
    ref: str = "refs/heads/main"
    inputs: dict = field(default_factory=dict)
    head_repository: str = ""

    def context(self) -> dict:
        pull = {"pull_request": {"head": {"repo": {"full_name": self.head_repository}}}}
        return {
            "github": {"repository": self.repository, "ref": self.ref, "sha": self.sha, "run_id": "42", "actor": "ana", "event": pull},
            "inputs": self.inputs,
        }

    def subject(self, environment: str) -> str:
        rest = f"environment:{environment}" if environment else "pull_request" if self.name == "pull_request" else f"ref:{self.ref}"
        return f"repo:{self.repository}:{rest}"


@dataclass
class Finished:
    code: int
    output: str
    summary: str
    steps: list[str]


def load(path: Path) -> dict:
    """YAML's `on` is a boolean to YAML 1.1."""
    document = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in document.items()}


def value_of(word: str, context: dict):
    if word.startswith("'") and word.endswith("'"):
        return word[1:-1]
    found = context
    for part in word.split("."):
        assert re.fullmatch(r"[A-Za-z_][\w-]*", part), f"the runner does not know the expression {word!r}"
        # What is not there is empty to GitHub, but only below the contexts that it has.
        assert found is not context or part in context, f"there is no context {part!r}"
        found = found.get(part, "") if isinstance(found, dict) else ""
    return found


def fill(text, context: dict) -> str:
    return EXPRESSION.sub(lambda match: str(value_of(match[1], context)), str(text))


def holds(condition: str, context: dict) -> bool:
    """Comparisons joined by &&."""
    for part in condition.split("&&"):
        left, operator, right = re.fullmatch(r"\s*(\S+)\s*(==|!=)\s*(\S+)\s*", part).groups()
        if (value_of(left, context) == value_of(right, context)) != (operator == "=="):
            return False
    return True


class Runner:
    def __init__(self, lab, origin: Path, scratch: Path, secrets: dict, environment: dict):
        self.lab, self.origin, self.scratch, self.secrets, self.environment = lab, origin, scratch, secrets, environment
        self.runs = 0

    def run(self, file: str, event: Event) -> Finished:
        """The workflow's only job."""
        source = subprocess.run(["git", "-C", str(self.origin), "show", f"{event.sha}:{file}"], capture_output=True, text=True, check=True).stdout
        self.runs += 1
        here = self.scratch / f"run-{self.runs}"
        (here / "temp").mkdir(parents=True)
        (here / "workflow.yml").write_text(source)
        workflow = load(here / "workflow.yml")
        assert event.name in workflow["on"], f"{file} is not started by {event.name}"
        ((_name, job),) = workflow["jobs"].items()
        context = {**event.context(), "secrets": self.secrets}
        if "if" in job and not holds(job["if"], context):
            return Finished(0, "", "", [])
        assert workflow["permissions"] == {} and job["permissions"] == {"contents": "read", "id-token": "write"}
        return Job(self, job, event, context, here).run()


class Job:
    def __init__(self, runner: Runner, job: dict, event: Event, context: dict, here: Path):
        self.runner, self.job, self.event, self.context, self.here = runner, job, event, context, here
        self.workspace = here / "workspace"
        self.files = {name: here / name.lower() for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        for path in self.files.values():
            path.touch()

    def run(self) -> Finished:
        code, output, ran = 0, "", []
        for step in self.job["steps"]:
            condition = step.get("if", "")
            assert condition in ("", "always()"), f"the runner does not know the condition {condition!r}"
            if code and condition != "always()":
                continue
            ran.append(step["name"])
            if step.get("id") == "install":
                self.install(step)
            elif "uses" in step:
                self.use(step["uses"], {name: fill(value, self.context) for name, value in step.get("with", {}).items()})
            else:
                failed, said = self.bash(step)
                code, output = code or failed, output + said
        return Finished(code, output, self.files["GITHUB_STEP_SUMMARY"].read_text(), ran)

    # --- Stand-ins ----------------------------------------------------------------------------------------------------
    def use(self, action: str, given: dict) -> None:
        name, _, commit = action.partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", commit), f"{action} is not pinned to a commit"
        {
            "actions/checkout": self.checkout,
            "aws-actions/configure-aws-credentials": self.become,
            "hashicorp/setup-terraform": lambda _given: shutil.which("terraform") or sys.exit("no terraform"),
        }[name](given)

    def checkout(self, given: dict) -> None:
        assert given["persist-credentials"] == "False"
        subprocess.run(["git", "clone", "--quiet", str(self.runner.origin), str(self.workspace)], check=True, capture_output=True)
        subprocess.run(["git", "-C", str(self.workspace), "checkout", "--quiet", self.event.sha], check=True, capture_output=True)

    def become(self, given: dict) -> None:
        iam, name = self.runner.lab.client("iam"), given["role-to-assume"].rpartition("/")[2]
        role = iam.get_role(RoleName=name)["Role"]
        assert role["Arn"] == given["role-to-assume"] and given["allowed-account-ids"] == self.runner.lab.account
        assert int(given["role-duration-seconds"]) <= role["MaxSessionDuration"]
        document = role["AssumeRolePolicyDocument"]
        (statement,) = (json.loads(document) if isinstance(document, str) else document)["Statement"]
        token = {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": self.event.subject(self.job.get("environment", ""))}
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert statement["Condition"] == {"StringEquals": token}, f"{name} does not trust this token"
        providers = [one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
        assert statement["Principal"]["Federated"] in providers
        with self.files["GITHUB_ENV"].open("a") as file:
            file.write(f"AWS_REGION={given['aws-region']}\nAWS_DEFAULT_REGION={given['aws-region']}\n")

    def install(self, step: dict) -> None:
        for file in re.findall(r"-r (\S+)", step["run"]):
            assert (self.workspace / file).is_file(), f"{file} is not in the repository"
        with self.files["GITHUB_ENV"].open("a") as file:
            file.write(f"ANSIBLE_COLLECTIONS_PATH={CHECKOUT / '.collections'}\n")
        with self.files["GITHUB_PATH"].open("a") as file:
            file.write(f"{CHECKOUT / '.venv' / 'bin'}\n")

    # --- Steps --------------------------------------------------------------------------------------------------------
    def variables(self, step: dict) -> dict:
        # What the lab's own playbooks are told by is not there: the job knows what is in its repository.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "ATENA_", "AWS_REGION", "AWS_DEFAULT_REGION"))}
        kept |= self.runner.environment | {name: str(path) for name, path in self.files.items()}
        kept |= {"RUNNER_TEMP": str(self.here / "temp"), "GITHUB_REPOSITORY": self.event.repository, "CI": "true", "PWD": str(self.workspace)}
        kept |= dict(line.split("=", 1) for line in self.files["GITHUB_ENV"].read_text().splitlines())
        kept["PATH"] = os.pathsep.join([*reversed(self.files["GITHUB_PATH"].read_text().splitlines()), os.environ["PATH"]])
        for source in (self.job.get("env", {}), step.get("env", {})):
            kept |= {name: fill(value, self.context) for name, value in source.items()}
        return kept

    def bash(self, step: dict) -> tuple[int, str]:
        # GitHub puts expressions into the script before bash sees it: ours come through the environment instead.
        assert "${{" not in step["run"], f"an expression in the script of {step['name']}"
        script = self.here / "script.sh"
        script.write_text(step["run"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace, env=self.variables(step), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900,
        )  # fmt: skip
        return done.returncode, f"\n== {step['name']}\n{done.stdout}"
