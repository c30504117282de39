# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What our modules ask of Parameter Store. Values are among the answers: none of them may be shown, returned or saved."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Conflict, Denied, absent_as
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.secrets.plan import tier

PLACEHOLDER = "CHANGE_ME"
# The most that a filter takes.
_NAMES_A_FILTER = 50
# GetParameters takes no more names than this at a time.
_PARAMETERS_A_CALL = 10


def parameters_named(call: Call, names: list[str], doing: str) -> tuple[list[dict[str, Any]], list[str]]:
    """(those that exist, with their values; names of those that do not), however many."""
    found: list[dict[str, Any]] = []
    missing: list[str] = []
    for start in range(0, len(names), _PARAMETERS_A_CALL):
        answer = call("ssm", "get_parameters", doing, Names=names[start : start + _PARAMETERS_A_CALL], WithDecryption=True)
        found += answer["Parameters"]
        missing += answer.get("InvalidParameters", [])
    return found, missing


def parameters_below(call: Aws, path: str, decrypted: bool = True) -> list[dict[str, Any]]:
    """All parameters below a path, with their values (encrypted ones if not `decrypted`): none of those may be shown, returned or saved."""
    doing = f"list the parameters below {path}"
    return call.pages("ssm", "get_parameters_by_path", doing, "Parameters", Path=path, Recursive=True, WithDecryption=decrypted)


def parameter_entry(parameter: dict, placeholder: str = PLACEHOLDER) -> dict:
    """What people may know of a parameter: never its value."""
    return {
        "name": parameter["Name"],
        "type": parameter["Type"],
        "version": parameter["Version"],
        "last_modified": parameter["LastModifiedDate"].isoformat(),
        "is_set": parameter["Value"] not in ("", placeholder),
    }


def read_all(call: Call, path: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """{name: {value, type, version, last_modified}} of those that exist."""
    found, _missing = parameters_named(call, [f"{path}/{name}" for name in names], f"read the secrets below {path}")
    return {
        parameter["Name"].rsplit("/", 1)[1]: {
            "value": parameter["Value"],
            "type": parameter["Type"],
            "version": parameter["Version"],
            "last_modified": parameter["LastModifiedDate"].isoformat(timespec="seconds"),
        }
        for parameter in found
    }


def create(call: Aws, path: str, name: str, value: str, description: str = "", tags: dict | None = None, beside: str = "") -> int:
    """Writes one that is not there. Returns its version. Without Overwrite, Parameter Store refuses if somebody was faster.

    beside: the parameter whose key the new one has, too: what is as secret as that one may not be readable for more people. Otherwise it is the account's own.
    """
    arguments: dict[str, Any] = {"Tags": [{"Key": key, "Value": text} for key, text in sorted((tags or {}).items())]}
    if description:
        arguments["Description"] = description
    # The tier is stated only where it has to be: an account may have a default of its own.
    if tier(value) == "Advanced":
        arguments["Tier"] = "Advanced"
    if beside and (key := _kept(call, f"{path}/{beside}").key):
        arguments["KeyId"] = key
    where = f"{path}/{name}"
    try:
        return call("ssm", "put_parameter", f"write the secret {name}", Name=where, Value=value, Type="SecureString", **arguments)["Version"]
    except Conflict:
        # It may be there by this very call, whose first answer was lost.
        found, _missing = parameters_named(call, [where], f"see whether the secret {name} was written")
        if not found or found[0]["Value"] != value:
            raise
        return found[0]["Version"]


class Kept(NamedTuple):
    """What a new value leaves as it is: told nothing of it, PutParameter takes the account's own key, and the account's own tier."""

    type: str
    tier: str
    key: str


def kept(call: Aws, names: list[str]) -> dict[str, Kept]:
    """{name: Kept} of parameters by their whole names; of those that do not exist nothing."""
    found = {}
    for start in range(0, len(names), _NAMES_A_FILTER):
        some = names[start : start + _NAMES_A_FILTER]
        filters = [{"Key": "Name", "Option": "Equals", "Values": some}]
        try:
            described = call.pages("ssm", "describe_parameters", f"read the keys of {', '.join(some)}", "Parameters", ParameterFilters=filters)
        except Denied as failed:
            raise failed.saying(
                f"{failed} No new value was written: it would be encrypted with the account's own key where the parameter has another. The caller needs "
                "ssm:DescribeParameters (on *; it returns no values)."
            ) from failed
        found.update({item["Name"]: Kept(item["Type"], item.get("Tier", ""), item.get("KeyId", "")) for item in described})
    return found


def update(call: Aws, path: str, name: str, value: str, there: Kept | None = None) -> int:
    """A new value for one that is there, encrypted whatever it was before. Returns its version. there: its `kept`, where that was asked already."""
    where = f"{path}/{name}"
    return rewrite(call, where, value, (there or _kept(call, where))._replace(type="SecureString"), f"write the secret {name}")


def rewrite(call: Aws, where: str, value: str, there: Kept | None = None, doing: str = "") -> int:
    """A new value for one that is there, by its whole name; its type, tier and key stay. Returns its version.

    A short value for one that became an advanced one meanwhile may be refused as a downgrade, which AWS does not have; then that tier is named.
    """
    there, doing = there or _kept(call, where), doing or f"update the secret {where}"
    arguments = {"Name": where, "Value": value, "Type": there.type, "Overwrite": True, **({"KeyId": there.key} if there.key else {})}
    advanced = {"Tier": "Advanced"}
    try:
        return call("ssm", "put_parameter", doing, **arguments, **(advanced if "Advanced" in (there.tier, tier(value)) else {}))["Version"]
    except CallFailed as failed:
        if failed.code == "ValidationException" and "advanced" in str(failed).lower():
            return call("ssm", "put_parameter", doing, **arguments, **advanced)["Version"]
        if there.key and (isinstance(failed, Denied) or failed.code == "InvalidKeyId"):
            raise failed.saying(
                f"{failed} {where} is encrypted with the key {there.key}, and stays so: in addition to ssm:PutParameter the caller needs kms:Encrypt "
                f"on that key, of "
                "the advanced tier kms:GenerateDataKey."
            ) from failed
        raise


def _kept(call: Aws, where: str) -> Kept:
    found = kept(call, [where]).get(where)
    if found is None:
        raise CallFailed(f"Parameter Store does not list {where}, so that its key is not known. Nothing was written. Run this again, and see who deleted it.")
    return found


def described_below(call: Aws, path: str) -> list[dict[str, Any]]:
    """What AWS tells of the parameters below a path beside their values, such as the tier."""
    filters = [{"Key": "Path", "Option": "Recursive", "Values": [path]}]
    return call.pages("ssm", "describe_parameters", f"describe the parameters below {path}", "Parameters", ParameterFilters=filters)


def history(call: Aws, path: str, name: str) -> list[dict[str, Any]]:
    """[{value, version, labels}] of a parameter, oldest first; [] if it does not exist. Parameter Store keeps the last hundred."""
    return versions(call, f"{path}/{name}")


def versions(call: Aws, where: str) -> list[dict[str, Any]]:
    """The history of a parameter by its whole name."""
    doing = f"read the earlier values of {where}"
    found: list[dict[str, Any]] = absent_as(
        [], "Parameter", lambda: call.pages("ssm", "get_parameter_history", doing, "Parameters", Name=where, WithDecryption=True)
    )
    told = [{"value": item["Value"], "version": item["Version"], "labels": item.get("Labels", [])} for item in found]
    return sorted(told, key=lambda item: item["version"])


def label(call: Call, path: str, name: str, version: int, text: str) -> None:
    """Puts a label on one version; it leaves the version that had it."""
    where = f"{path}/{name}"
    call("ssm", "label_parameter_version", f"label version {version} of {where}", Name=where, ParameterVersion=version, Labels=[text])


def unlabel(call: Call, path: str, name: str, version: int, text: str) -> None:
    where = f"{path}/{name}"
    call("ssm", "unlabel_parameter_version", f"take the label from version {version} of {where}", Name=where, ParameterVersion=version, Labels=[text])


def delete(call: Call, path: str, name: str) -> None:
    """Takes a parameter away with all its versions; none there is as good."""
    absent_as(None, "Parameter", lambda: call("ssm", "delete_parameter", f"delete the parameter {path}/{name}", Name=f"{path}/{name}"))
