# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `terraform` of modules that plan and apply beside their own work."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  terraform:
    description: How Terraform is run.
    type: dict
    required: true
    suboptions:
      project_path: {description: The working copy of C(infra/)., type: path, required: true}
      executable: {description: "Terraform's name, searched in E(PATH), or its path.", type: str, default: terraform}
      lock_timeout: {description: Seconds to wait for a state lock that somebody else holds., type: int, default: 60}
      parallelism: {description: How many operations Terraform runs at a time., type: int, default: 10}
      allow_destroy:
        description: Addresses that may be destroyed in addition to those that the module's own work destroys.
        type: list
        elements: str
        default: []
"""
