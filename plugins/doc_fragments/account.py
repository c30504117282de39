# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the option that all modules share which call AWS."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  expected_account_id:
    description:
      - The 12-digit account that the credentials must belong to. With those of another one the module fails before it calls anything but STS.
      - The environment variable E(ATENA_EXPECTED_ACCOUNT_ID), which the collection's playbooks set, holds where it is unset. Empty accepts any account.
    type: str
"""
