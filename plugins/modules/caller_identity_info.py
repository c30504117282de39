#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: caller_identity_info
version_added: 0.1.0
short_description: Gather information about the caller's AWS account, and refuse an unexpected one
description:
  - Reads the caller's identity from STS and checks the region's name and the account before anything else is done.
  - "The gap it closes: M(amazon.aws.aws_caller_info) checks neither, and on a wrong region or key it answers with botocore's
    words, after minutes of retries for a region that does not exist."
author:
  - The atena.aws founders (@atena)
options:
  expected_account_id:
    description:
      - The 12-digit account that the credentials must belong to. Unset or empty accepts any.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Refuse to touch any account but production's
  atena.aws.caller_identity_info:
    region: us-east-1
    expected_account_id: "123456789012"
"""

RETURN = r"""
account:
  description: The account's 12-digit id.
  returned: success
  type: str
  sample: "123456789012"
arn:
  description: Who is calling.
  returned: success
  type: str
  sample: arn:aws:iam::123456789012:user/ana
partition:
  description: The partition of the region (C(aws), C(aws-cn), C(aws-eusc), C(aws-us-gov)).
  returned: success
  type: str
  sample: aws
dns_suffix:
  description: What the names of AWS's servers end with there (C(amazonaws.com), C(amazonaws.com.cn), C(amazonaws.eu)).
  returned: success
  type: str
  sample: amazonaws.com
region:
  description: The region in use.
  returned: success
  type: str
  sample: us-east-1
"""

import re
from collections.abc import Collection

try:
    import botocore.session
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, told
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.partitions import dns_suffix


def region_problem(region: str | None, known: Collection[str]) -> str | None:
    """Why this region cannot be right, or None. `known`: region names of the installed botocore."""
    if not region:
        return "No AWS region is set. Set atena_region in the inventory, or AWS_REGION."
    if region in known:
        return None
    near = [name for name in sorted(known) if name.split("-")[0] == region.split("-")[0]]
    if re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d", region) and not near:
        near = sorted(known)
    return (
        f"The installed botocore knows no AWS region '{region}'. Correct atena_region (or AWS_REGION); regions like it: "
        f"{', '.join(near or sorted(known))}. If the region is newer than botocore, upgrade boto3 and botocore."
    )


def main() -> None:
    module = AwsModule(
        argument_spec={"expected_account_id": {"type": "str"}},
        supports_check_mode=True,
    )
    session = botocore.session.Session()
    known = {name for partition in session.get_available_partitions() for name in session.get_available_regions("ecs", partition)}
    problem = region_problem(module.region, known)
    if problem:
        module.fail_json(msg=problem)
    try:
        identity = Caller(module)("sts", "get_caller_identity", "read the caller's identity from STS")
    except CallFailed as failed:
        module.fail_json(**told(failed))
    expected = module.params["expected_account_id"]
    if expected and identity["Account"] != expected:
        module.fail_json(
            msg=f"These credentials belong to account {identity['Account']} ({identity['Arn']}), but this environment is in account {expected}. "
            "Nothing was done. Use the other profile (AWS_PROFILE), or correct atena_expected_account_id."
        )
    module.exit_json(
        changed=False,
        account=identity["Account"],
        arn=identity["Arn"],
        partition=session.get_partition_for_region(module.region),
        dns_suffix=dns_suffix(module.region),
        region=module.region,
    )


if __name__ == "__main__":
    main()
