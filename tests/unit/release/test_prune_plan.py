"""What prune takes away: only what no rule keeps."""

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.atena.aws.plugins.module_utils.environment.release_record import Previous, Service
from ansible_collections.atena.aws.plugins.module_utils.release import prune_plan
from test_ledger import record as release

NOW = datetime(2027, 6, 1, 12, 0, 0, tzinfo=UTC)
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/"
RULES = prune_plan.Rules(keep_newest=2, min_age_days=30, now=NOW)


def digest(letter):
    return "sha256:" + letter * 64


def days_ago(days):
    return NOW - timedelta(days=days)


def revision(number, family="a-api", age=100, image=None, **tags):
    definition = {
        "taskDefinitionArn": f"{ARN}{family}:{number}",
        "family": family,
        "revision": number,
        "containerDefinitions": [{"name": "api", "image": image or f"{REGISTRY}/{family}@{digest('0')}"}],
        "tags": [{"key": key.replace("_", ":"), "value": value} for key, value in tags.items()],
    }
    return definition if age is None else {**definition, "registeredAt": days_ago(age)}


def image(letter, *tags, age=100, size=1000, **more):
    return {"imageDigest": digest(letter), "imageTags": list(tags), "imagePushedAt": days_ago(age), "imageSizeInBytes": size, **more}


def record(identity, services=(), images=(), outcome="succeeded"):
    entries = [
        Service(name=name, task_definition=ARN + td, desired_count=1, previous=Previous(task_definition=ARN + previous, desired_count=1, is_first=False))
        for name, td, previous in services
    ]
    return release(outcome=outcome, id=identity, services=entries, images=dict(images))


def facts(**changes):
    return {
        **{"revisions": [], "others": [], "used": {}, "running": {}, "kept": [], "unfinished": None},
        **{"images": {"a-api": []}, "parts": {"a-api": {}}},
        **changes,
    }


def judged(**changes):
    return prune_plan.plan(facts(**changes), RULES)


def gone(planned):
    return [prune_plan.name_of(entry) for entry in planned["task_definitions"]]


def deleted(planned):
    return [entry["digest"][7] for entry in planned["images"]]


def why(planned, name):
    return next(entry["because"] for entry in planned["kept"] if prune_plan.name_of(entry) == name)


FIVE = [revision(number) for number in range(1, 6)]


@pytest.mark.parametrize(
    ("changes", "name", "because"),
    [
        ({}, None, None),
        ({"used": {"a-api:1": "the service a-api has it"}}, "a-api:1", "the service a-api has it"),
        ({"kept": [record("r1", [("a-api", "a-api:1", "a-api:2")])]}, "a-api:1", "the release r1 has it"),
        ({"unfinished": record("r9", [("a-api", "a-api:4", "a-api:1")])}, "a-api:1", "the unfinished release r9 needs it"),
        ({"revisions": [revision(1, atena_template="true"), *FIVE[1:]]}, "a-api:1", "it is a template"),
        ({"revisions": [revision(1, age=29), *FIVE[1:]]}, "a-api:1", "29 days old"),
        ({"revisions": [revision(1, age=None), *FIVE[1:]]}, "a-api:1", "its age is not known"),
    ],
)
def test_a_revision_stays_for_one_reason_alone(changes, name, because):
    planned = judged(**{"revisions": FIVE, **changes})
    assert gone(planned) == [expected for expected in ("a-api:1", "a-api:2", "a-api:3") if expected != name]
    assert why(planned, "a-api:5") == "one of the newest 2"
    if name:
        assert why(planned, name) == because


def test_what_a_kept_release_had_before_it_may_go():
    planned = judged(revisions=FIVE, kept=[record("r1", [("a-api", "a-api:1", "a-api:2")])])
    assert "a-api:2" in gone(planned)


def test_a_revision_must_be_old_and_many():
    assert gone(judged(revisions=[revision(1), revision(2)])) == []
    assert gone(judged(revisions=[revision(number, age=3) for number in range(1, 9)])) == []


def test_each_family_keeps_its_newest():
    planned = judged(revisions=[*FIVE, revision(1, family="a-workers"), revision(2, family="a-workers")])
    assert gone(planned) == ["a-api:1", "a-api:2", "a-api:3"]


def test_revisions_are_counted_as_numbers():
    planned = judged(revisions=[revision(number) for number in (2, 9, 10, 11)])
    assert gone(planned) == ["a-api:2", "a-api:9"]


def test_with_an_age_of_0_the_count_decides():
    planned = prune_plan.plan(facts(revisions=[revision(number, age=0) for number in (1, 2)]), prune_plan.Rules(1, 0, NOW))
    assert gone(planned) == ["a-api:1"]


IMAGES = [image(letter, f"sha-{letter}", age=100 - index) for index, letter in enumerate("abcd")]


def pinned(letter):
    return f"{REGISTRY}/a-api@{digest(letter)}"


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({}, None),
        ({"running": {digest("a"): "the task 12ab runs it"}}, "the task 12ab runs it"),
        ({"revisions": [revision(7, image=pinned("a"))]}, "a-api:7 needs it"),
        ({"revisions": [revision(7, image=f"{REGISTRY}/a-api:v1@{digest('a')}")]}, "a-api:7 needs it"),
        ({"others": [revision(3, family="job", image=pinned("a"))]}, "job:3 needs it"),
        ({"others": [revision(3, family="a-api-template", image=f"{REGISTRY}/a-api:sha-a")]}, "a-api-template:3 needs it"),
        ({"kept": [record("r1", images={"api": pinned("a")})]}, "the release r1 has it"),
        ({"unfinished": record("r9", images={"api": pinned("a")})}, "the release r9 has it"),
        ({"images": {"a-api": [image("a", "sha-a", "kept-r1"), *IMAGES[1:]]}}, "it has the tag kept-r1"),
        ({"images": {"a-api": [image("a", "sha-a", age=12), *IMAGES[1:]]}, "parts": {"a-api": {}}}, "one of the newest 2"),
        ({"images": {"a-api": [{**IMAGES[0], "imagePushedAt": None}, *IMAGES[1:]]}}, "its age is not known"),
    ],
)
def test_an_image_stays_for_one_reason_alone(changes, because):
    planned = judged(**{"images": {"a-api": IMAGES}, **changes})
    if because:
        assert "a" not in deleted(planned)
        assert why(planned, f"a-api@{digest('a')[:19]}") == because
    else:
        assert deleted(planned) == ["a", "b"]


def test_a_template_without_a_tag_means_latest():
    template = revision(1, family="a-api-template", image=f"{REGISTRY}/a-api")
    planned = judged(others=[template], images={"a-api": [image("a", "latest", "sha-a"), *IMAGES[1:]]})
    assert deleted(planned) == ["b"]


def test_the_tag_of_another_repository_protects_nothing():
    template = revision(1, family="a-workers-template", image=f"{REGISTRY}/a-workers:sha-a")
    assert "a" in deleted(judged(others=[template], images={"a-api": IMAGES}))


def test_an_image_goes_with_the_last_revision_that_needs_it():
    revisions = [revision(1, image=pinned("a")), revision(2, image=pinned("b")), revision(3, image=pinned("c")), revision(4, image=pinned("d"))]
    planned = judged(revisions=revisions, images={"a-api": IMAGES}, used={"a-api:1": "the service a-api has it"})
    assert gone(planned) == ["a-api:2"]
    assert deleted(planned) == ["b"]


def test_untagged_images_are_judged_like_all_others():
    assert deleted(judged(images={"a-api": [image("a", age=100), image("b", age=20), image("c", age=2), image("d", age=1)]})) == ["a"]


class TestMultiPlatform:
    """8 holds a and b; 9 holds c; d to f are plain and newer."""

    images = [image("8", "sha-8", age=90), image("a", age=90), image("b", age=90), image("9", "sha-9", age=80), image("c", age=80)] + [
        image(letter, f"sha-{letter}", age=40) for letter in "def"
    ]
    parts = {digest("8"): [digest("a"), digest("b")], digest("9"): [digest("c"), digest("gone already")]}

    def judged(self, **changes):
        return judged(**{"images": {"a-api": self.images}, "parts": {"a-api": self.parts}, **changes})

    def test_its_parts_go_with_it_and_after_it(self):
        assert deleted(self.judged()) == ["8", "9", "d", "a", "b", "c"]

    def test_its_parts_stay_with_it(self):
        planned = self.judged(kept=[record("r1", images={"api": pinned("8")})])
        assert deleted(planned) == ["9", "d", "c"]
        assert why(planned, f"a-api@{digest('a')[:19]}") == f"part of {digest('8')[:19]}"

    def test_it_stays_with_a_part_that_runs_and_so_does_the_other_part(self):
        assert deleted(self.judged(running={digest("a"): "the task 1 runs it"})) == ["9", "d", "c"]

    def test_its_parts_are_not_counted(self):
        planned = prune_plan.plan(facts(images={"a-api": self.images}, parts={"a-api": self.parts}), prune_plan.Rules(5, 30, NOW))
        assert deleted(planned) == []


def test_every_item_is_named_and_the_total_is_told():
    planned = judged(revisions=[revision(1, atena_release="3f2a91c0d4e5f6a7"), *FIVE[1:]], images={"a-api": [image("a", "sha-a", size=2_500_000), *IMAGES[1:]]})
    lines = prune_plan.lines(planned, done=False)
    assert lines[0] == "Would take away 3 task definition revisions and 2 images (up to 2.5 MB); 2 revisions and 2 images stay."
    assert lines[1] == "  task definition a-api:1, 100 days old, release 3f2a91c0d4e5"
    assert lines[4] == f"  image a-api@{digest('a')[:19]}, 100 days old, 2.5 MB, tags sha-a"
    assert len(lines) == 6
    assert prune_plan.lines(planned, done=True)[0].startswith("Took away 3 ")
    assert prune_plan.lines(judged(revisions=FIVE[3:]), done=True) == ["Nothing to delete: 2 revisions and 0 images stay."]


def test_the_diff_has_a_line_for_each_item_that_goes():
    planned = judged(revisions=FIVE, images={"a-api": IMAGES})
    assert [(entry["before_header"], entry["before"].count("\n"), entry["after"]) for entry in prune_plan.diff(planned)] == [
        ("task definitions", 3, ""),
        ("images", 2, ""),
    ]
    assert prune_plan.diff(judged(revisions=FIVE[3:])) == []
