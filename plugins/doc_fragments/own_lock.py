# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `lock` of modules that take the environment's lock themselves (environment.lock.OWN_LOCK_OPTIONS)."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  lock:
    description: The environment's lock. The module takes it before it changes anything and releases it at its end.
    type: dict
    required: true
    suboptions:
      table: {description: "The DynamoDB table, which is that of Terraform's lock too.", type: str, required: true}
      name: {description: "The lock's name, which is the environment's.", type: str, required: true}
      expires_in: {description: Seconds after which the lock of an interrupted run is free., type: int, default: 300}
      wait: {description: Seconds to wait for a lock that somebody else has., type: int, default: 0}
"""
