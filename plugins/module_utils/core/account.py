# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose account a module's calls go to: asked with the session that makes them, before the first one.

A task of its own at the start of a playbook would only tell it of the credentials of that task: another task's `environment`, profile or host may give others.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection
from typing import Any

from ansible.module_utils.basic import env_fallback
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Caller
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, told
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Call, Module
from ansible_collections.atena.aws.plugins.module_utils.core.variables import EXPECTED, VERIFIED

OPTIONS = {"expected_account_id": {"type": "str", "fallback": (env_fallback, [EXPECTED])}}


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


def proof(account: str, access_key: str) -> str:
    """That this access key is of this account, without the key: it is of one account only, for ever. '' of no key."""
    return f"{account}:{hashlib.sha256(access_key.encode()).hexdigest()[:16]}" if access_key else ""


def refuse_another(module: Module, region: str | None) -> None:
    """Ends a module whose credentials are not of the account that it is told to expect. Without one there is nothing to compare."""
    expected = module.params.get("expected_account_id")
    if not expected:
        return
    call = Caller(module)
    verified = os.environ.get(VERIFIED)
    if not verified or verified != proof(expected, call.access_key()):
        identity(module, region, call)


def identity(module: Module, region: str | None, call: Caller) -> dict[str, Any]:
    """Who is calling, as STS says. Ends the module if that is of another account than the expected one, or the region cannot be right."""
    problem = region_problem(region, call.regions())
    if problem:
        module.fail_json(msg=problem)
    try:
        found = call("sts", "get_caller_identity", "read the caller's identity from STS")
    except CallFailed as failed:
        module.fail_json(**told(failed))
    expected = module.params.get("expected_account_id")
    if expected and found["Account"] != expected:
        module.fail_json(
            msg=f"These credentials belong to account {found['Account']} ({found['Arn']}), but this environment is in account {expected}. "
            "Nothing was done. Use the other profile (AWS_PROFILE), or correct atena_expected_account_id."
        )
    return found


def of(module: Module, call: Call) -> str:
    """The account that a module calls: the expected one, which was verified, or as STS says. Raises CallFailed."""
    expected: str | None = module.params.get("expected_account_id")
    return expected or call("sts", "get_caller_identity", "read the caller's identity from STS")["Account"]
