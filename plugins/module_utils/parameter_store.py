# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What our modules ask of Parameter Store. Values are among the answers: none of them may be shown, returned or saved."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.aws_errors import CallFailed, absent_as
from ansible_collections.atena.aws.plugins.module_utils.environment_read import parameters_named
from ansible_collections.atena.aws.plugins.module_utils.ssm_secrets import tier


def read_all(call, path: str, names: list[str]) -> dict:
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


def create(call, path: str, name: str, value: str, description: str = "", tags: dict | None = None) -> int:
    """Writes one that is not there. Returns its version. Without Overwrite, Parameter Store refuses if somebody was faster."""
    arguments = {"Tags": [{"Key": key, "Value": text} for key, text in sorted((tags or {}).items())]}
    if description:
        arguments["Description"] = description
    return _put(call, path, name, value, **arguments)


def update(call, path: str, name: str, value: str) -> int:
    """A new value for one that is there. Returns its version.

    A short value for one of the advanced tier may be refused as a downgrade, which AWS does not have; then the tier that it has is named.
    """
    try:
        return _put(call, path, name, value, Overwrite=True)
    except CallFailed as failed:
        if failed.code != "ValidationException" or "advanced" not in str(failed).lower():
            raise
        return _put(call, path, name, value, Overwrite=True, Tier="Advanced")


def _put(call, path, name, value, **arguments):
    # The tier is stated only where it has to be: one that is advanced stays so, and an account may have a default of its own.
    if tier(value) == "Advanced":
        arguments["Tier"] = "Advanced"
    answer = call("ssm", "put_parameter", f"write the secret {name}", Name=f"{path}/{name}", Value=value, Type="SecureString", **arguments)
    return answer["Version"]


def described_below(call, path: str) -> list[dict]:
    """What AWS tells of the parameters below a path beside their values, such as the tier."""
    filters = [{"Key": "Path", "Option": "Recursive", "Values": [path]}]
    return call.pages("ssm", "describe_parameters", f"describe the parameters below {path}", "Parameters", ParameterFilters=filters)


def history(call, path: str, name: str) -> list[dict]:
    """[{value, version, labels}] of a parameter, oldest first; [] if it does not exist. Parameter Store keeps the last hundred."""
    where = f"{path}/{name}"
    doing = f"read the earlier values of {where}"
    found = absent_as([], "Parameter", lambda: call.pages("ssm", "get_parameter_history", doing, "Parameters", Name=where, WithDecryption=True))
    told = [{"value": item["Value"], "version": item["Version"], "labels": item.get("Labels", [])} for item in found]
    return sorted(told, key=lambda item: item["version"])


def label(call, path: str, name: str, version: int, text: str) -> None:
    """Puts a label on one version; it leaves the version that had it."""
    where = f"{path}/{name}"
    call("ssm", "label_parameter_version", f"label version {version} of {where}", Name=where, ParameterVersion=version, Labels=[text])


def unlabel(call, path: str, name: str, version: int, text: str) -> None:
    where = f"{path}/{name}"
    call("ssm", "unlabel_parameter_version", f"take the label from version {version} of {where}", Name=where, ParameterVersion=version, Labels=[text])


def delete(call, path: str, name: str) -> None:
    """Takes a parameter away with all its versions; none there is as good."""
    absent_as(None, "Parameter", lambda: call("ssm", "delete_parameter", f"delete the parameter {path}/{name}", Name=f"{path}/{name}"))
