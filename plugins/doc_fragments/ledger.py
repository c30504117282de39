# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `ledger` of modules that write or prune releases."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  ledger:
    description: Where releases are recorded.
    type: dict
    required: true
    suboptions:
      bucket: {description: The state bucket., type: str, required: true}
      prefix: {description: "What the keys begin with, with a slash at its end.", type: str, required: true}
"""
