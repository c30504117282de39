"""The certificate of a database, as RDS gives one: signed by an authority of its own, for the endpoint's address, for a year, and told by DescribeDBInstances.

MiniStack signs with an authority that lives and dies with its process, for names that a database here does not have, and tells another end of it. The lab's
authority stays in the lab's directory (`ca/`, whose keys never leave it). A server sends its certificate, the subordinate authority's and the root's, as RDS
does; clients know the root from `ca/rds-global-bundle.pem`, which stands for AWS's bundle of that name.

A certificate is for the endpoint's address, and for the name that the endpoint would have. It is renewed with the identifier, and by ModifyDBInstance with
a CACertificateIdentifier, without a restart, as PostgreSQL can. `database_certificate_days` in the settings says for how long new ones are.
"""

from __future__ import annotations

import io
import logging
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docker.models.containers import ContainerCollection
from ministack.services import rds

from ..common import lab_settings
from ..common.patching import replace
from . import authority

logger = logging.getLogger("lab.database_tls")
# Where MiniStack puts its own, and gives what is there to the server's user at each start.
FOLDER = "ministack-rds-tls"
SERVED = ["-c", f"ssl_cert_file=/{FOLDER}/lab.crt", "-c", f"ssl_key_file=/{FOLDER}/lab.key"]
# Container -> until when its certificate is good.
valid_till: dict[str, datetime] = {}


def apply() -> None:
    replace(rds, "_instance_xml", _telling_certificate)
    replace(rds, "_modify_db_instance", _renewing)
    authority_of_lab()  # whoever builds an image wants its bundle before the first database is there
    rds._ACTION_MAP["DescribeCertificates"] = _describe_certificates
    create = ContainerCollection.create

    def create_with_certificate(self: ContainerCollection, image: Any, command: Any = None, **settings: Any) -> Any:
        labels = settings.get("labels") or {}
        if labels.get("ministack") != "rds" or "POSTGRES_USER" not in (settings.get("environment") or {}):
            return create(self, image, command, **settings)
        container = create(self, image, [*(command or []), *SERVED], **settings)
        certify(container, labels.get("db_id", ""))
        return container

    replace(ContainerCollection, "create", lambda _: create_with_certificate)


def authority_of_lab() -> authority.Authority:
    return authority.ensure(Path(os.environ["ATENA_LAB_DIR"]) / "ca", rds.get_region())


def certify(container: Any, identifier: str) -> None:
    """A new certificate for the container; one that runs takes it up at once."""
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"].values()
    addresses = [address for one in networks if (address := (one.get("IPAMConfig") or {}).get("IPv4Address") or one.get("IPAddress"))]
    issued = authority_of_lab().certificate(name_of(identifier), addresses, lab_settings.values["database_certificate_days"])
    container.put_archive("/", packed({"lab.crt": issued.chain, "lab.key": issued.key}))
    valid_till[container.id] = issued.valid_till
    if container.status == "running":
        container.exec_run(["chown", "-R", "postgres:postgres", f"/{FOLDER}"], user="0:0")
        container.kill("SIGHUP")


def name_of(identifier: str) -> str:
    """What the endpoint would be called on RDS."""
    return f"{identifier}.lab.{rds.get_region()}.rds.amazonaws.com"


def packed(contents: dict[str, bytes]) -> bytes:
    """A tar archive of files in FOLDER."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo(FOLDER)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(folder)
        for name, content in contents.items():
            entry = tarfile.TarInfo(f"{FOLDER}/{name}")
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


# -- what it looks like ----------------------------------------------------------------------------------------------------------


def _telling_certificate(render: Any) -> Any:
    def render_all(instance: dict[str, Any]) -> str:
        until = valid_till.get(instance.get("_docker_container_id") or "")
        told = {"CAIdentifier": authority.IDENTIFIER, "ValidTill": moment(until)} if until else {}
        shown: str = render({**instance, "CACertificateIdentifier": authority.IDENTIFIER, "CertificateDetails": told})
        return shown

    return render_all


def moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _describe_certificates(params: dict[str, Any]) -> Any:
    wanted = rds._p(params, "CertificateIdentifier")
    if wanted and wanted != authority.IDENTIFIER:
        return _unknown(wanted)
    root = authority_of_lab()
    inner = f"""<Certificate>
            <CertificateIdentifier>{authority.IDENTIFIER}</CertificateIdentifier>
            <CertificateType>CA</CertificateType>
            <Thumbprint>{root.thumbprint}</Thumbprint>
            <ValidFrom>{moment(root.valid_from)}</ValidFrom>
            <ValidTill>{moment(root.valid_till)}</ValidTill>
            <CertificateArn>arn:aws:rds:{rds.get_region()}::cert:{authority.IDENTIFIER}</CertificateArn>
            <CustomerOverride>false</CustomerOverride>
        </Certificate>"""
    default = f"<DefaultCertificateForNewLaunches>{authority.IDENTIFIER}</DefaultCertificateForNewLaunches>"
    body = f"<DescribeCertificatesResult>{default}<Certificates>{inner}</Certificates></DescribeCertificatesResult>"
    return rds._xml(200, "DescribeCertificatesResponse", body)


def _unknown(identifier: str) -> Any:
    return rds._error("CertificateNotFound", f"Certificate not found: {identifier}", 404)


def _renewing(modify: Any) -> Any:
    def modify_and_renew(params: dict[str, Any]) -> Any:
        asked, instance = rds._p(params, "CACertificateIdentifier"), rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
        if asked and asked != authority.IDENTIFIER:
            return _unknown(asked)
        answer = modify(params)
        if asked and instance and answer[0] == 200 and instance.get("_docker_container_id"):
            certify(rds._get_docker().containers.get(instance["_docker_container_id"]), instance["DBInstanceIdentifier"])
            return rds._single_instance_response("ModifyDBInstanceResponse", "ModifyDBInstanceResult", instance)
        return answer

    return modify_and_renew
