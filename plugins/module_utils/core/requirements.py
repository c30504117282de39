# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which Python and SDK this collection needs, and what is said where they are too old. Nothing else checks it: amazon.aws only warns, of older ones.

This file, and the imports of all others, have to work where they are too old: otherwise a traceback comes first.
"""

from __future__ import annotations

import re
import sys

from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Module

PYTHON = "3.11"
# 1.35.69 is the first that knows S3's IfMatch on PutObject, which ledger and journals need.
SDK = "1.35.69"


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def python_problem(where: str, version: str, interpreter: str, remedy: str) -> str:
    """Why this Python cannot be right, or ''. where: what it runs."""
    if numbers(version) >= numbers(PYTHON):
        return ""
    return f"Python {version} ({interpreter}) runs {where}, but the collection atena.aws needs Python {PYTHON} or newer. Nothing was changed. {remedy}"


def sdk_problem(boto3: str, botocore: str, interpreter: str) -> str:
    """Why this SDK cannot be right, or ''."""
    old = [f"{name} {version}" for name, version in (("boto3", boto3), ("botocore", botocore)) if numbers(version) < numbers(SDK)]
    if not old:
        return ""
    return (
        f"{' and '.join(old)} of {interpreter} {'is' if len(old) == 1 else 'are'} too old: the collection atena.aws needs boto3 and botocore {SDK} or newer, "
        "the first that can write to S3 on a condition. Nothing was changed. "
        f"Upgrade: {interpreter} -m pip install --upgrade 'boto3>={SDK}' 'botocore>={SDK}'"
    )


def this_python() -> str:
    return ".".join(str(number) for number in sys.version_info[:3])


def refuse_old_python(module: Module) -> None:
    """Ends the module where the Python that runs it is too old."""
    problem = python_problem(
        "this module", this_python(), sys.executable, "Set ansible_python_interpreter to a newer one that has boto3, such as '{{ ansible_playbook_python }}'."
    )
    if problem:
        module.fail_json(msg=problem)
