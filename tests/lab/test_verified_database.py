"""The application verifies its database: in a new environment by itself, in an old one by one command, and never against the wrong authority."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from conftest import App, Lab, Run
from emulator_world import until
from inprocess import module_utils

pytestmark = pytest.mark.lab
BUNDLE = "/etc/ssl/certs/rds-global-bundle.pem"
TOLD = {"NODE_EXTRA_CA_CERTS": BUNDLE, "PGSSLROOTCERT": BUNDLE}
DOCKERFILES = ("packages/api/Dockerfile", "packages/workers/Dockerfile")
# What the application's driver says of a certificate that it cannot verify.
REFUSAL = "self-signed certificate in certificate chain"
COMMAND = "secrets_action=sslmode"


def value(lab: Lab, name: str = "DATABASE_URL") -> str:
    found: str = lab.client("ssm").get_parameter(Name=f"/atena/prod/{name}", WithDecryption=True)["Parameter"]["Value"]
    return found


def mode(lab: Lab) -> str:
    found: str = module_utils("secrets.database_url").DatabaseUrl.parse(value(lab)).sslmode
    return found


def told(lab: Lab) -> dict[str, dict[str, str]]:
    """{service: what its containers are told of a bundle}."""
    found = {}
    for name, revision in lab.revisions().items():
        [container] = lab.client("ecs").describe_task_definition(taskDefinition=revision)["taskDefinition"]["containerDefinitions"]
        found[name.removeprefix("atena-prod-")] = {entry["name"]: entry["value"] for entry in container.get("environment", []) if entry["name"] in TOLD}
    return found


def change_mode(lab: Lab, wanted: str, *arguments: str) -> Run:
    return lab.playbook("secrets.yml", "-e", COMMAND, "-e", f"secrets_sslmode={wanted}", *arguments)


def without_bundle(app: App) -> str:
    """A commit whose images have no certificates."""
    lines = {path: [line for line in app.read(path).splitlines() if BUNDLE not in line] for path in DOCKERFILES}
    return app.change("No certificates", **{path: "\n".join([*kept, ""]) for path, kept in lines.items()})


@pytest.fixture
def another_authority(tmp_path: Path) -> str:
    made = tmp_path / "another.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=Amazon RDS us-east-1 Root CA RSA2048 G1 (lab)"]
    subprocess.run([*command, "-keyout", str(tmp_path / "key.pem"), "-out", str(made)], check=True, capture_output=True)
    return made.read_text()


@pytest.fixture
def verifying(lab: Lab, good: App) -> Iterator[App]:
    """The application as it was, and its address verified, when the test ends."""
    before = good.commit
    yield good
    good.back_to(before)
    if lab.app.get("/health")[0] != 200 or set(map(len, told(lab).values())) != {2}:
        lab.playbook("deploy.yml").must_succeed()
    change_mode(lab, "verify-full").must_succeed()


def test_a_new_environment_verifies_its_database(lab: Lab) -> None:
    assert mode(lab) == "verify-full"
    assert told(lab) == {"api": TOLD, "workers": TOLD}
    assert lab.app.get("/health")[0] == 200
    verdict = lab.playbook("preflight.yml").must_succeed().text
    assert not any(f"WARNING {check}" in verdict for check in ("database_tls", "ca_bundle", "certificate")), verdict
    assert "database: its certificate is by rds-ca-rsa2048-g1 and expires on 20" in lab.playbook("status.yml").must_succeed().text
    assert lab.plan()[0] == 0, "what a release tells its containers makes no plan dirty"


def test_an_authority_that_did_not_sign_the_databases_certificate_is_refused_and_nothing_changes(lab: Lab, verifying: App, another_authority: str) -> None:
    before = lab.revisions()
    verifying.change("Another authority", **{"certs/rds-global-bundle.pem": another_authority})
    failed = lab.playbook("deploy.yml").must_fail().text
    assert "The migration failed, so no service was changed" in failed and REFUSAL in failed
    assert lab.revisions() == before and lab.app.get("/health")[0] == 200


def test_an_image_without_certificates_is_warned_of_and_changes_nothing(lab: Lab, verifying: App) -> None:
    before = lab.revisions()
    without_bundle(verifying)
    failed = lab.playbook("deploy.yml").must_fail().text
    assert "no certificate bundle that anything knows of" in failed and REFUSAL in failed
    assert lab.revisions() == before and lab.app.get("/health")[0] == 200


def test_an_images_own_variables_win(lab: Lab, verifying: App) -> None:
    own = f"ENV PGSSLROOTCERT={BUNDLE}\n"
    verifying.change("Its own", **{path: verifying.read(path) + own for path in DOCKERFILES})
    lab.playbook("deploy.yml").must_succeed()
    assert told(lab) == dict.fromkeys(("api", "workers"), {"NODE_EXTRA_CA_CERTS": BUNDLE})
    assert lab.app.get("/health")[0] == 200


def test_the_mode_of_an_address_changes_with_new_tasks_and_comes_back_where_they_cannot_verify(lab: Lab, verifying: App) -> None:
    loose, address = "no-verify", value(lab)
    predicted = change_mode(lab, loose, "--check").must_succeed()
    assert f"DATABASE_URL: sslmode=verify-full would become {loose}" in predicted.text and value(lab) == address
    done = change_mode(lab, loose).must_succeed()
    assert f"DATABASE_URL: sslmode=verify-full became {loose}" in done.text
    assert value(lab) == address.replace("sslmode=verify-full", f"sslmode={loose}")
    assert change_mode(lab, loose).must_succeed().changed == 0
    assert urlsplit(address).password not in done.output

    verdict = lab.playbook("preflight.yml").must_succeed().text
    assert f"says sslmode={loose}" in verdict and f"secrets.yml -e {COMMAND} -e secrets_sslmode=verify-full" in verdict

    without_bundle(verifying)
    lab.playbook("deploy.yml").must_succeed()
    assert told(lab) == {"api": {}, "workers": {}}
    failed = change_mode(lab, "verify-full", "-e", "secrets_timeout_seconds=60").must_fail().text
    assert "The old value is in place again." in failed
    assert mode(lab) == loose and lab.app.get("/health")[0] == 200


def test_a_restored_database_that_took_the_name_of_the_old_one_is_verified(lab: Lab) -> None:
    before, rds, snapshot = urlsplit(value(lab)).hostname, lab.client("rds"), f"{lab.name}-db-verified"
    rds.create_db_snapshot(DBInstanceIdentifier=f"{lab.name}-db", DBSnapshotIdentifier=snapshot)
    until(lambda: rds.describe_db_snapshots(DBSnapshotIdentifier=snapshot)["DBSnapshots"][0]["Status"] == "available", 60)
    confirmed = ("-e", f"restore_database_confirm={lab.name}", "-e", f"restore_database_snapshot={snapshot}")
    run = lab.playbook("restore_database.yml", *confirmed, timeout=900).must_succeed()
    try:
        address = urlsplit(value(lab))
        assert address.hostname != before and mode(lab) == "verify-full"
        assert lab.app.get("/health")[0] == 200
        psycopg2.connect(value(lab), sslrootcert=str(lab.directory / "ca" / "rds-global-bundle.pem"), connect_timeout=5).close()
        wanted = f"{lab.name}-db.lab.us-east-1.rds.amazonaws.com"
        command = f"openssl s_client -starttls postgres -connect {address.hostname}:{address.port} </dev/null 2>/dev/null | openssl x509 -noout -subject"
        assert wanted in subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=20).stdout
    finally:
        lab.playbook("restore_database.yml", "-e", f"restore_database_undo={lab.name}", timeout=900).must_succeed()
    assert run.changed > 0
