# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `progress_file` of modules that tell what they do while they do it (module_utils/core/progress.py)."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - A file or pipe to which lines are added while the module works, one JSON object each, with a C(text), or a C(line) of another program's output.
        The collection's action plugin gives one and shows its lines, unless C(atena_progress) is V(quiet).
    type: path
"""
