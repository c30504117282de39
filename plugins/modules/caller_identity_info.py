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
extends_documentation_fragment:
  - atena.aws.account
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
proof:
  description: >-
    The account, and a hash of the access key's id. As the environment variable E(ATENA_VERIFIED_CALLER) it spares modules that have the same key the question
    whose it is.
  returned: success
  type: str
  sample: 123456789012:0f2c1d8b5a6e7f90
"""

try:
    import botocore.session
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.atena.aws.plugins.module_utils.core import account
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.partitions import dns_suffix


def main() -> None:
    module = AwsModule(argument_spec={}, supports_check_mode=True, verifies_account=False)
    call = Caller(module)
    identity = account.identity(module, module.region, call)
    module.exit_json(
        changed=False,
        account=identity["Account"],
        arn=identity["Arn"],
        partition=botocore.session.Session().get_partition_for_region(module.region),
        dns_suffix=dns_suffix(module.region),
        region=module.region,
        proof=account.proof(identity["Account"], call.access_key()),
    )


if __name__ == "__main__":
    main()
