"""What the emulator's extension decides of RDS, apart from the emulator."""

import concurrent.futures
import io
import tarfile
from pathlib import Path

import pytest
from cryptography import x509
from extension.rds import (
    authority,
    database_address,
    database_data,
    database_power,
    database_restore,
    database_snapshots,
    database_tls,
    database_versions,
    lab_clock,
)
from ministack.core import responses


class TestDatabases:
    CONFIG = [{"Subnet": "172.20.0.0/16", "IPRange": "172.20.0.0/17", "Gateway": "172.20.0.1"}]

    def test_its_address_is_one_that_docker_hands_out_to_nobody(self):
        assert database_address.free_address(self.CONFIG, []) == "172.20.128.1"
        assert database_address.free_address(self.CONFIG, ["172.20.128.1", "172.20.128.2"]) == "172.20.128.3"

    def test_a_network_without_such_addresses_gives_none(self):
        assert database_address.free_address([{"Subnet": "172.20.0.0/16", "Gateway": "172.20.0.1"}], []) is None

    def test_it_can_be_restored_up_to_the_last_five_minutes(self):
        assert [database_power.restorable(now) for now in (600.0, 601.5, 899.9, 900.0)] == [600, 600, 600, 900]

    @pytest.mark.parametrize(
        ("since", "until", "retained", "days"),
        [
            (0, 2 * 86400, 7, [0, 1]),
            (0, 2 * 86400, 1, [1]),
            (0, 2 * 86400, 0, []),
            (4 * 3600, 86400, 7, []),
            (4 * 3600, 86400 + 4 * 3600, 7, [1]),
            (0, 10 * 86400, 3, [7, 8, 9]),
        ],
    )
    def test_it_is_backed_up_in_its_window_on_each_day(self, since, until, retained, days):
        assert lab_clock.backup_moments(since, until, "03:30-04:00", retained) == [day * 86400 + 3.5 * 3600 for day in days]

    def test_what_is_known_gets_older(self):
        record = {"SnapshotCreateTime": "2026-03-08T12:00:00.250Z", "Status": "available"}
        assert lab_clock.older(record, ("SnapshotCreateTime", "InstanceCreateTime"), 7) == {"SnapshotCreateTime": "2026-03-01T12:00:00.250Z"}

    @pytest.mark.parametrize("wish", [None, {}, {"advance_days": 0}, {"advance_days": "7"}, {"advance_days": True}, {"advance_days": 1000}])
    def test_the_clock_takes_days(self, wish):
        with pytest.raises(ValueError):
            lab_clock.answer("PUT", [], wish)


class TestASnapshotOfADatabase:
    @pytest.mark.parametrize("kind", ["manual", "automated"])
    def test_names_the_instance_that_it_is_of_whatever_the_name(self, kind, monkeypatch):
        rds = database_snapshots.rds
        monkeypatch.setattr(rds, "_get_docker", lambda: None)
        with responses.request_scope("111122223333", "us-east-1"):
            rds._create_db_instance({"DBInstanceIdentifier": ["d"]})
            instance = rds._instances["d"]
            made = database_snapshots.begin(instance, "s") if kind == "manual" else database_snapshots.automated(instance, 600, None)
            told = rds._snapshot_xml(made)
            rds.reset()
        assert made["SnapshotType"] == kind and f"<DbiResourceId>{instance['DbiResourceId']}</DbiResourceId>" in told


class TestADatabaseOfAnotherTime:
    @pytest.fixture
    def source(self, monkeypatch):
        """An instance with the backup of its first day, and a snapshot."""
        backups = {"db-1": 100.0, "arn:s": 200.0, "arn:other": 250.0}
        held = {}
        for key, taken in backups.items():
            held[key] = concurrent.futures.Future()
            held[key].set_result(database_data.Backup(taken, [], "0"))
        monkeypatch.setattr(database_data, "kept", held)
        snapshots = {"s": {"DBSnapshotArn": "arn:s", "DbiResourceId": "db-1"}, "o": {"DBSnapshotArn": "arn:other", "DbiResourceId": "db-2"}}
        monkeypatch.setattr(database_restore.rds, "_snapshots", snapshots)
        return {"DbiResourceId": "db-1"}

    @pytest.mark.parametrize(("moment", "taken"), [(99, None), (100, 100), (199, 100), (260, 200)])
    def test_its_newest_backup_from_before_is_what_it_is_made_of(self, source, moment, taken):
        found = database_restore.base_for(source, moment)
        assert (found and found.taken) == taken

    def test_one_that_is_being_taken_or_failed_is_none(self, source):
        database_data.kept["arn:s"] = concurrent.futures.Future()
        assert database_restore.base_for(source, 300).taken == 100
        database_data.kept["arn:s"].set_exception(RuntimeError())
        assert database_restore.base_for(source, 300).taken == 100

    def test_moments_are_read_in_utc(self):
        assert database_restore.epoch("1970-01-01T00:10:00Z") == database_restore.epoch("1970-01-01T00:10:00") == 600


class TestVersions:
    @pytest.mark.parametrize(
        ("actual", "asked", "allowed", "words"),
        [
            ("16.13", "16.13", False, ""),
            ("16.13", "16.14", False, ""),
            ("16.13", "17", True, ""),
            ("16.9", "16", False, ""),  # RDS takes its default minor version
            ("16.13", "16", False, "Cannot upgrade postgres from 16.13 to 16"),
            ("16.14", "16", False, "Cannot upgrade postgres from 16.14 to 16.13"),
            ("16.13", "16.4", False, "Cannot upgrade postgres from 16.13 to 16.4"),
            ("17.9", "16", True, "Cannot upgrade postgres from 17.9 to 16.13"),
            ("16.13", "17", False, database_versions.NO_FLAG),
        ],
    )
    def test_a_database_is_upgraded_and_never_taken_back(self, actual, asked, allowed, words):
        assert database_versions.refusal(actual, asked, allowed) == words

    @pytest.fixture
    def emulator(self, monkeypatch):
        """RDS with the versions, and without containers."""
        rds = database_versions.rds
        monkeypatch.setattr(rds, "_get_docker", lambda: None)
        with responses.request_scope("111122223333", "us-east-1"):
            yield rds
        rds.reset()

    def create(self, rds, **given):
        made = database_versions._whole(rds._create_db_instance)
        assert made({name: [value] for name, value in {"DBInstanceIdentifier": "d", "Engine": "postgres", **given}.items()})[0] == 200
        return rds._instances["d"]

    @pytest.mark.parametrize(("asked", "has"), [({"EngineVersion": "16"}, "16.13"), ({"EngineVersion": "16.4"}, "16.4"), ({}, "16.13")])
    def test_a_database_has_a_whole_version(self, emulator, asked, has):
        assert self.create(emulator, **asked)["EngineVersion"] == has

    def test_a_change_that_is_no_upgrade_is_refused_and_changes_nothing(self, emulator):
        instance, modify = self.create(emulator, EngineVersion="16"), database_versions._upgrading(emulator._modify_db_instance)
        wish = {"DBInstanceIdentifier": ["d"], "ApplyImmediately": ["true"], "AllocatedStorage": ["50"]}
        status, _, body = modify({**wish, "EngineVersion": ["16"]})
        assert (status, b"Cannot upgrade postgres from 16.13 to 16<" in body, instance["AllocatedStorage"]) == (400, True, 20)
        assert modify({**wish, "EngineVersion": ["17"], "AllowMajorVersionUpgrade": ["true"]})[0] == 200
        assert (instance["EngineVersion"], instance["AllocatedStorage"]) == ("17.9", 50)

    def test_what_is_restored_has_the_version_of_its_snapshot(self, emulator):
        self.create(emulator, EngineVersion="16.4")
        emulator._create_db_snapshot({"DBInstanceIdentifier": ["d"], "DBSnapshotIdentifier": ["s"]})
        emulator._restore_from_snapshot({"DBInstanceIdentifier": ["r"], "DBSnapshotIdentifier": ["s"]})
        assert emulator._instances["r"]["EngineVersion"] == "16.4"

    def test_aws_upgrades_to_a_newer_minor_version_by_itself(self, emulator):
        instance = self.create(emulator, EngineVersion="16")
        assert database_versions.answer("PUT", [], {"database": "d", "version": "16.14"}) == (200, {"upgraded": ["d"]})
        assert (instance["EngineVersion"], database_versions.answer("GET", [], None)) == ("16.14", (200, {"d": "16.14"}))
        assert database_versions.answer("PUT", [], {"database": "e", "version": "16.14"})[0] == 404

    @pytest.mark.parametrize("wish", [None, {}, {"database": "d", "version": "17.1"}, {"database": "d", "version": "16.4"}, {"database": "d", "version": "16"}])
    def test_it_upgrades_to_nothing_else(self, emulator, wish):
        self.create(emulator, EngineVersion="16")
        with pytest.raises(ValueError):
            database_versions.answer("PUT", [], wish)


class TestACertificate:
    def test_is_for_the_address_and_the_name_and_signed_by_a_chain_up_to_the_bundle(self, tmp_path: Path) -> None:
        lab = authority.ensure(tmp_path / "ca", "us-east-1")
        issued = lab.certificate("d.lab.us-east-1.rds.amazonaws.com", ["172.20.128.1"], 30)
        server, subordinate, root = x509.load_pem_x509_certificates(issued.chain)
        server.verify_directly_issued_by(subordinate)
        subordinate.verify_directly_issued_by(root)
        assert root == x509.load_pem_x509_certificate((tmp_path / "ca" / "rds-global-bundle.pem").read_bytes())
        alternatives = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert alternatives.get_values_for_type(x509.DNSName) == ["d.lab.us-east-1.rds.amazonaws.com"]
        assert [str(one) for one in alternatives.get_values_for_type(x509.IPAddress)] == ["172.20.128.1"]
        assert (issued.valid_till - server.not_valid_before_utc).days == 30

    def test_is_signed_by_the_same_authority_after_the_emulator_was_started_again(self, tmp_path: Path) -> None:
        assert authority.ensure(tmp_path, "us-east-1").root == authority.ensure(tmp_path, "us-east-1").root

    def test_the_authoritys_key_is_for_its_owner_and_no_other_key_is_kept(self, tmp_path: Path) -> None:
        authority.ensure(tmp_path, "us-east-1")
        assert {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir() if b"PRIVATE" in file.read_bytes()} == {"subordinate.key": "0o600"}

    def test_its_key_is_the_servers_alone_in_the_container(self) -> None:
        with tarfile.open(fileobj=io.BytesIO(database_tls.packed({"lab.key": b"key"}))) as archive:
            assert {one.name: one.mode for one in archive} == {"ministack-rds-tls": 0o700, "ministack-rds-tls/lab.key": 0o600}
