#!/usr/bin/env bash
# A module made with amazon.aws's AnsibleAWSModule that warns shows two things with ansible-core 2.19 and later: its warning, and a deprecation warning of
# ansible-core's about the module ("Passing `warnings` to `exit_json` or `fail_json` is deprecated ... removed from ansible-core version 2.23"). amazon.aws keeps
# each warning and hands it on as `warnings` as well, because it takes those versions for ones that leave warnings out of the result, which they do not.
#
# Guess before it was run: module.warn() is what the deprecation asks for, so whoever calls it sees one warning, in every version.
# Why it matters: whoever writes a module with that class is told of a fault in it that is not there, in every run that warns about anything.
# What helps: a subclass whose warn() calls AnsibleModule's own and keeps nothing (plugins/module_utils/core/module.py); ansible-core 2.19 puts it in the result.
# Seen with amazon.aws 10.1.2 and ansible-core 2.19.14 (of ansible 12.3.0 of PyPI), and with plain AnsibleModule beside it, 2026-11-30. It needs Python 3.11 or later.
set -eu -o pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 HOME=$work ANSIBLE_NOCOLOR=1
unset ANSIBLE_CONFIG ANSIBLE_COLLECTIONS_PATH AWS_PROFILE
cd "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet ansible==12.3.0 ansible-core==2.19.14 boto3==1.43.106 2>/dev/null
"$work/venv/bin/ansible-galaxy" collection list amazon.aws 2>/dev/null | grep -Eo 'amazon\.aws +[0-9.]+' | head -n 1

mkdir "$work/library"
module() {
  cat >"$work/library/$1.py" <<PYTHON
from $2 import $3


def main():
    module = $3(argument_spec={})
    module.warn("The disk is nearly full.")
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
PYTHON
}
module of_amazon_aws ansible_collections.amazon.aws.plugins.module_utils.modules AnsibleAWSModule
module of_ansible ansible.module_utils.basic AnsibleModule

# How often a run of this module shows the warning, and how often the deprecation: "warning deprecation".
seen() {
  local out
  out=$("$work/venv/bin/ansible" localhost -c local -e ansible_python_interpreter="$work/venv/bin/python" -M "$work/library" -m "$1" 2>&1 | tr '\n' ' ')
  echo "$(grep -o '\[WARNING\]: The disk is nearly full' <<<"$out" | wc -l) $(grep -o 'Passing `warnings` to `exit_json`' <<<"$out" | wc -l)"
}
plain=$(seen of_ansible) amazon=$(seen of_amazon_aws)
echo "AnsibleModule: warnings shown, deprecations shown: $plain"
echo "AnsibleAWSModule: warnings shown, deprecations shown: $amazon"
[ "$plain" = "1 0" ]
[ "$amazon" = "1 1" ]
