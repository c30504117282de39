# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `lock`, which every module that writes to an environment takes."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  lock:
    description:
      - The environment's lock, as M(atena.aws.environment_lock) returned it and the role C(atena.aws.lock) keeps it in the fact C(atena_lock).
      - The module verifies that the lock is held before it writes anything, and renews it until it is done. If another run has it by now, the
        module fails and writes nothing. Unset means that nothing is checked. In check mode it is not checked.
    type: dict
    suboptions:
      table:
        description: The DynamoDB table that the bootstrap made.
        type: str
        required: true
      name:
        description: The environment's name.
        type: str
        required: true
      token:
        description: The token by which this run holds the lock.
        type: str
        required: true
      expires_in:
        description: Seconds that a renewal is good for.
        type: int
        default: 300
"""
