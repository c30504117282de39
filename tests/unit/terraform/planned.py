"""plan_and_apply with its options side by side, as a test names one or two of them."""

from __future__ import annotations

from dataclasses import fields

from ansible_collections.atena.aws.plugins.module_utils.terraform import run as terraform_run
from ansible_collections.atena.aws.plugins.module_utils.terraform.guards import Guards
from ansible_collections.atena.aws.plugins.module_utils.terraform.run import Hooks, Request


def plan_and_apply(terraform, scratch="/nowhere", **options):
    options = {"lock_timeout": 5, **options}
    parts = [kind(**{one.name: options.pop(one.name) for one in fields(kind) if one.name in options}) for kind in (Request, Guards, Hooks)]
    assert not options
    return terraform_run.plan_and_apply(terraform, scratch, *parts)
