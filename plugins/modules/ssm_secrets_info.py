#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ssm_secrets_info
version_added: 0.1.0
short_description: Gather information about an environment's secrets, their readers and their differences from a file
description:
  - Lists all parameters below a path with type, tier, version, last change and the services whose task definition reads them, and what is read or
    wanted and does not exist.
  - Compares them with a list of names, and with values where some are given. Values leave neither this module nor its comparison.
  - Fingerprints are HMAC-SHA256 with a key that is made for one run and forgotten, since a plain hash of a short value is guessed at once. Equal ones
    are equal values within one result; between two results they say nothing.
  - "The gap it closes: M(amazon.aws.ssm_parameter_info) and the lookup P(amazon.aws.ssm_parameter#lookup) return values, and none knows the services."
author:
  - The atena.aws founders (@atena)
options:
  path:
    description: Path of the environment's parameters.
    type: str
    required: true
  cluster:
    description: The ECS cluster.
    type: str
    required: true
  services:
    description: Its services.
    type: list
    elements: str
    default: []
  desired:
    description: Names that shall hold a value that somebody gave.
    type: list
    elements: str
    default: []
  optional:
    description: Names that may be there in addition to those, as what other playbooks made.
    type: list
    elements: str
    default: []
  values:
    description: Values to compare with, by name. They are never written.
    type: dict
    default: {}
  placeholder:
    description: The value that means 'not set yet'.
    type: str
    default: CHANGE_ME
  record:
    description: Where rotations are recorded. Unset, none is reported.
    type: dict
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      key:
        description: Key of the object.
        type: str
        required: true
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
    details: Nothing is changed; what differs is in RV(comparison) and RV(comparison_lines).
  platform:
    platforms: posix
"""

EXAMPLES = r"""
- name: Which secrets are there, and who reads them?
  atena.aws.ssm_secrets_info:
    path: /atena/prod
    cluster: atena-prod-cluster
    services: [atena-prod-api, atena-prod-workers]
    desired: [CLAUDE_API_KEY, ADMIN_TOKEN]
  register: secrets_now
"""

RETURN = r"""
secrets:
  description: One entry for each parameter, and for each that is wanted or read and does not exist.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name, without the path.
      type: str
    state:
      description: C(set), C(CHANGE_ME), C(empty) or C(absent).
      type: str
    type:
      description: Its type in Parameter Store; null if it does not exist.
      type: str
      sample: SecureString
    tier:
      description: C(Standard), C(Advanced) or C(Intelligent-Tiering); null if it does not exist.
      type: str
    version:
      description: Its version; null if it does not exist.
      type: int
    last_modified:
      description: When its value was last changed, ISO 8601; null if it does not exist.
      type: str
    last_modified_by:
      description: ARN of who changed it; empty where AWS does not report it.
      type: str
    services:
      description: The services whose running task definition reads it.
      type: list
      elements: str
lines:
  description: The same for people.
  returned: success
  type: list
  elements: str
comparison:
  description: One entry for each name that is there or wanted.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    says:
      description: >-
        C(missing), C(not set) (still C(CHANGE_ME), or empty), C(same) or C(different) where there is a value to compare with, C(set) where there is
        none, C(unmanaged) if it is in neither O(desired) nor O(optional).
      type: str
    before:
      description: What it holds, as a word, with a fingerprint where there is a value to compare with.
      type: str
    after:
      description: What it would hold.
      type: str
comparison_lines:
  description: The comparison for people; what differs as a diff.
  returned: success
  type: list
  elements: str
differs:
  description: Names that are not as they are wanted. Unmanaged ones are not among them.
  returned: success
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.environment import rotation_record
from ansible_collections.atena.aws.plugins.module_utils.environment.read import side_by_side
from ansible_collections.atena.aws.plugins.module_utils.rotation import listing as secret_listing, readers as secret_readers
from ansible_collections.atena.aws.plugins.module_utils.secrets import store as parameter_store


def look(module: Module, call: Caller) -> dict[str, Any]:
    params = module.params
    path, placeholder = params["path"], params["placeholder"]
    readers: dict[str, Callable[[], Any]] = {
        "parameters": lambda: parameter_store.parameters_below(call, path),
        "described": lambda: parameter_store.described_below(call, path),
        "readers": lambda: secret_readers.read(call, params["cluster"], params["services"], path),
    }
    if params["record"]:
        readers["rotations"] = rotation_record.RotationRecord(call, params["record"]["bucket"], params["record"]["key"]).read
    found = side_by_side(call, readers)
    values = {parameter["Name"].removeprefix(f"{path}/"): parameter["Value"] for parameter in found["parameters"]}
    listed = secret_listing.entries(path, found["parameters"], found["described"], found["readers"], params["desired"], placeholder)
    wanted = {name: value for name, value in params["values"].items() if isinstance(value, str)}
    comparison = secret_listing.compare(values, params["desired"], params["optional"], wanted, placeholder, secret_listing.Fingerprint())
    return {
        "secrets": listed,
        "lines": secret_listing.lines(
            listed, secret_listing.duplicates(values, placeholder), found.get("rotations", []), params["cluster"].removesuffix("cluster")
        ),
        "comparison": comparison,
        "comparison_lines": secret_listing.comparison_lines(comparison),
        "differs": secret_listing.differs(comparison),
    }


def main() -> None:
    record = {"bucket": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False}}
    module = AwsModule(
        argument_spec={
            "path": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "str", "default": []},
            "desired": {"type": "list", "elements": "str", "default": []},
            "optional": {"type": "list", "elements": "str", "default": []},
            "values": {"type": "dict", "default": {}, "no_log": True},
            "placeholder": {"type": "str", "default": "CHANGE_ME"},
            "record": {"type": "dict", "options": record},
        },
        supports_check_mode=True,
    )
    try:
        result = look(module, Caller(module))
    except CallFailed as failed:
        module.fail_json(**told(failed))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
