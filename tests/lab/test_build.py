"""What is in the images: the commit, all of it, and nothing else of the working tree; and that a second build takes its layers from the cache."""

import json
import subprocess
import uuid

import pytest

NOTES = "packages/api/NOTES.md"
SECRET = "packages/api/developer.env"


def in_image(image: str, command: str) -> str:
    """What a shell in a released image prints; the image is pulled from the lab's registry if it is not here."""
    done = subprocess.run(["docker", "run", "--rm", "--entrypoint", "sh", image, "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def image_of(lab, commit: str, service: str = "api") -> str:
    return f"{lab.endpoint.partition('://')[2]}/{lab.name}-{service}:sha-{commit}"


def labels(image: str) -> dict:
    shown = subprocess.run(["docker", "image", "inspect", image, "--format", "{{json .Config.Labels}}"], capture_output=True, text=True, check=True)
    return json.loads(shown.stdout)


@pytest.fixture
def ignored(lab, good):
    """The application with a file that git ignores."""
    (good.repository / ".gitignore").write_text(f"/{SECRET}\n/dist/\n")
    good.change("Ignore what is mine", **{NOTES: f"{uuid.uuid4()}\n"})
    (good.repository / SECRET).write_text("SECRET=hunter2\n")
    yield good
    (good.repository / SECRET).unlink()
    lab.playbook("deploy.yml")


def test_an_ignored_file_is_in_no_image_and_the_record_says_what_it_was_built_from(lab, ignored):
    lab.playbook("deploy.yml").must_succeed()
    image = image_of(lab, ignored.commit)
    assert "developer.env" not in in_image(image, "ls /app/packages/api")
    assert labels(image)["atena.build-from"] == "commit"
    assert lab.records()[0]["build"] == {"from": "commit", "include": []}


def test_changes_that_are_not_committed_are_left_out_and_told(lab, ignored):
    ignored.change("Another word", **{NOTES: f"{uuid.uuid4()}\n"})
    (ignored.repository / "packages/api/forgotten.txt").write_text("x")
    try:
        run = lab.playbook("deploy.yml", "-e", "deploy_until=images").must_succeed()
        assert "and so not in them: packages/api/forgotten.txt." in run.text
        assert "forgotten" not in in_image(image_of(lab, ignored.commit), "ls /app/packages/api")
    finally:
        (ignored.repository / "packages/api/forgotten.txt").unlink()


def test_a_tag_from_the_working_tree_is_built_anew_from_the_commit(lab, ignored):
    ignored.change("A third word", **{NOTES: f"{uuid.uuid4()}\n"})
    lab.playbook("deploy.yml", "-e", "atena_build_from=working_tree").must_succeed()
    assert lab.records()[0]["build"]["from"] == "working_tree"
    assert "of the working tree" in lab.playbook("releases.yml").must_succeed().text
    image = image_of(lab, ignored.commit)
    assert "developer.env" in in_image(image, "ls /app/packages/api")
    run = lab.playbook("deploy.yml").must_succeed()
    assert "but it was built from the working tree" in run.text
    assert "developer.env" not in in_image(image, "ls /app/packages/api")
    assert lab.records()[0]["build"]["from"] == "commit"
    assert lab.playbook("deploy.yml").must_succeed().changed == 0


def test_a_submodule_is_in_the_image_though_it_is_not_checked_out(lab, good, tmp_path):
    library = tmp_path / "library"
    good.git("init", "--quiet", str(library))
    (library / "code.txt").write_text("library code\n")
    for arguments in (["add", "--all"], ["commit", "--quiet", "-m", "code"]):
        good.git("-C", str(library), *arguments)
    good.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(library), "packages/library")
    commit = good.change("Take the library in")
    good.git("submodule", "deinit", "--quiet", "--force", "--all")
    assert list((good.repository / "packages/library").iterdir()) == []
    lab.playbook("deploy.yml", "-e", "deploy_until=images").must_succeed()
    assert in_image(image_of(lab, commit), "cat /app/packages/library/code.txt") == "library code\n"


def test_what_ci_made_is_in_the_image(lab, ignored):
    made = ignored.repository / "packages" / "api" / "made.js"
    (ignored.repository / ".gitignore").write_text(f"/{SECRET}\n/packages/api/made.js\n")
    commit = ignored.change("Ignore what CI makes", **{NOTES: f"{uuid.uuid4()}\n"})
    made.write_text("made by CI\n")
    try:
        lab.playbook("deploy.yml", "-e", "deploy_until=images", "-e", '{"atena_build_include": ["packages/*/made.js"]}').must_succeed()
    finally:
        made.unlink()
    image = image_of(lab, commit)
    assert in_image(image, "cat /app/packages/api/made.js") == "made by CI\n"
    assert json.loads(labels(image)["atena.build-include"]) == ["packages/*/made.js"]


def test_a_second_build_takes_its_layers_from_the_cache(lab, good):
    """Of a commit of one line only the layers that have that line are made, as from the working tree: what ran above ran once."""
    run = "RUN cat /proc/sys/kernel/random/uuid > /made"
    (good.repository / "requirements.txt").write_text(f"{uuid.uuid4()}\n")
    dockerfile = good.read("packages/api/Dockerfile").replace("WORKDIR /app\n", f"WORKDIR /app\nCOPY requirements.txt /\n{run}\n")
    made = []
    for text in ("one\n", "two\n"):
        commit = good.change("A line", **{NOTES: text, "packages/api/Dockerfile": dockerfile})
        lab.playbook("deploy.yml", "-e", "deploy_until=images").must_succeed()
        image = image_of(lab, commit)
        assert in_image(image, f"cat /app/{NOTES}") == text
        made.append(in_image(image, "cat /made"))
    assert made[0] == made[1]
