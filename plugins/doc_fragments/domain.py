# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the option that the modules share which take things back into Terraform's state."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  domain:
    description: >-
      The application's C(name) and the C(zone_id) of its Route 53 zone, whose record belongs to the load balancer. Only checked after a run that was
      killed, to import a record that it made. Empty where there is none.
    type: dict
    default: {}
"""
