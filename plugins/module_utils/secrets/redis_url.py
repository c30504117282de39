# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secret REDIS_URL. Its password, if it has one, is the AUTH token."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core.connection_url import ConnectionUrl


class RedisUrl(ConnectionUrl):
    SCHEMES = r"rediss?"
    KIND = "redis:// or rediss:// URL"
