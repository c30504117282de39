# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secret DATABASE_URL. There is one way to read it, for rotation, restore and diagnosis alike."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core.connection_url import ConnectionUrl


class DatabaseUrl(ConnectionUrl):
    # With the driver that SQLAlchemy and others name: postgresql+psycopg.
    SCHEMES = r"postgres(?:ql)?(?:\+\w+)?"
    KIND = "postgresql:// URL"

    @property
    def sslmode(self) -> str:
        """What it says of TLS; '' for nothing."""
        return self._argument("sslmode")

    def with_sslmode(self, mode: str) -> DatabaseUrl:
        """The same with this mode, in its place or behind the other arguments."""
        return self._with_argument("sslmode", mode)


# Those that RDS for PostgreSQL 15 and later takes: it refuses plain connections.
SSLMODES = ("require", "verify-ca", "verify-full", "no-verify")
