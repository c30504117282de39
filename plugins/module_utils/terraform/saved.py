# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan that is kept in a file and applied later: whether it still means what it meant. A plan holds what Terraform read, secrets among it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import zipfile

from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import Terraform, TerraformError

VARIABLES = "terraform.auto.tfvars.json"


# --- Decisions --------------------------------------------------------------------------------------------------------
def other_environment(planned: dict, wanted: dict) -> str:
    """Why a plan made with the variables `planned` must not be applied to the environment with the variables `wanted`; '' if it may.

    A plan names its state itself: without this look, one of another environment would be applied to that one.
    """
    differing = sorted(name for name in planned.keys() | wanted.keys() if planned.get(name) != wanted.get(name))
    if not differing:
        return ""
    for name in ("project", "stage", "region", "state_bucket"):
        if name in differing:
            return f"it was made for another environment ({name} {planned.get(name)!r} instead of {wanted.get(name)!r})"
    return f"the inventory has changed since it was made ({', '.join(differing)})"


def stale(planned: dict, current: dict) -> str:
    """Why a plan made from the state `planned` no longer fits the state `current` ({'serial', 'lineage'}, {} for none); '' if it does."""
    if not current and not planned.get("lineage"):
        return ""
    if not current:
        return "there is no state any more"
    if planned.get("lineage") and planned["lineage"] != current["lineage"]:
        return "the state is another one by now (it was recreated)"
    if planned.get("serial", 0) != current["serial"]:
        return f"the state has changed since it was made (it is at serial {current['serial']}, the plan was made at {planned.get('serial', 0)})"
    return ""


def refusal(path: str, made_at: str, why: str) -> str:
    when = f" of {made_at}" if made_at else ""
    return (
        f"The plan {path}{when} is stale and was not applied: {why}. Nothing was changed. Make a new one and check it again: "
        f"infra.yml -e infra_save_plan={path}"
    )


# --- The file ---------------------------------------------------------------------------------------------------------
def state_of(path: str) -> dict:
    """{'serial', 'lineage'} of the state that a plan was made from. Raises TerraformError if it is no plan."""
    try:
        with zipfile.ZipFile(path) as archive:
            state = json.loads(archive.read("tfstate"))
    except FileNotFoundError as error:
        raise TerraformError(f"There is no plan {path}. Nothing was changed. Make one: infra.yml -e infra_save_plan={path}") from error
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        text = f"{path} cannot be read as a plan of Terraform's ({error}). Nothing was changed. Give the file that infra_save_plan wrote."
        raise TerraformError(text) from error
    return {"serial": state.get("serial", 0), "lineage": state.get("lineage", "")}


def keep(planned: str, path: str) -> None:
    """Puts a plan where it is wanted: private from its first byte, and whole at any moment."""
    directory = os.path.dirname(os.path.abspath(path))
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".plan-", dir=directory)  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "wb") as target, open(planned, "rb") as source:
                shutil.copyfileobj(source, target)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        text = f"The plan could not be kept as {path}: {error.strerror}. Nothing was changed. Name a file that this user may write."
        raise TerraformError(text) from error


def warning(path: str) -> str:
    return (
        f"{path} may hold secrets: a plan has in it what Terraform read, the database's password too. It is readable by this user alone; do not "
        "commit or publish it. infra.yml -e infra_plan_file=… removes it when it is applied."
    )


def check(terraform: Terraform, path: str, plan: dict, scratch: str) -> None:
    """Raises TerraformError if the plan is of another environment, or older than the state."""
    with open(os.path.join(terraform.directory, VARIABLES), encoding="utf-8") as file:
        wanted = json.load(file)
    planned = {name: entry.get("value") for name, entry in plan.get("variables", {}).items()}
    why = other_environment({name: planned.get(name) for name in wanted}, wanted) or stale(state_of(path), current_state(terraform, scratch))
    if why:
        raise TerraformError(refusal(path, plan.get("timestamp", ""), why))


def current_state(terraform: Terraform, scratch: str) -> dict:
    """{'serial', 'lineage'} of the state as it is; {} if there is none. The state itself stays in this process's memory."""
    _code, lines, _diagnostics = terraform.checked("read the state", "state", "pull", scratch=scratch)
    text = "\n".join(lines[next((number for number, line in enumerate(lines) if line.startswith("{")), len(lines)) :])
    if not text:
        return {}
    state = json.JSONDecoder().raw_decode(text)[0]
    return {"serial": state["serial"], "lineage": state["lineage"]}


def forget(path: str) -> None:
    """A plan can be applied once, and what is in it is secret."""
    with contextlib.suppress(OSError):
        os.unlink(path)
