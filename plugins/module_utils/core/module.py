# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all our modules that call AWS are made with: amazon.aws's class, which refuses a Python or an SDK that is too old, and another account than the expected
one, before anything is done.

Only what amazon.aws 9.0.0 has of it may be used: later versions hand anything else on to AnsibleModule, that one does not.
"""

from __future__ import annotations

import sys
from typing import Any

try:
    import boto3
    import botocore
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.atena.aws.plugins.module_utils.core import account, requirements
from ansible_collections.atena.aws.plugins.module_utils.core.calls import Session


class AwsModule(AnsibleAWSModule):
    def __init__(self, verifies_account: bool = True, **options: Any) -> None:
        """verifies_account: False of the module whose work that is."""
        super().__init__(**{**options, "argument_spec": {**account.OPTIONS, **options["argument_spec"]}})
        requirements.refuse_old_python(self)
        problem = requirements.sdk_problem(boto3.__version__, botocore.__version__, sys.executable)
        if problem:
            self.fail_json(msg=problem)
        self.aws_session = Session(self)
        if verifies_account:
            account.refuse_another(self, self.region)

    def warn(self, *warning: Any, **options: Any) -> None:
        """Shows a warning. amazon.aws 10 and 11 keep each for the result as well, which ansible-core 2.19 and later call deprecated on the screen."""
        self._module.warn(*warning, **options)
