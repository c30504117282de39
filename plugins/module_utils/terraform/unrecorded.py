# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an apply did and could not write to the remote state, such as when its credentials expired meanwhile. Terraform leaves it in the working copy, in
errored.tfstate; a plan of the state as it was before would make all of it a second time. So it is pushed before anything is planned.

The file holds secrets, as every state does: it stays private, and nothing of it is shown.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ansible_collections.atena.aws.plugins.module_utils.terraform import cli as terraform_cli, errors
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import CommandFailed, Terraform, TerraformError

NAME = "errored.tfstate"
_APPLYING = "apply all of the plan"
_GOES_ON = "what it did before that is done and recorded, and the next run resumes from there"
# Terraform's own advice for this is told here in better words: it warns of the very run that is the way out.
_OWN_ADVICE = "Failed to persist state to backend"
_NOT_EVEN_HERE = "Failed to create local state file"


class Unrecorded(TerraformError):
    """An apply failed, and what it did is in the file alone. `sentence` says so, and stands first wherever it is told; `rest` says why it failed."""

    def __init__(self, sentence: str, rest: str) -> None:
        super().__init__(f"{sentence}\n{rest}")
        self.sentence, self.rest = sentence, rest


# --- Words ------------------------------------------------------------------------------------------------------------
def unrecorded_text(path: str, first: str) -> str:
    """first: what has to be done before the next run."""
    return (
        f"What Terraform did is not recorded in the remote state, but in {path} alone. {first} and run the same playbook again on this machine: it pushes that "
        "file before it plans. If this machine is thrown away when the run ends (a CI runner, a job's container), save the file first; it holds secrets. "
        "Until it is pushed nobody may apply from elsewhere: that would make the same things a second time."
    )


def refused_text(path: str, directory: Path, reason: str) -> str:
    """Why nothing is planned. reason: what Terraform said to the push."""
    if "cannot import state" in reason or "cannot overwrite" in reason:
        way_out = (
            f"The remote state is another one, or somebody applied since. Compare what the file knows (terraform -chdir={directory} show {NAME}) with "
            f"the remote state (terraform -chdir={directory} state list). What the file alone knows is there in AWS: import it (terraform "
            f"-chdir={directory} import ADDRESS ID) or delete it manually. Then, or if the file is known to be older, delete the file and run this again."
        )
    else:
        way_out = f"Fix that and run this again, or push it manually: terraform -chdir={directory} state push {NAME}"
    return (
        f"{path} holds what an earlier apply did and could not write to the remote state, and it could not be pushed now either. Nothing was planned and "
        f"nothing was changed: a plan would make the same things a second time. {reason.rstrip()}\n{way_out}"
    )


def looking_text(path: str, directory: Path) -> str:
    """Why a run that only looks does not plan."""
    return (
        f"{path} holds what an earlier apply did and could not write to the remote state. A plan of the state without it would be a false prediction, so none "
        "was made, and nothing was changed. The playbook that failed, run again without --check, pushes that file before it plans. "
        f"To push it alone: terraform -chdir={directory} state push {NAME}"
    )


# --- The file ---------------------------------------------------------------------------------------------------------
def waiting(terraform: Terraform) -> str:
    """Path of the state that waits to be pushed, which is made private; '' if there is none."""
    path = terraform.directory / NAME
    if not path.is_file():
        return ""
    with contextlib.suppress(OSError):  # the working copy is private in any case
        path.chmod(0o600)
    return str(path)


def refuse(terraform: Terraform) -> None:
    """Raises TerraformError if a state waits: for plans of runs that write nothing."""
    path = waiting(terraform)
    if path:
        raise TerraformError(looking_text(path, terraform.directory))


def push(terraform: Terraform, scratch: str, lock: list[str]) -> str:
    """Pushes the state that waits, if one does, and removes the file. Returns what to tell, '' if none waited.

    Raises TerraformError where that failed: then nothing may be planned. Whether the file is of this state and newer, Terraform decides. lock: how it takes
    its lock, as arguments.
    """
    path = waiting(terraform)
    if not path:
        return ""
    try:
        _push(terraform, scratch, lock, path)
    except TerraformError as failed:
        raise TerraformError(refused_text(path, terraform.directory, str(failed))) from failed
    return f"What an earlier apply had done and could not write to the remote state was pushed to it from {path}, and that file was removed."


def _push(terraform: Terraform, scratch: str, lock: list[str], path: str) -> None:
    asked = ("push the state that waits", "state", "push", *lock, NAME)
    try:
        terraform.checked(*asked, scratch=scratch)
    except CommandFailed as failed:
        holder = errors.lock_holder(failed.diagnostics)
        if holder is None or not _left_by_its_apply(terraform, holder, path):
            raise
        terraform.run("force-unlock", "-force", holder["ID"], scratch=scratch)
        terraform.checked(*asked, scratch=scratch)
    try:
        os.unlink(path)
    except OSError as error:
        raise TerraformError(f"It is in the remote state now, but the file could not be removed ({error.strerror}): delete it.") from error


def _left_by_its_apply(terraform: Terraform, holder: dict, path: str) -> bool:
    """Whether the lock is that of the apply which wrote the file: without credentials it could not give that back either.

    Until it wrote the file nobody else could have the lock. So one that was taken here before, for an apply, is its own.
    """
    made = terraform_cli.made_here(holder)
    if made is None or made > os.stat(path).st_mtime or holder.get("Operation") != "OperationTypeApply":
        return False
    return not terraform_cli.others_at_work(terraform.executable, terraform.directory, terraform.environment)


# --- After an apply that failed ---------------------------------------------------------------------------------------
def after_apply(terraform: Terraform, failed: TerraformError, scratch: str, lock: list[str]) -> TerraformError:
    """The error to raise for an apply that failed: it says where that is on record which the apply did."""
    path = waiting(terraform)
    if not isinstance(failed, CommandFailed):
        # What it says of an interruption, that the state was written, is not so then.
        first = "Get new credentials, if they have expired,"
        return Unrecorded(unrecorded_text(path, first), "The run was interrupted, and Terraform ended in good order.") if path else TerraformError(str(failed))
    if not path:
        return TerraformError(failed.told(f"{_APPLYING}; {_GOES_ON}") if not _recorded_nowhere(failed) else _lost_text(terraform, failed))
    expired = errors.about_credentials(failed.diagnostics)
    reason = "" if expired else _not_pushed(terraform, scratch, lock, path)
    if not expired and not reason:
        return TerraformError(failed.told(f"{_APPLYING}. It could not write its state at first, which was pushed afterwards; {_GOES_ON}", but=(_OWN_ADVICE,)))
    first = "Get new credentials" if expired else "Fix what is reported below"
    rest = failed.told(_APPLYING, but=(_OWN_ADVICE,))
    return Unrecorded(unrecorded_text(path, first), f"{rest}\nA push at once failed too. {reason}" if reason else rest)


def _not_pushed(terraform: Terraform, scratch: str, lock: list[str], path: str) -> str:
    """Pushes the state at once. Returns why that failed, '' if it did not."""
    try:
        _push(terraform, scratch, lock, path)
    except TerraformError as failed:
        return str(failed)
    return ""


def _recorded_nowhere(failed: CommandFailed) -> bool:
    return any(diagnostic.get("summary") == _NOT_EVEN_HERE for diagnostic in failed.diagnostics)


def _lost_text(terraform: Terraform, failed: CommandFailed) -> str:
    return (
        f"What Terraform did is recorded nowhere: neither the remote state nor {terraform.directory / NAME} could be written. The things that it made are "
        f"there in AWS: import them (terraform -chdir={terraform.directory} import ADDRESS ID) or delete them manually before the next apply, which would make "
        f"them a second time.\n{failed.told(_APPLYING, but=(_OWN_ADVICE,))}"
    )
