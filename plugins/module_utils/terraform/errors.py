# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turns Terraform's diagnostics into one paragraph each: where, what, and what to do. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.redaction import Redactor, shown

# As Terraform's -json output has it: severity, summary, detail, and more.
Diagnostic = dict[str, Any]

# What is said where AWS was given no credentials, ones that have expired, and ones that it does not know.
_NONE = r"No valid credential sources|failed to refresh cached credentials|no EC2 IMDS role"
_EXPIRED = r"ExpiredToken|token included in the request is expired|RequestExpired"
_UNKNOWN = r"InvalidClientTokenId|InvalidAccessKeyId|UnrecognizedClientException|security token included in the request is invalid|SignatureDoesNotMatch"

# (what Terraform or its providers say, what to do about it). The first that matches is used.
_REMEDIES = (
    (_NONE, "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
    (_EXPIRED, "The credentials expired: get new ones and run the playbook again."),
    (
        _UNKNOWN,
        "AWS does not accept these credentials: check AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    ),
    (r"[Ii]nvalid (AWS )?[Rr]egion", "Correct atena_region: AWS has no region of that name."),
    (
        r"NoSuchBucket|S3 bucket .* does not exist|bucket does not exist",
        "The remote state is not there yet: run bootstrap.yml for this environment first, and check atena_project and the account.",
    ),
    (r"NoSuchKey|reading S3 Object|couldn't find resource.*aws_s3_object", "The gates object is missing: run bootstrap.yml for this environment first."),
    (r"requested resource not found|ResourceNotFoundException.*[Tt]able", "The state's lock table is missing: run bootstrap.yml for this environment first."),
    (
        r"checksums recorded in the dependency lock file|cached package .* does not match",
        "The provider's package is not the one that was used here before. If that is as it should be, remove .terraform.lock.hcl from the "
        "environment's working copy and run the playbook again.",
    ),
    (
        r"could not connect to registry|[Ff]ailed to query available provider|registry service is unreachable|no available releases match",
        "Terraform's registry must be reachable, or TF_CLI_CONFIG_FILE must name a file with a mirror of the providers (in the lab: `lab/lab env`).",
    ),
    (
        r"CreateOpenIDConnectProvider.*EntityAlreadyExists",
        "The account has GitHub's OIDC provider already, and there can be one only: set oidc_provider in atena_github to existing.",
    ),
    (
        r"(OIDC Provider|OpenIDConnectProvider).*(NoSuchEntity|not found|empty result)",
        "The account has no OIDC provider for GitHub: set oidc_provider in atena_github to create, in one environment of the account.",
    ),
    (
        r"AccessDenied|UnauthorizedOperation|not authorized to perform",
        "The caller may not do this: the README of the role `infra` lists the IAM permissions that it needs.",
    ),
    (r"connection refused|no such host|dial tcp", "Nothing answers there: check the network and AWS_ENDPOINT_URL (in the lab: `lab/lab up`)."),
    (
        r"DBSnapshotAlreadyExists",
        "The name of the final snapshot is taken: `terraform apply -replace=random_id.final_snapshot` in the working copy draws a new one.",
    ),
)

_MOST_SHOWN = 5
_FRAME = re.compile(r"^\s*[╷│╵]\s?")
# Takes what is not to be shown out of a diagnostic. Terraform marks what is sensitive; an error of AWS's or of a provider's may quote a URL.
_REDACTOR = Redactor([])
# Terraform quotes both values of an attribute where a provider contradicts itself, such as a container's definition with its environment.
_QUOTED = re.compile(r'cty\.StringVal\("(?:[^"\\]|\\.)*"\)')


def from_stream(lines: Iterable[str]) -> tuple[list[Diagnostic], list[str]]:
    """(diagnostics, other lines) of Terraform's -json output; what is not JSON is kept as text."""
    diagnostics, others = [], []
    for line in lines:
        try:
            message = json.loads(line)
        except ValueError:
            if line.strip():
                others.append(line.rstrip())
            continue
        if isinstance(message, dict) and message.get("type") == "diagnostic":
            diagnostics.append(_REDACTOR.everything(message["diagnostic"]))
    return diagnostics, others


def plain(text: str) -> str:
    """Text without colours and frames."""
    return "\n".join(_FRAME.sub("", line) for line in shown(text).splitlines())


def from_text(text: str) -> list[Diagnostic]:
    """Diagnostics of the human output, for the commands that have no other (init before Terraform 1.9).

    Each stands in a frame, whose first line is its summary: an 'Error:' further down is a cause that the detail quotes.
    """
    diagnostics, opened = [], False
    for line in shown(text).splitlines():
        start = re.match(r"│\s*(Error|Warning): (.*)", line)
        if opened and start:
            diagnostics.append({"severity": start[1].lower(), "summary": start[2], "detail": ""})
        elif line.startswith("│") and diagnostics:
            diagnostics[-1]["detail"] += _FRAME.sub("", line) + "\n"
        opened = line.startswith("╷")
    for diagnostic in diagnostics:
        diagnostic["detail"] = diagnostic["detail"].strip()
    return diagnostics


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", _QUOTED.sub("(value hidden)", text)).strip()


def remedy(text: str) -> str:
    for pattern, advice in _REMEDIES:
        if re.search(pattern, text, re.DOTALL):
            return advice
    return ""


def about_credentials(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether one of these errors says that the credentials are none, or no good any more."""
    told = (f"{error.get('summary', '')} {error.get('detail', '')}" for error in diagnostics if error.get("severity") == "error")
    return any(re.search(f"{_NONE}|{_EXPIRED}|{_UNKNOWN}", text) for text in told)


def _field(name: str, text: str) -> str:
    found = re.search(rf"^\s*{name}:\s*(.+?)\s*$", text, re.MULTILINE)
    return found[1] if found else "unknown"


def lock_holder(diagnostics: Iterable[Diagnostic]) -> dict[str, str] | None:
    """{'ID', 'Who', 'Created', 'Operation'} of the lock that kept Terraform out. None if nobody holds it: then something else was the matter."""
    for diagnostic in diagnostics:
        detail = diagnostic.get("detail", "")
        if "acquiring the state lock" in diagnostic.get("summary", "") and _field("ID", detail) != "unknown":
            return {name: _field(name, detail) for name in ("ID", "Who", "Created", "Operation")}
    return None


def _lock(diagnostic: Diagnostic, directory: str | Path) -> str | None:
    holder = lock_holder([diagnostic])
    if holder is None:
        return None
    return (
        f"The Terraform state is locked: {holder['Who']} has held the lock since {holder['Created']} for "
        f"{holder['Operation']}. If that run is still active, wait for it (lock_timeout makes this one wait automatically). If it was killed, "
        f"and only then, release the lock: terraform -chdir={directory} force-unlock {holder['ID']}"
    )


def condense(diagnostic: Diagnostic, directory: str | Path = "") -> str:
    """One paragraph about one diagnostic."""
    summary, detail = diagnostic.get("summary", ""), diagnostic.get("detail", "")
    held = _lock(diagnostic, directory)
    if held:
        return held
    if "Saved plan is stale" in summary:
        return "Somebody changed the Terraform state after this plan was made, so it was not applied. Run the playbook again: it plans again."
    where = diagnostic.get("address", "")
    place = diagnostic.get("range") or {}
    if place.get("filename"):
        source = f"{place['filename']}:{place.get('start', {}).get('line', '?')}"
        where = f"{where} ({source})" if where else source
    # Where the summary alone tells the cause, the detail only repeats it at length.
    told = remedy(summary)
    text = _squeezed(summary if told or not detail else f"{summary}: {detail}")
    advice = told or remedy(text)
    return f"{where + ': ' if where else ''}{text.rstrip('.')}.{' ' + advice if advice else ''}"


def explain(doing: str, diagnostics: Iterable[Diagnostic], others: Iterable[str] = (), directory: str | Path = "") -> str:
    """What to tell the user about a command that failed. `doing` completes 'Terraform could not'."""
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.get("severity") == "error"]
    paragraphs = list(dict.fromkeys(condense(error, directory) for error in errors))
    if not paragraphs:
        said = _squeezed(plain("\n".join(others)))[-2000:]
        # Some commands, such as `state push`, tell of errors without a frame.
        paragraphs = [" ".join(part for part in (said, remedy(said)) if part) or "It said nothing."]
    more = len(paragraphs) - _MOST_SHOWN
    shown = paragraphs[:_MOST_SHOWN] + ([f"... and {more} more errors."] if more > 0 else [])
    return f"Terraform could not {doing}. " + "\n".join(shown)


def warnings(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """Warnings worth passing on."""
    found = [diagnostic for diagnostic in diagnostics if diagnostic.get("severity") == "warning"]
    # The lock table is what serves Terraform 1.7 to 1.9 too; that newer ones prefer a lock file is nothing to act on.
    return list(dict.fromkeys(condense(warning) for warning in found if "dynamodb_table" not in json.dumps(warning)))
