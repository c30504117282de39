"""Which images are built, from what, and what of ECR's is taken as it is: with real repositories, a `docker` that writes down what it is given, and an ECR
of a few lines that has what it pushed."""

import base64
import hashlib
import io
import json
import shutil
import subprocess
from types import SimpleNamespace

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CredentialsRefused, failure
from ansible_collections.atena.aws.plugins.module_utils.images import configuration as ecr_configuration, labels as ecr_labels, plan as ecr_plan
from ansible_collections.atena.aws.plugins.modules import ecr_image

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
# Writes its arguments, and of a build the files of its context, one JSON object a line.
DOCKER = """#!/usr/bin/env python3
import json, os, sys
words = sys.argv[1:]
if words[0] == "version":
    print("amd64")
elif words[:2] == ["context", "inspect"]:
    print("unix:///nowhere")
elif words[0] == "create":
    print("Unable to find something\\ncontainer-1")
elif words[0] == "cp":
    path = words[2].partition(":")[2]
    if path != "/certs/bundle.pem":
        sys.exit("Error: Could not find the file %s in container container-1" % path)
    print("-----BEGIN CERTIFICATE-----")
else:
    root, found = words[-1], {}
    for directory, below, names in os.walk(root if words[0] == "build" else "/nowhere"):
        below[:] = [name for name in below if name != ".git"]
        for name in names:
            path = os.path.join(directory, name)
            found[os.path.relpath(path, root)] = open(path).read()
    with open(os.environ["DOCKERS_BOOK"], "a") as book:
        book.write(json.dumps({"words": words, "files": found}) + "\\n")
"""


class Stopped(Exception):
    pass


def git(path, *arguments):
    command = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "-C", str(path), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """A repository with one commit and an ignored secret, of which each World has a copy."""
    path = tmp_path_factory.mktemp("application") / "app"
    path.mkdir()
    git(path, "init", "--quiet")
    (path / ".gitignore").write_text(".env\ndist\n")
    (path / "Dockerfile").write_text("FROM scratch\n")
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "-m", "change")
    (path / ".env").write_text("SECRET=hunter2\n")
    return path


class World:
    """One repository, one ECR repository, one run of the module after the other."""

    def __init__(self, tmp_path, monkeypatch, application):
        self.path, self.clones, self._book = tmp_path / "app", tmp_path / "work" / "builds", tmp_path / "book"
        shutil.copytree(application, self.path)
        self.head = git(self.path, "rev-parse", "HEAD")
        self.tags, self.labels, self.denied, self.warnings, self._taken, self.asked = {}, {}, None, [], "", []
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "docker").write_text(DOCKER)
        (tmp_path / "bin" / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
        monkeypatch.setenv("DOCKERS_BOOK", str(self._book))
        monkeypatch.setattr(ecr_image, "Caller", lambda module: self)
        monkeypatch.setattr(ecr_configuration, "open_url", lambda url, timeout: io.BytesIO(json.dumps({"config": {"Labels": self.labels[url]}}).encode()))

    def git(self, *arguments):
        return git(self.path, *arguments)

    def write(self, name, content):
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(content)

    # --- docker and ECR -----------------------------------------------------------------------------------------------
    def did(self):
        """What docker was told since the last look."""
        lines = self._book.read_text().splitlines() if self._book.exists() else []
        self._book.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def builds(self):
        built = [entry for entry in self.did() if entry["words"][0] == "build"]
        for entry in built:
            words = entry["words"]
            entry["labels"] = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--label")
        return built

    def client(self, service):
        return SimpleNamespace(meta=SimpleNamespace(endpoint_url="https://api.ecr.us-east-1.amazonaws.com"))

    def __call__(self, service, operation, doing, /, **arguments):
        return getattr(self, operation)(**arguments)

    def describe_repositories(self, repositoryNames):
        return {"repositories": [{"repositoryName": name, "repositoryUri": f"{REGISTRY}/{name}"} for name in repositoryNames]}

    def take_pushed(self):
        """What was built and pushed since the last look is under its tag now."""
        book = self._book.read_text() if self._book.exists() else ""
        builds = [entry["words"] for entry in map(json.loads, book.splitlines()) if entry["words"][0] == "build"]
        if not builds or book == self._taken:
            return
        self._taken, words = book, builds[-1]
        digest = "sha256:" + hashlib.sha256(book.encode()).hexdigest()
        self.labels[digest] = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--label")
        self.tags[words[words.index("--tag") + 1].rpartition(":")[2]] = digest

    def get_authorization_token(self):
        return {"authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:x").decode(), "proxyEndpoint": f"https://{REGISTRY}"}]}

    def batch_get_image(self, repositoryName, imageIds, acceptedMediaTypes):
        self.take_pushed()
        self.asked.append([*(identity.get("imageTag", "by digest") for identity in imageIds)])
        there = [{"imageDigest": self.tags.get(identity.get("imageTag")), **identity} for identity in imageIds]
        return {
            "images": [{"imageId": one, "imageManifest": json.dumps({"config": {"digest": one["imageDigest"]}})} for one in there if one["imageDigest"]],
            "failures": [{"imageId": one, "failureCode": "ImageNotFound"} for one in there if not one["imageDigest"]],
        }

    def get_download_url_for_layer(self, repositoryName, layerDigest):
        if self.denied:
            raise self.denied
        return {"downloadUrl": layerDigest}

    def put_image(self, repositoryName, imageManifest, imageTag, **more):
        self.tags[imageTag] = json.loads(imageManifest)["config"]["digest"]

    # --- The module ---------------------------------------------------------------------------------------------------
    def run(self, *, check_mode=False, working_tree=False, **given):
        def fail_json(msg):
            raise Stopped(msg)

        params = {
            **{"path": str(self.path), "tag": f"sha-{self.head}", "also_tags": ["latest"], "build_args": {}, "labels": {}, "include": [], "dirty": False},
            "ca_bundle": "",
            "progress_file": str(self.path.parent / "progress"),
            "commit": None if working_tree else self.head,
            "clones": str(self.clones),
            "images": [{"name": "api", "repository": "api", "dockerfile": "Dockerfile", "target": None, "architecture": "X86_64"}],
            **given,
        }
        return ecr_image.run(SimpleNamespace(params=params, check_mode=check_mode, warn=self.warnings.append, fail_json=fail_json))


@pytest.fixture
def world(tmp_path, monkeypatch, application):
    return World(tmp_path, monkeypatch, application)


def test_an_image_of_a_commit_has_the_commits_files_and_says_so(world):
    result = world.run()
    (build,) = world.builds()
    assert sorted(build["files"]) == [".gitignore", "Dockerfile"]
    assert build["labels"] == {"atena.build-from": "commit", "atena.build-include": "[]", "atena.build-target": ""}
    assert result["images"]["api"]["built"] and result["origin"] == {"from": "commit", "include": []} and result["says"] == []
    again = world.run()
    assert not again["changed"] and world.did() == [] and again["origin"] == {"from": "commit", "include": []}


def test_an_image_of_the_working_tree_has_all_its_files_and_says_so(world):
    result = world.run(working_tree=True)
    (build,) = world.builds()
    assert build["files"][".env"] == "SECRET=hunter2\n" and build["labels"]["atena.build-from"] == "working_tree"
    assert result["origin"] == {"from": "working_tree", "include": []}
    assert not world.run(working_tree=True)["changed"], "as it is under that tag already"


def test_what_was_built_from_the_working_tree_is_built_anew_from_the_commit(world):
    before = world.run(working_tree=True)["images"]["api"]
    world.did()
    predicted = world.run(check_mode=True)
    assert predicted["changed"] and "would be rebuilt" in predicted["says"][0] and world.did() == []
    result = world.run()
    (build,) = world.builds()
    assert ".env" not in build["files"]
    assert f"api:sha-{world.head} is there, but it was built from the working tree" in result["says"][0]
    assert "working tree" in result["images"]["api"]["why"] and before["tag"] == result["images"]["api"]["tag"]
    assert not world.run()["changed"]


def test_what_was_built_from_the_commit_is_built_anew_from_the_working_tree(world):
    world.run()
    world.did()
    result = world.run(working_tree=True)
    assert "it was built from the commit alone" in result["says"][0] and ".env" in world.builds()[0]["files"]


def test_a_tag_does_not_tell_what_is_in_a_dirty_working_tree(world):
    world.run(working_tree=True, dirty=True)
    world.write("Dockerfile", "FROM other\n")
    world.did()
    result = world.run(working_tree=True, dirty=True)
    assert world.builds()[0]["files"]["Dockerfile"] == "FROM other\n"
    assert "changes that are not committed" in result["says"][0]


def test_what_ci_made_is_in_the_image_and_in_its_label(world):
    world.write("dist/bundle.js", "made\n")
    result = world.run(include=["dist/"])
    (build,) = world.builds()
    assert build["files"]["dist/bundle.js"] == "made\n" and ".env" not in build["files"]
    assert json.loads(build["labels"]["atena.build-include"]) == ["dist/"] and result["origin"] == {"from": "commit", "include": ["dist/"]}
    assert "it was built with dist/ of the working tree, and not with nothing" in world.run()["says"][0]


def image(target):
    return [{"name": "api", "repository": "api", "dockerfile": "Dockerfile", "target": target, "architecture": "X86_64"}]


def test_the_stage_that_is_named_is_built_and_is_in_the_label(world):
    result = world.run(images=image("worker"))
    (build,) = world.builds()
    assert build["words"][build["words"].index("--target") + 1] == "worker"
    assert build["labels"]["atena.build-target"] == "worker" and result["says"] == []
    assert not world.run(images=image("worker"))["changed"] and world.did() == []


def test_another_stage_is_built_anew_under_the_same_tag(world):
    world.run(images=image("worker"))
    world.did()
    result = world.run(images=image("server"))
    assert world.builds()[0]["labels"]["atena.build-target"] == "server"
    assert "it was built to the stage worker of the Dockerfile, and not to server" in result["says"][0]
    result = world.run()
    assert "--target" not in world.builds()[0]["words"]
    assert "it was built to the stage server of the Dockerfile, and not to the last one" in result["says"][0]
    assert not world.run()["changed"]


def test_an_image_from_before_there_were_stages_is_the_last_one(world):
    world.run()
    del world.labels[world.tags["latest"]]["atena.build-target"]
    assert not world.run()["changed"]
    assert "it was built to the last stage of the Dockerfile, and not to worker" in world.run(images=image("worker"))["says"][0]


@pytest.mark.parametrize("labels", [{}, {"org.opencontainers.image.revision": "x"}, {"atena.build-include": "{broken"}])
def test_images_without_a_label_are_taken_as_they_are(world, labels):
    world.tags = {f"sha-{world.head}": "d1", "latest": "d1"}
    world.labels = {"d1": labels}
    result = world.run()
    assert not result["changed"] and result["origin"] == {"from": "", "include": []} and world.warnings == []


def test_labels_that_may_not_be_read_are_a_warning(world):
    world.tags, world.denied = {f"sha-{world.head}": "d1", "latest": "d1"}, failure("Could not read it: may not.", "AccessDeniedException")
    assert not world.run()["changed"]
    assert "was taken as it is, without knowing whether" in world.warnings[0] and "may not." in world.warnings[0]


def test_credentials_that_are_refused_end_it(world):
    world.tags, world.denied = {f"sha-{world.head}": "d1"}, failure("Could not read it: expired.", "ExpiredToken")
    assert isinstance(world.denied, CredentialsRefused)
    with pytest.raises(CredentialsRefused):
        world.run()


def test_labels_of_an_image_for_several_platforms(world, monkeypatch):
    index = {"manifests": [{"digest": "att", "platform": {"architecture": "unknown"}}, {"digest": "d2", "platform": {"architecture": "amd64"}}]}
    single = world.batch_get_image

    def batch_get_image(imageIds, **more):
        return {"images": [{"imageManifest": json.dumps(index)}]} if imageIds[0]["imageDigest"] == "d1" else single(imageIds=imageIds, **more)

    monkeypatch.setattr(world, "batch_get_image", batch_get_image)
    world.labels = {"d2": {"atena.build-from": "commit"}}
    assert ecr_labels.labels(world, "api", "d1") == ({"atena.build-from": "commit"}, "")


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_dockerfile_that_the_commit_lacks_is_named_before_anything_is_built(world, check_mode):
    world.git("rm", "--quiet", "--cached", "Dockerfile")
    world.git("commit", "--quiet", "-m", "lose it")
    world.head = world.git("rev-parse", "HEAD")
    with pytest.raises(Stopped, match=f"{world.path} at {world.head} has no Dockerfile. Correct .*Nothing was built or pushed"):
        world.run(check_mode=check_mode)
    assert world.did() == []
    assert world.clones.exists() is not check_mode


@pytest.mark.parametrize(
    ("origins", "wanted"),
    [
        ([{"from": "commit", "include": ["b"]}, {"from": "commit", "include": ["a"]}], {"from": "commit", "include": ["a", "b"]}),
        ([{"from": "commit", "include": []}, {"from": "working_tree", "include": []}, {"from": "", "include": []}], {"from": "working_tree", "include": []}),
        ([{"from": "commit", "include": []}, {"from": "", "include": []}], {"from": "", "include": []}),
    ],
)
def test_a_release_is_from_the_commit_only_if_all_its_images_are(origins, wanted):
    assert ecr_plan.together(origins) == wanted


def test_an_image_that_has_certificates_says_where(world):
    world.run(ca_bundle="/certs/bundle.pem")
    first, second = world.builds()
    assert "atena.ca-bundle" not in first["labels"] and second["labels"] == {**first["labels"], "atena.ca-bundle": "/certs/bundle.pem"}
    assert second["files"] == first["files"]


def test_one_that_has_none_says_nothing_and_is_built_once(world):
    world.run(ca_bundle="/elsewhere.pem")
    (build,) = world.builds()
    assert "atena.ca-bundle" not in build["labels"]
