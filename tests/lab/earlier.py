"""A build that was released earlier, as its users have it: a checkout of its commit beside this one, run with this one's environment, and an environment
in the lab that is its own.

Its name is taken from the commit, so that environments of several builds stand beside each other: atena-e5eeb5e.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable

from conftest import CHECKOUT, App, Lab, Run
from test_killed import descendants, kill
from wire import Wire


class Earlier(Lab):
    """An environment that the earlier build made. `before` runs a playbook of that build on it, `now` the same of this one."""

    def __init__(self, commit: str) -> None:
        super().__init__()
        self.build, self.stage = commit, commit[:7]
        self.name = f"atena-{self.stage}"
        self.cluster = f"{self.name}-cluster"
        self.checkout = self.directory / self.name
        work = self.directory / "work" / self.name
        self.infra = work / "infra"
        self.app = App(self.directory / "app", f"{self.endpoint}/_alb/{self.name}-alb")
        self.bucket = f"atena-terraform-state-{self.account}"
        # Builds before 1.0 have another application's programs in their lab's inventory, and take a database's settings only as a whole. Their environments
        # verify no certificate, as node-postgres could not have done with what they had.
        application = {
            "atena_migration_command": ["node", "packages/database/dist/migrate.js"],
            "atena_database_users_command": ["node", "packages/database/dist/users.js"],
            "atena_restore_check_command": ["node", "packages/database/dist/count-rows.js"],
            "atena_database": {
                **{"engine_version": "16", "instance_class": "db.t4g.micro", "allocated_storage": 20, "name": "atena", "username": "atena"},
                **{"backup_retention_days": 7, "backup_window": "03:00-04:00", "maintenance_window": "sun:04:30-sun:05:30"},
                **{"sslmode": "no-verify", "deletion_protection": False, "multi_az": False},
            },
        }
        self.given = ["-e", f"atena_stage={self.stage}", "-e", f"atena_work_dir={work}", "-e", json.dumps(application)]

    def check_out(self) -> None:
        archive = subprocess.run(["git", "-C", str(CHECKOUT), "archive", "--format=tar", self.build], capture_output=True)
        assert archive.returncode == 0, (
            f"The history of this checkout lacks the build to upgrade from ({archive.stderr.decode().strip()}). Fetch it, and run the test again:\n"
            f"  git fetch origin {self.build}\nor, of a shallow clone: git fetch --unshallow"
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(self.checkout, filter="tar")
        self._let_it_run()
        link = self.checkout / ".collections" / "ansible_collections" / "atena" / "aws"
        if not link.is_symlink():
            link.parent.mkdir(parents=True)
            link.symlink_to("../../..")
        listed = subprocess.run(["ansible-galaxy", "collection", "list", "--format=json", "atena.aws"], env=self._settings(), capture_output=True, text=True)
        assert list(json.loads(listed.stdout)) == [str(link.parents[1])], f"atena.aws is not the earlier build:\n{listed.stdout}{listed.stderr}"

    def _let_it_run(self) -> None:
        """Builds before 0.1.0 took a name of Thread's for their own, which Python has used itself since 3.13: nothing with a live view ran on it."""
        if sys.version_info < (3, 13):
            return
        for name in ("progress", "pipe"):
            file = self.checkout / "plugins" / "plugin_utils" / f"{name}.py"
            file.write_text(file.read_text().replace("self._handle", "self._opened"))

    def _settings(self) -> dict[str, str]:
        """The environment with its own ansible.cfg, by which atena.aws is that checkout."""
        return {**os.environ, "ANSIBLE_CONFIG": str(self.checkout / "ansible.cfg")}

    # --- Playbooks ----------------------------------------------------------------------------------------------------
    def now(self, name: str, *arguments: str, **options) -> Run:
        return self.playbook(name, *self.given, *arguments, **options)

    def before(self, name: str, *arguments: str, timeout: int = 600) -> Run:
        process = self._begin_before(name, arguments, {})
        output, _ = process.communicate(timeout=timeout)
        return Run(process.returncode, output)

    def _begin_before(self, name: str, arguments: Iterable[str], environment: dict[str, str]) -> subprocess.Popen:
        return subprocess.Popen(
            ["ansible-playbook", "-i", "inventories/lab", f"playbooks/{name}", *self.given, *arguments],
            cwd=self.checkout,
            env={**self._settings(), "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def killed_before(self, name: str, call: str, *arguments: str) -> None:
        """A playbook of the earlier build whose processes are all killed when AWS has done this call, and nobody knows it yet."""
        struck = []

        def after(made):
            if not struck and str(made) == call:
                struck.append(call)
                kill([process.pid, *descendants(process.pid)])
                raise ConnectionAbortedError("the caller is dead")

        with Wire(self.endpoint, after=after) as wire:
            process = self._begin_before(name, arguments, {"AWS_ENDPOINT_URL": wire.endpoint})
            output, _ = process.communicate(timeout=300)
        assert struck, f"{name} ended without {call}:\n{output}"

    # --- What there is ------------------------------------------------------------------------------------------------
    def stored(self, name: str) -> dict:
        """power, gates, destroyed …"""
        return json.loads(self._object(f"atena/{self.stage}/{name}.json"))

    def _object(self, key: str) -> bytes:
        return self.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def releases(self) -> dict[str, bytes]:
        """The ledger, byte for byte."""
        listed = self.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=f"atena/{self.stage}/releases/").get("Contents", [])
        return {entry["Key"]: self._object(entry["Key"]) for entry in listed}

    def resources(self) -> dict[str, str]:
        """{address: id} of what Terraform's state holds; of a database the id that AWS never gives twice."""
        state = json.loads(self._object(f"atena/{self.stage}/terraform.tfstate"))
        return {
            f"{resource['type']}.{resource['name']}[{one.get('index_key', '')}]": one["attributes"].get("resource_id") or one["attributes"]["id"]
            for resource in state["resources"]
            if resource["mode"] == "managed"
            for one in resource["instances"]
        }

    def planned(self) -> dict[str, list[str]]:
        """{address: actions} of all that a plan by this build's configuration would do."""
        plan = self.infra.parent / "of-the-test.tfplan"
        for command in (["plan", "-input=false", "-lock=false", f"-out={plan}"], ["show", "-json", str(plan)]):
            done = subprocess.run(["terraform", *command], cwd=self.infra, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stdout + done.stderr
        plan.unlink()
        changes = {change["address"]: change["change"]["actions"] for change in json.loads(done.stdout).get("resource_changes", [])}
        return {address: actions for address, actions in changes.items() if actions not in (["no-op"], ["read"])}

    # --- The application ----------------------------------------------------------------------------------------------
    def write(self, text: str, count: int, **wishes) -> list[str]:
        status, answer = self.app.get("/notes", {"text": text, "count": count, **wishes})
        assert status == 202, answer
        return answer["ids"]

    def has(self, notes: list[str]) -> bool:
        """Whether the workers have processed all of them, and the database has them."""
        return all(self.app.get(f"/notes/{one}")[0] == 200 for one in notes)

    def jobs(self) -> dict:
        status, answer = self.app.get("/jobs")
        assert status == 200, answer
        return answer

    def runs(self, commit: str) -> None:
        """It is on, healthy, and of this commit."""
        status, answer = self.app.get("/health")
        assert (status, answer.get("version")) == (200, commit), answer
        assert {service["runningCount"] for service in self.services().values()} == {1}
        held = self.lock()
        assert held is None or int(held["expires_at"]["N"]) < time.time(), held
