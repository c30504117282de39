"""Parts of our roles, played by Ansible itself with an inventory of its own, without AWS."""

import json
import re
from pathlib import Path

# What a failure's block puts between the sentences of a message.
LABELS = re.compile(r"^  (?:What|Why|State|Next): +", re.MULTILINE)


DETAILS = re.compile(r"^  Details: +(\S.*)$", re.MULTILINE)


def said(output, directory=Path()):
    """What a run in `directory` told as one line, on the screen and in the file that a failure names: without folds, and without the labels of its parts."""
    named = [directory / Path(path).expanduser() for path in DETAILS.findall(output)]
    files = [path.read_text() for path in named if path.exists()]
    return re.sub(r"\s+", " ", LABELS.sub("", "\n".join([output, *files])))


class Plays:
    """A directory with an inventory, used as by somebody who has the installed collection: without an ansible.cfg.

    ansible: conftest's, whose runs are forks of a process that has Ansible imported.
    """

    def __init__(self, directory, inventory, ansible):
        self.directory, self.ansible = directory, ansible
        (directory / "inventory.yml").write_text(inventory)

    def play(self, tasks, *arguments, inventory="inventory.yml", **keywords):
        """With the variables of the role `environment`, but without its tasks."""
        roles = [{"role": "atena.aws.environment", "when": False}]
        play = {"hosts": "environments", "gather_facts": False, "roles": roles, "tasks": tasks, **keywords}
        (self.directory / "play.yml").write_text(json.dumps([play]))
        return self.ansible.run(["-i", inventory, "play.yml", *arguments], self.directory, {"HOME": str(self.directory / "home")})
