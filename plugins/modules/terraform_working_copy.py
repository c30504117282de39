#!/usr/bin/python
# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: terraform_working_copy
version_added: 0.1.0
short_description: Create a private working copy of a Terraform configuration for one environment
description:
  - Copies the configuration's files, removes from the copy what the source no longer has, and writes the backend and the variables
    in addition to them, so that plain C(terraform init) and C(terraform plan) work there too. Environments do not share a data directory, so
    any number can be planned at a time.
  - What Terraform itself keeps there (C(.terraform), C(.terraform.lock.hcl), C(errored.tfstate)) is left alone, but for the locked versions when others
    are asked for.
  - "The gap it closes: M(ansible.builtin.copy) takes a round trip for each file and never removes one, so that a resource deleted from
    the source would live on in the copy."
author:
  - The atena.aws founders (@atena)
options:
  source:
    description: Directory of the configuration.
    type: path
    required: true
  path:
    description: Directory of the working copy. It is made private to the user, as are its files.
    type: path
    required: true
  backend:
    description: Arguments of the C(s3) backend, written to C(backend_override.tf.json).
    type: dict
    required: true
  variables:
    description:
      - The configuration's variables, written to C(terraform.auto.tfvars.json). Do not put secrets here.
    type: dict
    required: true
  provider_versions:
    description:
      - Version constraints of providers by their source, such as V(6.62.0) for C(hashicorp/aws), in place of the configuration's own.
      - They are written to C(versions_override.tf.json).
    type: dict
    default: {}
extends_documentation_fragment:
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
- name: Create the working copy
  atena.aws.terraform_working_copy:
    source: infra
    path: /home/ana/.local/state/atena/atena-prod/infra
    backend:
      bucket: atena-terraform-state-123456789012
      key: atena/prod/terraform.tfstate
      region: us-east-1
      dynamodb_table: atena-terraform-locks
      encrypt: true
    variables:
      project: atena
      stage: prod
"""

RETURN = r"""
directory:
  description: The working copy.
  returned: success
  type: str
written:
  description: Files that were new or different.
  returned: success
  type: list
  elements: str
removed:
  description: Files that the source no longer has.
  returned: success
  type: list
  elements: str
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.atena.aws.plugins.module_utils.core import requirements

_SUFFIXES = (".tf", ".tf.json", ".tftpl", ".tfvars", ".tfvars.json")
_VERSIONS = "versions_override.tf.json"


def configuration_files(directory: Path) -> dict[str, bytes]:
    """{relative path: content} of the configuration below a directory, without Terraform's own data."""
    found = {}
    for path in sorted(Path(directory).rglob("*")):
        relative = path.relative_to(directory)
        if path.name.endswith(_SUFFIXES) and path.is_file() and not any(part.startswith(".") for part in relative.parts):
            found[str(relative)] = path.read_bytes()
    return found


def wanted_files(
    source_files: dict[str, bytes], backend: dict[str, Any], variables: dict[str, Any], provider_versions: dict[str, str] | None = None
) -> dict[str, bytes]:
    """{relative path: content} of what the working copy must hold."""

    def document(value: dict[str, Any]) -> bytes:
        return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()

    providers = {source.rpartition("/")[2]: {"source": source, "version": version} for source, version in (provider_versions or {}).items()}
    return {
        **source_files,
        **({_VERSIONS: document({"terraform": {"required_providers": providers}})} if providers else {}),
        "backend_override.tf.json": document({"terraform": {"backend": {"s3": backend}}}),
        "terraform.auto.tfvars.json": document(variables),
    }


def write(path: Path, content: bytes) -> None:
    """Writes a private file in one step, so that nobody ever reads half of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "path": {"type": "path", "required": True},
            "backend": {"type": "dict", "required": True},
            "variables": {"type": "dict", "required": True},
            "provider_versions": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    requirements.refuse_old_python(module)
    source, target = Path(module.params["source"]), Path(module.params["path"])
    if not configuration_files(source):
        module.fail_json(msg=f"There is no Terraform configuration in {source}.")
    wanted = wanted_files(configuration_files(source), *(module.params[name] for name in ("backend", "variables", "provider_versions")))
    current = configuration_files(target) if target.is_dir() else {}
    written = [name for name, content in wanted.items() if current.get(name) != content]
    removed = [name for name in current if name not in wanted]
    if not module.check_mode:
        try:
            # mkdir's mode holds for the last directory only, and the one above is the environment's own.
            for directory in (target.parent, target):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.chmod(0o700)
            for name in written:
                write(target / name, wanted[name])
            for name in removed:
                (target / name).unlink()
            if _VERSIONS in (*written, *removed):
                # Terraform would insist on the versions that it locked by the constraints of before.
                (target / ".terraform.lock.hcl").unlink(missing_ok=True)
        except OSError as error:
            module.fail_json(msg=f"Could not write the working copy {target}: {error.strerror}. Check the directory's owner, or set atena_work_dir.")
    module.exit_json(changed=bool(written or removed), directory=str(target), written=written, removed=removed)


if __name__ == "__main__":
    main()
