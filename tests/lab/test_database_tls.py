"""The certificate of the lab's database is what a client that verifies has to see on RDS: the chain, the name, the authority, its end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from botocore.exceptions import ClientError
from emulator_world import World, until
from faults import Faults

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(not ENDPOINT, reason='no lab: start one with `lab/lab up` and `eval "$(lab/lab env)"`')]
BUNDLE = Path(os.environ.get("ATENA_LAB_DIR", "")) / "ca" / "rds-global-bundle.pem"
PASSWORD = "it's-secret"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World(ENDPOINT)
    yield world
    world.close()


@pytest.fixture(scope="module")
def instance(world: World) -> Iterator[dict[str, Any]]:
    rds = world.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier=world.name, Engine="postgres", EngineVersion="16", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
        MasterUsername="atena", MasterUserPassword=PASSWORD, DBName="atena",
    )  # fmt: skip
    yield world.database()["Endpoint"]
    for one in rds.describe_db_instances()["DBInstances"]:
        if one["DBInstanceIdentifier"].startswith(world.name):
            rds.delete_db_instance(DBInstanceIdentifier=one["DBInstanceIdentifier"], SkipFinalSnapshot=True)


@pytest.fixture
def another_authority(tmp_path: Path) -> Path:
    """The certificate of one that signed nothing here."""
    made = tmp_path / "another.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=Amazon RDS us-east-1 Root CA RSA2048 G1 (lab)"]
    subprocess.run([*command, "-keyout", str(tmp_path / "key.pem"), "-out", str(made)], check=True, capture_output=True)
    return made


def connect(endpoint: dict[str, Any], mode: str, bundle: Path, host: str = "") -> Any:
    address = {"host": host or endpoint["Address"], "hostaddr": endpoint["Address"], "port": endpoint["Port"]}
    return psycopg2.connect(**address, user="atena", password=PASSWORD, dbname="atena", sslmode=mode, sslrootcert=str(bundle), connect_timeout=5)


def sent(endpoint: dict[str, Any]) -> list[str]:
    """The subjects of the certificates that the server sends."""
    command = ["openssl", "s_client", "-starttls", "postgres", "-connect", f"{endpoint['Address']}:{endpoint['Port']}", "-showcerts"]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20).stdout
    return [line.partition("s:")[2] for line in answer.splitlines() if line.strip().partition(" ")[0].isdigit() and " s:" in line]


def end_of(world: World, name: str) -> datetime:
    told = world.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    assert told["CACertificateIdentifier"] == told["CertificateDetails"]["CAIdentifier"] == "rds-ca-rsa2048-g1"
    end: datetime = told["CertificateDetails"]["ValidTill"]
    return end


def served_until(endpoint: dict[str, Any]) -> str:
    command = f"openssl s_client -starttls postgres -connect {endpoint['Address']}:{endpoint['Port']} </dev/null 2>/dev/null | openssl x509 -noout -enddate"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=20).stdout.strip().partition("=")[2]


def test_who_has_the_bundle_verifies_the_database_by_its_address(instance: dict[str, Any]) -> None:
    with connect(instance, "verify-full", BUNDLE) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert cursor.fetchone() == (True,)


def test_another_authority_of_the_same_name_is_refused(instance: dict[str, Any], another_authority: Path) -> None:
    with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
        connect(instance, "verify-full", another_authority)


def test_another_name_is_refused(instance: dict[str, Any]) -> None:
    with pytest.raises(psycopg2.OperationalError, match="does not match host name"):
        connect(instance, "verify-full", BUNDLE, host="another.lab.us-east-1.rds.amazonaws.com")


def test_the_chain_goes_up_to_the_root_as_that_of_rds_does(instance: dict[str, Any]) -> None:
    _server, subordinate, root = sent(instance)
    assert "Subordinate CA" in subordinate and "Root CA" in root


def test_the_strictest_checks_find_nothing(instance: dict[str, Any]) -> None:
    command = ["openssl", "s_client", "-starttls", "postgres", "-connect", f"{instance['Address']}:{instance['Port']}", "-x509_strict", "-CAfile", str(BUNDLE)]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20).stdout
    assert "Verify return code: 0 (ok)" in answer


def test_what_is_told_of_the_certificate_is_so_and_the_authority_is_known(world: World, instance: dict[str, Any]) -> None:
    end = end_of(world, world.name)
    assert timedelta(days=364) < end - datetime.now(UTC) <= timedelta(days=365)
    assert served_until(instance) == f"{end:%b} {end.day:2} {end:%H:%M:%S %Y} GMT"
    [certificate] = world.client("rds").describe_certificates()["Certificates"]
    assert (certificate["CertificateIdentifier"], certificate["CertificateType"]) == ("rds-ca-rsa2048-g1", "CA")
    assert certificate["ValidTill"] > end
    with pytest.raises(ClientError, match="CertificateNotFound"):
        world.client("rds").describe_certificates(CertificateIdentifier="rds-ca-2019")


def test_a_renewed_certificate_is_served_without_a_restart(world: World, instance: dict[str, Any]) -> None:
    with connect(instance, "verify-full", BUNDLE) as before, Faults(ENDPOINT) as faults:
        faults.database_certificates(30)
        with pytest.raises(ClientError, match="CertificateNotFound"):
            world.client("rds").modify_db_instance(DBInstanceIdentifier=world.name, CACertificateIdentifier="rds-ca-2019")
        world.client("rds").modify_db_instance(DBInstanceIdentifier=world.name, CACertificateIdentifier="rds-ca-rsa2048-g1", ApplyImmediately=True)
        end = end_of(world, world.name)
        assert end - datetime.now(UTC) <= timedelta(days=30)
        until(lambda: served_until(instance) == f"{end:%b} {end.day:2} {end:%H:%M:%S %Y} GMT")
        connect(instance, "verify-full", BUNDLE).close()
        with before.cursor() as cursor:
            cursor.execute("SELECT 1")


def test_a_renamed_database_has_a_certificate_for_its_new_name_and_its_address(world: World, instance: dict[str, Any]) -> None:
    name = f"{world.name}-renamed"
    world.client("rds").modify_db_instance(DBInstanceIdentifier=world.name, NewDBInstanceIdentifier=name, ApplyImmediately=True)
    rds = world.client("rds")

    def renamed() -> bool:
        found = [one for one in rds.describe_db_instances()["DBInstances"] if one["DBInstanceIdentifier"] == name]
        return bool(found) and found[0]["DBInstanceStatus"] == "available"

    until(renamed, 60)
    connect(instance, "verify-full", BUNDLE).close()
    connect(instance, "verify-full", BUNDLE, host=f"{name}.lab.us-east-1.rds.amazonaws.com").close()


def test_a_lone_redis_with_encryption_in_transit_is_refused_as_aws_refuses_it(world: World) -> None:
    with pytest.raises(ClientError, match=r"InvalidParameterCombination.*Encryption feature is not supported for engine REDIS\."):
        world.cache(TransitEncryptionEnabled=True)
