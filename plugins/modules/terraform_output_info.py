#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: terraform_output_info
version_added: 0.1.0
short_description: Gather information about the outputs of an environment's Terraform state
description:
  - Runs C(terraform output) in the working copy, and C(terraform init) before it where something that it depends on changed. Nothing is locked.
  - "The gap it closes: M(community.general.terraform) returns outputs only after planning or applying, and M(cloud.terraform.terraform_output) hands
    on whatever the caller's shell says to Terraform (C(TF_WORKSPACE), C(TF_DATA_DIR))."
  - Sensitive outputs are left out.
author:
  - The atena.aws founders (@atena)
options:
  project_path:
    description: The working copy, a directory with the configuration. Its data directory is C(.terraform) in it.
    type: path
    required: true
  executable:
    description: Terraform's name, searched in E(PATH), or its path.
    type: str
    default: terraform
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
requirements:
  - terraform >= 1.7
"""

EXAMPLES = r"""
- name: Read the workflows' role
  atena.aws.terraform_output_info:
    project_path: /home/ana/.local/state/atena/atena-prod/infra
  register: terraform
"""

RETURN = r"""
outputs:
  description: The outputs' values by name. Empty where nothing was applied yet.
  returned: success
  type: dict
  sample: {alb_dns_name: atena-prod-alb-1.us-east-1.elb.amazonaws.com}
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.atena.aws.plugins.module_utils.core import requirements
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.terraform import plan as plans
from ansible_collections.atena.aws.plugins.module_utils.terraform.cli import executable_path, Terraform, TerraformError


def main() -> None:
    module: Module = AnsibleModule(
        argument_spec={"project_path": {"type": "path", "required": True}, "executable": {"type": "str", "default": "terraform"}},
        supports_check_mode=True,
    )
    requirements.refuse_old_python(module)
    executable = executable_path(module.params["executable"])
    if executable is None:
        module.fail_json(
            msg=f"There is no '{module.params['executable']}' in PATH. Install Terraform 1.7 or newer, or name it with infra_terraform_executable."
        )
    project = module.params["project_path"]
    if not os.path.isdir(project):
        module.fail_json(msg=f"The working copy {project} does not exist. infra.yml makes it.")
    terraform = Terraform(executable, project)
    try:
        with terraform.guarded(), terraform.scratch() as scratch:
            terraform.initialize(terraform.version(scratch), scratch)
            outputs = terraform.json("read the outputs", "output", "-json", scratch=scratch)
    except TerraformError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, outputs=plans.known_outputs(outputs))


if __name__ == "__main__":
    main()
