import subprocess
from pathlib import Path

import pytest
from atena_lab import apprepo
from atena_lab.report import LabError


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "packages").mkdir(parents=True)
    (folder / "packages" / "a.ts").write_text("one\n")
    for made in ("node_modules", "dist"):
        (folder / "packages" / made).mkdir()
        (folder / "packages" / made / "a.js").write_text("compiled")
    return folder


@pytest.fixture
def repository(tmp_path):
    return tmp_path / "app"


def user_git(repository, *arguments):
    subprocess.run(["git", "-C", str(repository), "-c", "user.name=U", "-c", "user.email=u@example.com", *arguments], check=True, capture_output=True)


def files(repository):
    return sorted(apprepo.git(repository, "ls-files").splitlines())


def test_the_first_commit_is_the_same_everywhere(source, tmp_path):
    apprepo.ensure(tmp_path / "one", source)
    apprepo.ensure(tmp_path / "two", source)
    assert apprepo.git(tmp_path / "one", "rev-parse", "HEAD") == apprepo.git(tmp_path / "two", "rev-parse", "HEAD")
    assert files(tmp_path / "one") == ["packages/a.ts"]


def test_a_second_run_changes_nothing(source, repository):
    apprepo.ensure(repository, source)
    before = apprepo.head(repository)
    assert apprepo.ensure(repository, source) == f"at {before}"


def test_a_newer_source_becomes_a_commit(source, repository):
    apprepo.ensure(repository, source)
    (source / "packages" / "a.ts").unlink()
    (source / "packages" / "b.ts").write_text("two\n")
    apprepo.ensure(repository, source)
    assert files(repository) == ["packages/b.ts"]
    assert apprepo.git(repository, "rev-list", "--count", "HEAD") == "2"
    assert apprepo.git(repository, "status", "--porcelain") == ""


def test_commits_of_the_user_stay(source, repository):
    apprepo.ensure(repository, source)
    (repository / "mine").write_text("mine\n")
    user_git(repository, "add", "mine")
    user_git(repository, "commit", "-m", "mine")
    before = apprepo.head(repository)
    (source / "packages" / "a.ts").write_text("newer\n")
    assert "left as it is" in apprepo.ensure(repository, source)
    assert apprepo.head(repository) == before


def test_uncommitted_changes_of_the_user_stay(source, repository):
    apprepo.ensure(repository, source)
    (repository / "packages" / "a.ts").write_text("edited\n")
    (source / "packages" / "a.ts").write_text("newer\n")
    assert "left as it is" in apprepo.ensure(repository, source)
    assert (repository / "packages" / "a.ts").read_text() == "edited\n"


def test_a_repository_left_without_its_first_commit_is_finished(source, repository):
    repository.mkdir()
    apprepo.git(repository, "init", "--quiet", "--initial-branch=main")
    apprepo.ensure(repository, source)
    assert files(repository) == ["packages/a.ts"]


def test_files_in_the_way_are_not_overwritten(source, repository):
    repository.mkdir()
    (repository / "thesis.txt").write_text("years of work")
    with pytest.raises(LabError, match="is in the way"):
        apprepo.ensure(repository, source)


def test_the_bundle_of_the_labs_authority_is_committed_and_kept_up_to_date(source: Path, repository: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "rds-global-bundle.pem"
    for content in ("one\n", "two\n"):
        bundle.write_text(content)
        apprepo.ensure(repository, source, bundle)
        assert apprepo.git(repository, "show", "HEAD:certs/rds-global-bundle.pem") == content.strip()
    assert files(repository) == ["certs/rds-global-bundle.pem", "packages/a.ts"]


def test_an_emulator_from_before_there_was_an_authority_is_named(source: Path, repository: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="the emulator that runs is of an earlier lab"):
        apprepo.ensure(repository, source, tmp_path / "none.pem")
