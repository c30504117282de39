# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `power`: where it is written whether an environment is on (module_utils/environment/state.py). A module may describe it in its own words."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  power:
    description: Where it is written whether the environment is on. Unset, that is not checked.
    type: dict
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      gates_key:
        description: Key of the object with the gates.
        type: str
        required: true
      journal_key:
        description: Key of the power journal.
        type: str
        required: true
"""
