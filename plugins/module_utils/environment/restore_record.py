# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The states of what restore_database.yml writes down of an environment, as others read it."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import RestoreRecord

RESTORING, RESTORED, UNDOING, UNDONE, REMOVED = "restoring", "restored", "undoing", "undone", "removed"
# As errors name it.
WHAT = RestoreRecord.WHAT
