"""Parts of our roles, played by Ansible itself with an inventory of its own, without AWS."""

import json
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


class Plays:
    """A directory with an inventory, used as by somebody who has the installed collection: without an ansible.cfg."""

    def __init__(self, directory, inventory):
        self.directory = directory
        (directory / "inventory.yml").write_text(inventory)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AWS_"))}
        own = {"HOME": str(directory / "home"), "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".collections"), "ANSIBLE_NOCOLOR": "1"}
        self.environment = {**inherited, **own}

    def play(self, tasks, *arguments, inventory="inventory.yml", **keywords):
        """With the variables of the role `environment`, but without its tasks."""
        roles = [{"role": "atena.aws.environment", "when": False}]
        play = {"hosts": "environments", "gather_facts": False, "roles": roles, "tasks": tasks, **keywords}
        (self.directory / "play.yml").write_text(json.dumps([play]))
        ansible = Path(sys.executable).with_name("ansible-playbook")
        command = [sys.executable, str(ansible), "-i", inventory, "play.yml", *arguments]
        return subprocess.run(command, cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=180)
