# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rotation that changes nothing of a database's address but its sslmode: with which the new tasks get well, or the old one comes back."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.environment import unfinished
from ansible_collections.atena.aws.plugins.module_utils.rotation import plan as secret_rotation
from ansible_collections.atena.aws.plugins.module_utils.rotation.plan import WRITE
from ansible_collections.atena.aws.plugins.module_utils.rotation.run import Rotation
from ansible_collections.atena.aws.plugins.module_utils.secrets import store as parameter_store
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl


class SslmodeRotation(Rotation):
    """`params` are ssm_secrets_rotation's options, with `sslmode`; '' only finishes what an earlier run began."""

    kind = "sslmode"
    when_off = "Only new tasks show whether they can verify the database."
    _wanted: dict[str, str]

    def wanted(self) -> dict[str, str]:
        return self._wanted

    def read(self) -> None:
        self._refuse_beside_another()
        self._wanted = {name: self._changed(name) for name in self.names()} if self.params["sslmode"] else {}
        super().read()

    def _changed(self, name: str) -> str:
        now = secret_rotation.standing(parameter_store.history(self.call, self.path, name))
        if now is None:
            raise CallFailed(f"Nothing was changed: {name} does not exist; infra.yml makes it.")
        self.know([now.value, now.before])
        try:
            return DatabaseUrl.parse(now.value).with_sslmode(self.params["sslmode"]).text
        except ValueError as wrong:
            raise CallFailed(f"Nothing was changed: the secret {name} has no sslmode that could be changed: {wrong}. Correct it manually.") from wrong

    def _refuse_beside_another(self) -> None:
        """A rotation of another kind that did not end is finished by its own playbook: it has marks on the same versions, and steps that this one has not."""
        entries = self.record.read()
        found = unfinished.of_rotations(entries)
        if found and entries[0].kind != self.kind:
            raise CallFailed(f"Nothing was changed: {unfinished.says(found[0])}. Do that first.")

    def lines(self, would: bool) -> list[str]:
        verb = "would become" if would else "became"
        modes = [
            f"{name}: sslmode={DatabaseUrl.parse(now.before or now.value).sslmode or '(none)'} {verb} {self.params['sslmode']}"
            for name, now in self.found.items()
            if now and self.decided.get(name) == WRITE
        ]
        return modes + super().lines(would)
