#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: github_secrets
version_added: 0.1.0
short_description: Set Actions secrets of a GitHub repository, and only those that differ
description:
  - Seals each value with the repository's public key (libsodium's sealed box) and writes it through GitHub's REST API.
  - GitHub never returns a secret's value. So what was written is remembered in the state bucket, as a slow salted hash with the time that GitHub gave
    it. A secret is written again when its value is another one, when somebody else wrote it since, or when nothing is remembered of it.
  - "The gap it closes: the versions of community.general from 10 on have no module for a repository's secrets, and M(ansible.builtin.uri) can
    neither seal a value nor show whether it has to be written."
author:
  - The atena.aws founders (@atena)
options:
  repository:
    description: The repository, as C(owner/name).
    type: str
    required: true
  secrets:
    description: The secrets, values by name. Others that the repository has are left alone.
    type: dict
    required: true
  token:
    description:
      - A token with the repository permission 'Secrets' (read and write). E(ATENA_GITHUB_TOKEN) if it is not given. The token of a workflow
        itself cannot have it.
    type: str
  api_url:
    description: GitHub's API, also of an Enterprise Server. E(GITHUB_API_URL) if it is not given, else C(https://api.github.com).
    type: str
  record:
    description: Where it is remembered what was written.
    type: dict
    required: true
    suboptions:
      bucket:
        description: The state bucket.
        type: str
        required: true
      key:
        description: The object's key.
        type: str
        required: true
extends_documentation_fragment:
  - atena.aws.account
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ansible.builtin.action_common_attributes
  - atena.aws.lock
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Names and times, never a value.
  platform:
    platforms: posix
requirements:
  - PyNaCl
"""

EXAMPLES = r"""
- name: Update the load balancer's name in GitHub
  atena.aws.github_secrets:
    repository: acme/app
    secrets:
      ALB_DNS_NAME: "{{ stop_result.alb_dns_name }}"
    record:
      bucket: atena-terraform-state-123456789012
      key: atena/prod/github.json
  no_log: true
"""

RETURN = r"""
secrets:
  description: The outcome of each secret; in check mode, what would.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    action:
      description: C(create), C(update) or C(keep).
      type: str
    why:
      description: Why.
      type: str
  sample: [{name: ALB_DNS_NAME, action: update, why: has another value}]
repository:
  description: The repository.
  returned: success
  type: str
"""

from typing import Any

from ansible.module_utils.basic import env_fallback, missing_required_lib
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import told, CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.module import AwsModule
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module
from ansible_collections.atena.aws.plugins.module_utils.core.stored_object import StoredObject
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import holding, Lock, LOCK_OPTIONS, NoLock
from ansible_collections.atena.aws.plugins.module_utils.github import secrets
from ansible_collections.atena.aws.plugins.module_utils.github.api import GitHub, GitHubFailed


def existing(github: GitHub) -> dict[str, str]:
    found = github.pages("actions/secrets", "secrets", "list the secrets")
    return {entry["name"]: entry["updated_at"] for entry in found}


def write(github: GitHub, wanted: dict[str, str], planned: list[dict[str, Any]], record: tuple[StoredObject, dict[str, Any]], lock: Lock | NoLock) -> None:
    """Writes what is planned. What was written is remembered even if a later one fails. record: StoredObject and what it says."""
    stored, known = record
    key = github("GET", "actions/secrets/public-key", "read the public key")
    written = []
    try:
        for entry in planned:
            if entry["action"] != secrets.KEEP:
                lock.prove()
                body = {"encrypted_value": secrets.seal(wanted[entry["name"]], key["key"]), "key_id": key["key_id"]}
                github("PUT", f"actions/secrets/{entry['name']}", f"write the secret {entry['name']}", body)
                written.append(entry["name"])
    finally:
        if written:
            times = existing(github)
            known.update({name: {**secrets.hashed(wanted[name]), "updated_at": times.get(name, "")} for name in written})
            stored.write({"repository": github.repository, "secrets": known})


def work(module: Module, caller: Caller, lock: Lock | NoLock) -> dict[str, Any]:
    github = GitHub(module.params["api_url"], module.params["token"], module.params["repository"])
    wanted = {name: str(value) for name, value in module.params["secrets"].items()}
    stored = StoredObject(caller, module.params["record"]["bucket"], module.params["record"]["key"], "what was sent to GitHub")
    document = stored.read() or {}
    # Of another repository it says nothing about this one.
    known = dict(document.get("secrets", {})) if document.get("repository") == github.repository else {}
    there = existing(github)
    planned = secrets.plan(wanted, there, known)
    changed = any(entry["action"] != secrets.KEEP for entry in planned)
    if changed and not module.check_mode:
        write(github, wanted, planned, (stored, known), lock)
    result = {"changed": changed, "secrets": planned, "repository": github.repository}
    return {**result, "diff": secrets.diff(planned, there)} if module._diff else result


def main() -> None:
    module = AwsModule(
        argument_spec={
            "repository": {"type": "str", "required": True},
            "secrets": {"type": "dict", "required": True, "no_log": True},
            "token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["ATENA_GITHUB_TOKEN"])},
            "api_url": {"type": "str", "fallback": (env_fallback, ["GITHUB_API_URL"])},
            "record": {
                "type": "dict",
                "required": True,
                "options": {"bucket": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False}},
            },
            "lock": LOCK_OPTIONS,
        },
        supports_check_mode=True,
    )
    if not secrets.HAS_NACL:
        module.fail_json(msg=f"{missing_required_lib('PyNaCl')} GitHub takes secrets sealed only. Nothing was changed.")
    if not module.params["token"]:
        module.fail_json(msg="There is no token for GitHub. Nothing was changed. Set ATENA_GITHUB_TOKEN, for instance to what `gh auth token` prints.")
    refused = secrets.problems({name: str(value) for name, value in module.params["secrets"].items()})
    if refused:
        module.fail_json(msg=f"These secrets cannot be set, and nothing was changed: {'; '.join(refused)}")
    caller = Caller(module)
    try:
        with holding(caller, module.params["lock"], module.check_mode) as lock:
            result = work(module, caller, lock)
    except (CallFailed, GitHubFailed) as error:
        module.fail_json(**told(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
