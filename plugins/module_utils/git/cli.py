# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""git's command line: always the same result, whatever the caller has configured, and its failures with a remedy."""

from __future__ import annotations

import os
import subprocess

from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown

# What the caller's own settings would change in the files that are checked out, or add to them. Credentials and `insteadOf` stay the caller's.
_SETTINGS = {
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.logAllRefUpdates": "false",
    "advice.detachedHead": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    # In the background it would change the clone while Docker reads it.
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
}
# In a hook of git's these name the caller's repository, and git would write there instead.
_OF_ANOTHER_REPOSITORY = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
}
_TAIL = 8
_REMEDIES = (
    (
        "dubious ownership",
        "The repository belongs to another user than the one who runs this. Run it as its owner, or trust it: git config --global --add safe.directory <path>",
    ),
    ("No space left on device", "The disk is full. Free some space, or set atena_work_dir to another disk."),
    (
        "transport 'file' not allowed",
        "git fetches no submodule from a path of this machine automatically. Fetch it in the checkout (git -c protocol.file.allow=always submodule "
        "update --init"
        " --recursive): it is then taken from there.",
    ),
    ("promisor", "The checkout is a partial clone that lacks objects of this commit: `git fetch --refetch --no-filter` there brings them."),
    ("index-pack died", "Objects are missing or damaged in the repository it comes from: `git fsck` there shows which."),
)


class GitFailed(Exception):
    """A git command that failed; its text is ready for the user."""


class Refused(GitFailed):
    """The commit cannot be had whole, and a new clone would not help."""


def run(arguments: list[str], doing: str, *, keep: tuple[int, ...] = (), given: str | None = None, settings: dict | None = None, **environment: str) -> str:
    """Runs git and returns what it printed. `doing` completes 'Could not'; `keep`: open files that git and what it starts hold, too."""
    options = [word for name, value in {**_SETTINGS, **(settings or {})}.items() for word in ("-c", f"{name}={value}")]
    kept = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    try:
        done = subprocess.run(
            ["git", *options, *arguments],
            env={**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **environment},
            **({"input": given} if given is not None else {"stdin": subprocess.DEVNULL}),
            capture_output=True,
            pass_fds=keep,
            # Docker's layer cache goes by the files' modes: they must not depend on who builds.
            umask=0o022,
            text=True,
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        raise GitFailed(f"Could not {doing}: there is no `git` command. Install git where the playbook runs. Nothing was built.") from None
    if done.returncode == 0:
        return done.stdout
    raise GitFailed(f"Could not {doing}: {failure(done.stderr or done.stdout)}")


def failure(output: str) -> str:
    """git's own words, and those of a server that it spoke to; and the remedy where one is known."""
    output = shown(output.encode("utf-8", "replace").decode())
    lines = [line for line in output.splitlines() if line.strip()]
    remedies = [remedy for word, remedy in _REMEDIES if word in output]
    return " ".join(["git says: " + "\n".join(lines[-_TAIL:]).rstrip(".") + ".", *remedies[:1]])
