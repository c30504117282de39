# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether an application knows that it speaks to its own database: the mode in DATABASE_URL, the bundle in the images, the database's certificate."""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.ecs.references import parameter_name
from ansible_collections.atena.aws.plugins.module_utils.environment.read import CERTIFICATE_SOON, certificate_of
from ansible_collections.atena.aws.plugins.module_utils.images.bundle import VARIABLES
from ansible_collections.atena.aws.plugins.module_utils.preflight.findings import bad, doubt, good, unread

VERIFYING = ("verify-full", "verify-ca")
_CHANGE = "secrets.yml -e secrets_action=sslmode -e secrets_sslmode=verify-full"
_PAGE = "docs/application.md, 'A database that is verified'"
_RENEW = "aws rds modify-db-instance --db-instance-identifier {name} --ca-certificate-identifier {authority} --apply-immediately"


def check_database_tls(facts: dict[str, Any], request: dict[str, Any]) -> list[dict[str, Any]]:
    """DATABASE_URL asks for a verified connection, and the containers that read it can have one."""
    findings, modes = [], {}
    for service, definition in facts["definitions"].items():
        for container in definition["containerDefinitions"]:
            name = _database_url(container, facts)
            if name is None:
                continue
            modes[name] = facts["parameters"][name]["sslmode"]
            if request.get("ca_bundles") and modes[name] in VERIFYING:
                findings += _bundle(service, container, facts)
    return [_mode(name, mode) for name, mode in modes.items()] + findings


def _database_url(container: dict[str, Any], facts: dict[str, Any]) -> str | None:
    """The parameter from which a container has a DATABASE_URL whose mode is known."""
    for secret in container.get("secrets", []):
        name = parameter_name(secret["valueFrom"], facts["scope"]["region"]) if secret["name"] == "DATABASE_URL" else None
        if name and "sslmode" in (facts["parameters"].get(name) or {}):
            return name
    return None


def _mode(name: str, mode: str) -> dict[str, Any]:
    if mode == "verify-full":
        return good("database_tls", name, "sslmode=verify-full")
    if mode == "verify-ca":
        says = "says sslmode=verify-ca: any database with a certificate of the same authority is taken for this one."
    elif mode:
        says = f"says sslmode={mode}: by it most drivers do not see whether they speak to the database (node-postgres 8 verifies all the same for require)."
    else:
        says = "says no sslmode: whether the connection is encrypted and verified is left to the driver."
    return doubt(
        "database_tls",
        name,
        says,
        f"Once the images have a certificate bundle ({_PAGE}): {_CHANGE}. New tasks that fail their health checks make the old value return.",
    )


def _bundle(service: str, container: dict[str, Any], facts: dict[str, Any]) -> list[dict[str, Any]]:
    subject, reference = f"{service}/{container['name']}", facts["service_images"][service].get(container["name"], "")
    image = facts["images"].get(reference)
    if not image or unread(image) or not image.get("exists"):
        return []  # check_images speaks of these
    if {entry["name"] for entry in container.get("environment") or []} & set(VARIABLES):
        return [good("ca_bundle", subject, "its task definition shows where")]
    if image.get("bundle") is None:
        return [doubt("ca_bundle", subject, f"of {reference.rsplit('/', 1)[-1]} could not be determined. {image['why']}".strip())]
    if image["bundle"]["path"] or image["bundle"]["own"]:
        return [good("ca_bundle", subject, image["bundle"]["path"] or "the image shows where itself")]
    return [
        doubt(
            "ca_bundle",
            subject,
            f"{reference.rsplit('/', 1)[-1]} has no certificate bundle that anything knows of, and DATABASE_URL asks for a verified connection: RDS's "
            "authorities are in no default trust store, so the application would refuse its database.",
            f"Put it into the image ({_PAGE}). If it has one elsewhere, set atena_ca_bundle, or NODE_EXTRA_CA_CERTS and PGSSLROOTCERT in the Dockerfile.",
        )
    ]


def check_certificate(facts: dict[str, Any], request: dict[str, Any]) -> list[dict[str, Any]]:
    """The database's certificate is good for some time."""
    name, database = request.get("database_id"), facts.get("database")
    if not name or not database or unread(database):
        return []  # check_database speaks of these
    authority, end = certificate_of(database)
    if end is None:
        return []  # RDS tells none of an instance that is being made
    left = end - (request.get("now") or datetime.datetime.now(datetime.UTC))
    says = f"its certificate, by {authority}, "
    remedy = f"Renew it: {_RENEW.format(name=name, authority='rds-ca-rsa2048-g1' if authority == 'rds-ca-2019' else authority)}. "
    remedy += "PostgreSQL 13 and later need no restart for it; the images' bundle has to hold that authority."
    if left <= datetime.timedelta():
        make = bad if _verified(facts) else doubt
        return [make("certificate", name, f"{says}expired on {end:%Y-%m-%d}: whoever verifies it refuses the connection.", remedy)]
    if left <= CERTIFICATE_SOON:
        return [doubt("certificate", name, f"{says}expires on {end:%Y-%m-%d}, in {left.days} days, and RDS has not renewed it yet.", remedy)]
    return [good("certificate", name, f"by {authority}, good until {end:%Y-%m-%d}")]


def _verified(facts: dict[str, Any]) -> bool:
    return any((fact or {}).get("sslmode") in VERIFYING for fact in facts["parameters"].values())
