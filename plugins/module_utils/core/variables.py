# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Environment variables by which the tasks of our playbooks tell their modules what holds for all of them."""

from __future__ import annotations

# The account that the credentials must belong to; and whose credentials an earlier task of the run found to be of which account (account.proof).
EXPECTED, VERIFIED = "ATENA_EXPECTED_ACCOUNT_ID", "ATENA_VERIFIED_CALLER"
