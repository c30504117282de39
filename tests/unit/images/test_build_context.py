"""What is built from a commit: the commit, all of it, and nothing else. With real repositories and real git."""

import multiprocessing
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from ansible_collections.atena.aws.plugins.module_utils.git import clone as git_clone
from ansible_collections.atena.aws.plugins.module_utils.git.cli import GitFailed
from ansible_collections.atena.aws.plugins.module_utils.images import build_context


def unconfigured(monkeypatch, home):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    home.mkdir()


@pytest.fixture(autouse=True)
def nobodys_settings(tmp_path, monkeypatch):
    """git as on a machine where nobody has configured it, and as strict about ownership as anywhere."""
    unconfigured(monkeypatch, tmp_path / "home")


def git(directory, *arguments):
    command = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always", "-C", str(directory), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Repository:
    def __init__(self, path: Path, copied_from: Path | None = None):
        self.path = path
        if copied_from:
            shutil.copytree(copied_from, path, symlinks=True)
            return
        path.mkdir(parents=True)
        git(path, "init", "--quiet", "--initial-branch=main")

    def commit(self, **files):
        """Commits files; `__` in a name is a slash. Returns the commit."""
        for name, content in files.items():
            self.write(name, content)
        git(self.path, "add", "--all")
        git(self.path, "commit", "--quiet", "--allow-empty", "-m", "change")
        return git(self.path, "rev-parse", "HEAD")

    def write(self, name, content):
        target = self.path / name.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """Made once, by five processes, and copied for each test."""
    root = tmp_path_factory.mktemp("application")
    with pytest.MonkeyPatch.context() as monkeypatch:
        unconfigured(monkeypatch, root / "home")
        repository = Repository(root / "app")
        repository.write(".gitignore", ".env\ndist/\n.npmrc\n")
        repository.commit(Dockerfile="FROM scratch\n", src__a="a\n")
    repository.write(".env", "SECRET=hunter2\n")
    repository.write("dist__bundle.js", "made by CI\n")
    return repository.path


@pytest.fixture
def app(tmp_path, application):
    """A repository with a space in its path, an ignored secret, and what CI makes."""
    return Repository(tmp_path / "the app", application)


class Built:
    def __init__(self, path, commit, clones, include=()):
        self.path, self.commit, self.clones, self.include = path, commit, clones, list(include)

    def __enter__(self):
        self._block = build_context.of_commit(str(self.path), self.commit, str(self.clones), self.include)
        context, self.notes = self._block.__enter__()
        self.context = Path(context)
        return self

    def __exit__(self, *failed):
        return self._block.__exit__(*failed)

    def files(self):
        return sorted(str(path.relative_to(self.context)) for path in self.context.rglob("*") if path.is_file() and ".git" not in path.parts)


@pytest.fixture
def clones(tmp_path):
    return tmp_path / "work" / "builds"


# --- The commit, and nothing else -------------------------------------------------------------------------------------
def test_ignored_uncommitted_and_untracked_files_are_not_in_it(app, clones):
    commit = git(app.path, "rev-parse", "HEAD")
    app.write("src__a", "changed and not committed\n")
    app.write("src__new", "untracked\n")
    with Built(app.path, commit, clones) as built:
        assert built.files() == [".gitignore", "Dockerfile", "src/a"]
        assert (built.context / "src/a").read_text() == "a\n"
        assert (built.context / ".git").is_dir() and git(built.context, "rev-parse", "HEAD") == commit
        assert git(built.context, "status", "--porcelain") == ""


def test_what_was_never_committed_or_is_on_other_branches_is_not_in_its_git_directory(app, clones):
    commit = git(app.path, "rev-parse", "HEAD")
    secret = git(app.path, "hash-object", "-w", ".env")
    git(app.path, "switch", "--quiet", "-c", "private")
    private = app.commit(private="mine\n")
    git(app.path, "switch", "--quiet", "main")
    git(app.path, "remote", "add", "origin", "https://ana:hunter2@example.com/app.git")
    with Built(app.path, commit, clones) as built:
        held = git(built.context, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
        assert commit in held and secret not in held and private not in held
        texts = [path.read_bytes() for path in (built.context / ".git").rglob("*") if path.is_file() and "objects" not in path.parts]
        assert not any(b"hunter2" in text or str(app.path).encode() in text for text in texts)


def test_a_later_commit_takes_the_place_of_the_earlier_one(app, clones):
    first = app.commit(old__only="x\n")
    with Built(app.path, first, clones) as built:
        inode = (built.context / "Dockerfile").stat().st_ino
        (built.context / "left by a build").write_text("x")
        (built.context / "src/a").write_text("changed by a build")
    git(app.path, "rm", "--quiet", "-r", "old")
    second = app.commit(src__b="b\n")
    with Built(app.path, second, clones) as built:
        assert built.files() == [".gitignore", "Dockerfile", "src/a", "src/b"]
        assert (built.context / "src/a").read_text() == "a\n"
        assert (built.context / "Dockerfile").stat().st_ino == inode, "the clone was recreated"
    with Built(app.path, first, clones) as built:
        assert built.files() == [".gitignore", "Dockerfile", "old/only", "src/a"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_modes_do_not_depend_on_the_umask(app, clones, umask):
    (app.path / "run.sh").write_text("#!/bin/sh\n")
    (app.path / "run.sh").chmod(0o755)
    commit = app.commit()
    before = os.umask(umask)
    try:
        with Built(app.path, commit, clones, ["dist"]) as built:
            modes = {path.stat().st_mode & 0o777 for path in [built.context, *built.context.rglob("*")] if ".git" not in path.parts and path.is_dir()}
            assert modes == {0o755}
            assert {name: (built.context / name).stat().st_mode & 0o777 for name in ("run.sh", "src/a", "dist/bundle.js")} == {
                "run.sh": 0o755,
                "src/a": 0o644,
                "dist/bundle.js": 0o644,
            }
        assert clones.stat().st_mode & 0o777 == clones.parent.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)


def test_the_callers_own_settings_change_nothing(app, clones, tmp_path, monkeypatch):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text("#!/bin/sh\ntouch hooked\n")
    (hooks / "post-checkout").chmod(0o755)
    for name, value in {"core.autocrlf": "true", "core.hooksPath": str(hooks), "submodule.recurse": "true"}.items():
        git(tmp_path, "config", "--global", name, value)
    monkeypatch.setenv("GIT_DIR", str(app.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(app.path / ".git" / "index"))
    with Built(app.path, subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip(), clones) as built:
        assert (built.context / "src/a").read_bytes() == b"a\n"
        assert not (built.context / "hooked").exists()


def test_tags_are_those_of_the_repository_now(app, clones):
    commit = git(app.path, "rev-parse", "HEAD")
    git(app.path, "tag", "v1")
    with Built(app.path, commit, clones) as built:
        assert git(built.context, "describe", "--tags", "--dirty") == "v1"
    git(app.path, "tag", "-d", "v1")
    git(app.path, "tag", "v2")
    with Built(app.path, commit, clones) as built:
        assert git(built.context, "tag") == "v2"


# --- Repositories of all kinds ----------------------------------------------------------------------------------------
def test_a_subdirectory_of_a_repository(app, clones):
    commit = app.commit(services__web__Dockerfile="FROM scratch\n")
    with Built(app.path / "services" / "web", commit, clones) as built:
        assert built.files() == ["Dockerfile"] and built.context.name == "web"
        assert git(built.context, "rev-parse", "HEAD") == commit


def test_a_subdirectory_that_the_commit_lacks(app, clones):
    commit = git(app.path, "rev-parse", "HEAD")
    (app.path / "new").mkdir()
    with pytest.raises(GitFailed, match="has no directory new: commit it, or set atena_app_path"), Built(app.path / "new", commit, clones):
        pass


def test_a_shallow_clone_as_of_ci(app, clones, tmp_path):
    app.commit(src__b="b\n")
    commit = app.commit(src__c="c\n")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{app.path}", "ci")
    assert git(tmp_path / "ci", "rev-list", "--count", "HEAD") == "1"
    with Built(tmp_path / "ci", commit, clones) as built:
        assert "src/c" in built.files()
    git(tmp_path / "ci", "fetch", "--quiet", "--depth=1", "origin", app.commit(src__d="d\n"))
    git(tmp_path / "ci", "checkout", "--quiet", "FETCH_HEAD")
    with Built(tmp_path / "ci", git(tmp_path / "ci", "rev-parse", "HEAD"), clones) as built:
        assert "src/d" in built.files()


@pytest.mark.parametrize("kind", ["bare", "worktree", "partial"])
def test_other_checkouts(app, clones, tmp_path, kind):
    first = git(app.path, "rev-parse", "HEAD")
    git(app.path, "config", "uploadpack.allowFilter", "true")
    commit = app.commit(src__a="newer\n")
    if kind == "bare":
        git(tmp_path, "clone", "--quiet", "--bare", str(app.path), "other")
    elif kind == "worktree":
        git(app.path, "worktree", "add", "--quiet", "--detach", str(tmp_path / "other"))
        assert (tmp_path / "other" / ".git").is_file()
    else:
        git(tmp_path, "clone", "--quiet", "--filter=blob:none", f"file://{app.path}", "other")
        assert first != commit
        shutil.move(app.path, tmp_path / "moved")  # what is missing cannot be fetched now
    with Built(tmp_path / "other", commit, clones) as built:
        assert (built.context / "src/a").read_text() == "newer\n"


def test_a_commit_that_is_no_branch(app, clones):
    git(app.path, "checkout", "--quiet", "--detach")
    commit = app.commit(src__b="b\n")
    git(app.path, "checkout", "--quiet", "main")
    with Built(app.path, commit, clones) as built:
        assert "src/b" in built.files()


def test_a_repository_of_another_user_is_explained(app, clones, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(GitFailed, match=r"(?s)dubious ownership.*another user.*safe\.directory"), Built(app.path, "a" * 40, clones):
        pass


def test_a_commit_that_is_not_there(app, clones):
    with pytest.raises(GitFailed, match="Could not fetch the commit aaaa"), Built(app.path, "a" * 40, clones):
        pass


def test_no_git_is_told(app, clones, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(GitFailed, match="there is no `git` command"), Built(app.path, "a" * 40, clones):
        pass


# --- Clones that are kept ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("damage", ["lock", "objects", "no .git", "file", "config"])
def test_a_clone_that_a_killed_run_left_is_made_anew(app, clones, damage):
    with Built(app.path, git(app.path, "rev-parse", "HEAD"), clones) as built:
        clone = built.context
    if damage == "lock":
        (clone / ".git" / "index.lock").touch()
    elif damage == "objects":
        shutil.rmtree(clone / ".git" / "objects")
        (clone / ".git" / "objects").mkdir()
    elif damage == "no .git":
        shutil.rmtree(clone / ".git")
    elif damage == "config":
        (clone / ".git" / "config").write_text("[core\n")
    else:
        shutil.rmtree(clone)
        clone.write_text("x")
    commit = app.commit(src__b="b\n")
    with Built(app.path, commit, clones) as built:
        assert built.files() == [".gitignore", "Dockerfile", "src/a", "src/b"]


def test_a_damaged_clone_never_makes_git_work_on_the_repository_around_it(app, tmp_path):
    around = Repository(tmp_path / "home" / "dotfiles")
    around.commit(kept="x\n")
    around.write("not committed", "precious\n")
    clones = around.path / "work" / "builds"
    commit = git(app.path, "rev-parse", "HEAD")
    with Built(app.path, commit, clones) as built:
        (built.context / ".git" / "HEAD").unlink()
    with Built(app.path, commit, clones):
        pass
    assert (around.path / "not committed").read_text() == "precious\n"
    assert git(around.path, "log", "--oneline", "--all").count("\n") == 0


def test_two_runs_at_once_have_a_clone_each(app, clones):
    first = git(app.path, "rev-parse", "HEAD")
    second = app.commit(src__b="b\n")
    with Built(app.path, first, clones) as one, Built(app.path, second, clones) as other:
        assert one.context != other.context
        assert "src/b" not in one.files() and "src/b" in other.files()
    with Built(app.path, second, clones) as again:
        assert again.context == one.context


def test_runs_of_several_threads_and_commits(app, clones):
    commits = {f"src/{name}": app.commit(**{f"src__{name}": "x\n"}) for name in "bcde"}
    wrong = []

    def build(name, commit):
        for _ in range(3):
            with Built(app.path, commit, clones) as built:
                wrong.extend(other for other in commits if (other in built.files()) != (other <= name))

    threads = [threading.Thread(target=build, args=item) for item in commits.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    # A run that looks while others change places may find each place taken, and has one more: but far from each has its own.
    assert len([place for place in clones.iterdir() if place.is_dir()]) < 3 * len(commits)


def _hold(path, commit, clones, pipe):
    with Built(path, commit, clones):
        pipe.send("held")
        pipe.recv()


def test_a_killed_run_leaves_its_clone_to_the_next(app, clones):
    commit = git(app.path, "rev-parse", "HEAD")
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_hold, args=(app.path, commit, clones, theirs))
    process.start()
    assert ours.recv() == "held"
    with Built(app.path, commit, clones) as beside:
        assert beside.context.name == "2"
    process.kill()
    process.join()
    with Built(app.path, commit, clones) as after:
        assert after.context.name == "1"


def test_a_directory_that_cannot_be_written(app, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(GitFailed, match="or set atena_work_dir"), Built(app.path, "a" * 40, tmp_path / "file" / "builds"):
        pass


# --- Submodules -------------------------------------------------------------------------------------------------------
@pytest.fixture
def library(tmp_path):
    """A library with a library of its own."""
    inner = Repository(tmp_path / "remote" / "inner")
    inner.commit(inner="inner code\n")
    outer = Repository(tmp_path / "remote" / "library")
    git(outer.path, "submodule", "add", "--quiet", "../inner", "deps/inner")
    outer.commit(code="library code\n")
    return outer


def with_library(app, library):
    git(app.path, "submodule", "add", "--quiet", str(library.path), "lib")
    git(app.path, "submodule", "update", "--quiet", "--init", "--recursive")
    return app.commit()


def test_submodules_are_in_it_from_what_the_checkout_has(app, clones, library, tmp_path):
    commit = with_library(app, library)
    (app.path / "lib" / "not committed").write_text("x")
    shutil.rmtree(tmp_path / "remote")  # nothing is asked of anybody
    for _ in range(2):
        with Built(app.path, commit, clones) as built:
            assert {"lib/code", "lib/deps/inner/inner"} <= set(built.files()) and "lib/not committed" not in built.files()
            assert git(built.context, "status", "--porcelain") == ""


def test_submodules_that_were_deinitialised_and_those_of_a_second_working_tree(app, clones, library, tmp_path):
    commit = with_library(app, library)
    git(app.path, "submodule", "deinit", "--quiet", "--all", "--force")
    git(app.path, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    shutil.rmtree(tmp_path / "remote")
    for path in (app.path, tmp_path / "tree"):
        with Built(path, commit, clones) as built:
            assert {"lib/code", "lib/deps/inner/inner"} <= set(built.files())


def test_a_submodule_that_is_not_initialised_is_fetched_from_its_address(app, clones, library, tmp_path):
    with_library(app, library)
    git(tmp_path, "clone", "--quiet", str(app.path), "fresh")
    commit = git(tmp_path / "fresh", "rev-parse", "HEAD")
    assert list((tmp_path / "fresh" / "lib").iterdir()) == []
    git(tmp_path, "config", "--global", "protocol.file.allow", "always")
    with Built(tmp_path / "fresh", commit, clones) as built:
        assert {"lib/code", "lib/deps/inner/inner"} <= set(built.files())


def test_a_submodule_that_is_nowhere_to_be_had_is_refused(app, clones, library, tmp_path):
    with_library(app, library)
    git(tmp_path, "clone", "--quiet", str(app.path), "fresh")
    commit = git(tmp_path / "fresh", "rev-parse", "HEAD")
    # Without the user's leave git fetches no submodule from a path.
    with pytest.raises(GitFailed, match=r"the submodule lib at \w+ from .*library.*not allowed.*submodule update --init --recursive"):
        with Built(tmp_path / "fresh", commit, clones):
            pass
    assert (clones / "1" / ".git").is_dir(), "the clone is not to blame"


def test_a_submodules_commit_that_was_never_pushed(app, clones, library, tmp_path):
    git(tmp_path, "config", "--global", "protocol.file.allow", "always")
    with_library(app, library)
    (app.path / "lib" / "more").write_text("x\n")
    git(app.path / "lib", "add", "more")
    git(app.path / "lib", "commit", "--quiet", "-m", "not pushed")
    commit = app.commit()
    git(tmp_path, "clone", "--quiet", str(app.path), "fresh")
    with (
        pytest.raises(GitFailed, match="the submodule lib at .*none of its branches has this commit|the submodule lib at"),
        Built(tmp_path / "fresh", commit, clones),
    ):
        pass
    with Built(app.path, commit, clones) as built:
        assert "lib/more" in built.files()


def test_a_submodule_that_moves_goes_and_comes_back(app, clones, library):
    first = with_library(app, library)
    git(app.path, "mv", "lib", "vendor")
    moved = app.commit()
    git(app.path, "rm", "--quiet", "-f", "vendor")
    gone = app.commit(vendor="a file now\n")
    for commit, name in ((first, "lib/code"), (moved, "vendor/code"), (gone, "vendor"), (first, "lib/code")):
        with Built(app.path, commit, clones) as built:
            assert {file.split("/")[0] for file in built.files()} & {"lib", "vendor"} == {name.split("/")[0]}
            assert name in built.files()
            assert git(built.context, "status", "--porcelain") == ""


def test_a_repository_inside_that_gitmodules_does_not_know(app, clones):
    Repository(app.path / "embedded").commit(code="x\n")
    commit = app.commit()
    with pytest.raises(GitFailed, match=r"another repository at embedded.*git submodule add.*git rm --cached embedded"), Built(app.path, commit, clones):
        pass


def test_a_submodule_that_is_not_to_be_updated_is_told(app, clones, library):
    with_library(app, library)
    git(app.path, "config", "-f", ".gitmodules", "submodule.lib.update", "none")
    with Built(app.path, app.commit(), clones) as built:
        assert built.notes == ["The submodule lib is not in the image: .gitmodules says `update = none`."]


@pytest.mark.parametrize(
    ("base", "url", "wanted"),
    [
        ("https://github.com/acme/app.git", "../lib.git", "https://github.com/acme/lib.git"),
        ("https://github.com/acme/app/", "../../other/lib", "https://github.com/other/lib"),
        ("git@github.com:acme/app.git", "../lib.git", "git@github.com:acme/lib.git"),
        ("git@github.com:app.git", "../lib.git", "git@github.com:lib.git"),
        ("/srv/git/app", "./lib", "/srv/git/app/lib"),
        ("/srv/git/app", "https://example.com/lib", "https://example.com/lib"),
    ],
)
def test_relative_addresses_of_submodules(base, url, wanted):
    assert git_clone.resolved(base, url) == wanted


def test_passwords_in_addresses_are_not_shown():
    assert git_clone.shown("https://ana:hunter2@example.com:8443/lib.git") == "https://example.com:8443/lib.git"
    assert git_clone.shown("git@github.com:acme/lib.git") == "git@github.com:acme/lib.git"


# --- LFS and other filters --------------------------------------------------------------------------------------------
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 5\n"


def test_lfs_files_without_git_lfs_are_refused(app, clones, monkeypatch, tmp_path):
    app.write(".gitattributes", "*.bin filter=lfs\n")
    commit = app.commit(**{"model.bin": POINTER.format("0" * 64)})
    only_git = tmp_path / "bin"
    only_git.mkdir()
    (only_git / "git").symlink_to(shutil.which("git"))
    monkeypatch.setenv("PATH", str(only_git))
    git_lfs = shutil.which("git-lfs", path=git(tmp_path, "--exec-path"))
    if git_lfs:
        pytest.skip("git itself brings git-lfs")
    with pytest.raises(GitFailed, match=r"model\.bin: stored in Git LFS, and there is no `git-lfs` command.*Install git-lfs"), Built(app.path, commit, clones):
        pass


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="there is no git-lfs")
@pytest.mark.parametrize("installed", [True, False])
def test_lfs_files_come_from_the_checkouts_own_store(app, clones, installed, tmp_path):
    git(app.path, "lfs", "install", "--local")
    app.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    first = app.commit(**{"model.bin": "large\n"})
    second = app.commit(**{"model.bin": "larger\n"})
    assert "oid sha256" in git(app.path, "show", "HEAD:model.bin")
    if installed:
        git(tmp_path, "lfs", "install", "--skip-repo")
    for commit, content in ((first, "large\n"), (second, "larger\n"), (second, "larger\n")):
        with Built(app.path, commit, clones) as built:
            assert (built.context / "model.bin").read_text() == content
            assert built.notes == []
    shutil.rmtree(app.path / ".git" / "lfs")
    third = app.commit(**{"other.bin": "lost\n"})
    shutil.rmtree(app.path / ".git" / "lfs")
    with pytest.raises(GitFailed, match="(?s)LFS.*git lfs pull"), Built(app.path, third, clones):
        pass


def test_another_filter_is_told(app, clones):
    app.write(".gitattributes", "*.key filter=git-crypt\n")
    with Built(app.path, app.commit(**{"a.key": "as it is stored\n"}), clones) as built:
        assert "a.key" in built.notes[0] and "'git-crypt'" in built.notes[0] and len(built.notes) == 1


# --- What CI made -----------------------------------------------------------------------------------------------------
def test_what_is_named_is_added_and_does_not_stay(app, clones):
    commit = git(app.path, "rev-parse", "HEAD")
    app.write(".npmrc", "//registry/:_authToken=hunter2\n")
    app.write("packages__web__dist__index.html", "made\n")
    (app.path / "dist" / "link").symlink_to("bundle.js")
    with Built(app.path, commit, clones, ["dist/", ".npmrc", "packages/*/dist"]) as built:
        assert built.files() == [".gitignore", ".npmrc", "Dockerfile", "dist/bundle.js", "dist/link", "packages/web/dist/index.html", "src/a"]
        assert os.readlink(built.context / "dist" / "link") == "bundle.js"
        clone = built.context
    assert not (clone / ".npmrc").exists() and not (clone / "dist").exists() and (clone / "src/a").exists()


def test_an_included_file_of_the_commit_is_the_working_trees(app, clones):
    commit = git(app.path, "rev-parse", "HEAD")
    app.write("src__a", "recreated\n")
    with Built(app.path, commit, clones, ["src/a"]) as built:
        assert (built.context / "src/a").read_text() == "recreated\n"
        clone = built.context
    assert (clone / "src/a").read_text() == "a\n"


def test_nothing_is_written_through_a_link_of_the_commit(app, clones, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (app.path / "made").symlink_to(outside)
    commit = app.commit()
    (app.path / "made").unlink()
    app.write("made__file", "x\n")
    with Built(app.path, commit, clones, ["made"]) as built:
        assert (built.context / "made" / "file").read_text() == "x\n"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("build/", "has nothing of that name: was the step that makes it run before"),
        ("/etc/passwd", "not a path below"),
        ("../other", "not a path below"),
        ("dist/../../other", "not a path below"),
        (".git/config", "not a path below"),
        (".", "the whole working tree"),
        ("**", "the whole working tree"),
    ],
)
def test_what_cannot_be_included_is_refused(app, clones, pattern, words):
    with pytest.raises(GitFailed, match=words), Built(app.path, git(app.path, "rev-parse", "HEAD"), clones, [pattern]):
        pass


# --- Check mode -------------------------------------------------------------------------------------------------------
def test_files_are_looked_up_in_the_commit_without_a_clone(app):
    commit = git(app.path, "rev-parse", "HEAD")
    assert build_context.absent(str(app.path), commit, ["Dockerfile", "src/Dockerfile"]) == ["src/Dockerfile"]
    assert build_context.absent(str(app.path / "src"), commit, ["../Dockerfile", "a", "Dockerfile"]) == ["Dockerfile"]


# --- A commit by its beginning ----------------------------------------------------------------------------------------
def test_the_beginning_of_a_commit_is_completed_by_the_repository(app):
    full = git(app.path, "rev-parse", "HEAD").strip()
    assert {build_context.whole(str(app.path), text) for text in (full, full[:7], full[:39])} == {full}
    # A tree is no commit, and neither is what git does not have.
    for text in (git(app.path, "rev-parse", "HEAD^{tree}").strip()[:12], "0000000"):
        with pytest.raises(GitFailed, match=f"has no commit that begins with '{text}'.*Nothing was built"):
            build_context.whole(str(app.path), text)
    # What is no beginning of one is judged by git, as ever.
    assert build_context.whole(str(app.path), "HEAD") == "HEAD"


def test_of_two_commits_that_begin_so_both_are_named(app, monkeypatch):
    answers = {"rev-parse": "abcdef01\nabcdef02\nabcdef03\n", "abcdef01": "commit", "abcdef02": "commit", "abcdef03": "blob"}
    monkeypatch.setattr(build_context, "repository_of", lambda path: (path, ""))
    monkeypatch.setattr(build_context.git_cli, "run", lambda words, doing: answers.get(words[2]) or answers[words[-1]])
    with pytest.raises(GitFailed, match=r"'abcdef0' is the beginning of 2 commits of .* \(abcdef01, abcdef02\): write more of it. Nothing was built"):
        build_context.whole(str(app.path), "abcdef0")
