# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `records`: where unfinished work is on record (environment.unfinished.OPTIONS)."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  records:
    description: Where incomplete work is recorded. Unset, it is not checked; nor is a key that is unset.
    type: dict
    suboptions:
      bucket: {description: The state bucket., type: str, required: true}
      journal_key: {description: Key of the power journal., type: str}
      restore_key: {description: Key of the record of a restore of the database., type: str}
      destroy_key: {description: Key of the record of a destroy and redeploy., type: str}
      rotations_key: {description: Key of the record of the rotations., type: str}
"""
