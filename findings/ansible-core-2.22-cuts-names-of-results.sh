#!/usr/bin/env bash
# ansible-core 2.22.0rc1 cuts the values of a vaulted file out of everything that callbacks get - not only out of values, but out of the *names* in a result, and
# out of numbers. A vaulted `1` turns the return code 11 into text; a vaulted `c` leaves no `rc`, no `changed` and no `failed` to look up.
#
# Guess before it was run: values that equal a secret are masked, as with no_log; a secret as short as one character is left alone; keys stay.
# Why it matters: a callback (a result file, a job's artifacts) that reads result["failed"] or result["rc"] meets a KeyError, and half an id names nothing.
# What helps: encrypt single values (`!vault`) instead of whole files; a callback has to take missing names for "cut".
# Seen with ansible-core 2.22.0rc1 on Python 3.13, 2026-11-29. It needs Python 3.13 or newer: PYTHON=/path/to/python3.13 names one.
set -eu -o pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.13}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ansible-core==2.22.0rc1 2>/dev/null
cd "$work"
export HOME=$work ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_CALLBACK_PLUGINS=$work/callbacks ANSIBLE_CALLBACKS_ENABLED=looks

mkdir callbacks
cat >callbacks/looks.py <<'PYTHON'
import json
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_NAME, CALLBACK_TYPE = 2.0, "looks", "aggregate"

    def v2_runner_on_failed(self, result, ignore_errors=False):
        found = result.result if hasattr(result, "result") else result._result
        names = sorted(name for name in found if "invocation" not in name)
        print("LOOKS " + json.dumps({"names": names, "rc": repr(found.get("rc")), "cmd": found.get("cmd")}, default=str), flush=True)
PYTHON
cat >play.yml <<'YAML'
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.command: {argv: [sh, -c, exit 11]}
YAML
echo open >password

# With a vaulted file of these variables: what the callback saw.
looked() {
  printf '%s' "$1" >vaulted.yml
  "$work/venv/bin/ansible-vault" encrypt --vault-password-file password vaulted.yml >/dev/null 2>&1
  # The task is to fail.
  ("$work/venv/bin/ansible-playbook" play.yml -e @vaulted.yml --vault-password-file password 2>/dev/null || true) | grep "^LOOKS " | cut -d' ' -f2-
}

"$work/venv/bin/ansible" --version | sed -n 1p
whole=$(looked '{"a": "nowhere-to-be-found"}') number=$(looked '{"a": "1"}') letter=$(looked '{"a": "c"}')
echo "a value that stands nowhere: $whole"
echo "the value 1:                 $number"
echo "the value c:                 $letter"
python=$work/venv/bin/python
"$python" - "$whole" "$number" "$letter" <<'PYTHON'
import json
import sys

whole, number, letter = map(json.loads, sys.argv[1:])
assert whole["rc"] == "11" and {"rc", "cmd", "changed"} <= set(whole["names"]), whole
assert "REDACTED" in number["rc"], number
assert "rc" not in letter["names"] and "changed" not in letter["names"] and any("REDACTED" in name for name in letter["names"]), letter
print("As found: numbers and names in results are cut as well.")
PYTHON
