# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option by which modules are told with what to reckon costs."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  cost:
    description: With what to calculate monthly costs. Unset, none are reported.
    type: dict
    suboptions:
      prices:
        description:
          - Files of prices on the controller. The first one must exist (the collection's is C(roles/cost/files/prices.json)); what later ones know
            better holds, and those that do not exist are left out.
        type: list
        elements: path
        required: true
      region:
        description: The region whose prices count. Where the table has none for it, that of us-east-1 is used, and marked so.
        type: str
        required: true
      usage:
        description:
          - Amounts that no description of resources has, a month of an environment that is always on. C(lcu) (capacity units of the load balancer),
            C(nat_gb), C(log_gb), C(log_stored_gb), C(images_gb), C(state_gb), C(state_writes), C(redis_snapshots_gb).
        type: dict
        default: {}
      described:
        description: >-
          The sizes that the inventory describes, as the filter P(atena.aws.environment_sizes#filter) makes them. They are used for what is off.
        type: dict
"""
