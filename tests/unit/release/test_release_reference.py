"""Which commit is released by `-e release=` where only its beginning is given: what has images in ECR, or is on record."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.commit import NotOne
from ansible_collections.atena.aws.plugins.module_utils.core.errors import failure
from ansible_collections.atena.aws.plugins.module_utils.environment.ledger import Ledger
from ansible_collections.atena.aws.plugins.module_utils.release import reference as release_reference
from fakes import Pages
from test_ledger import PREFIX, Bucket, record, sha

BUILT = "3f1c2aa9d2f4c5b60718293a4b5c6d7e8f901234"
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


class World(Pages):
    """A ledger, and repositories of ECR: {name: tags}."""

    def __init__(self, **repositories):
        self.bucket, self.repositories, self.asked = Bucket(), repositories, []

    def __call__(self, service, operation, doing, /, **arguments):
        self.asked.append(operation)
        if service == "s3":
            return self.bucket(service, operation, doing, **arguments)
        assert operation == "describe_images" and arguments["filter"] == {"tagStatus": "TAGGED"} and arguments["registryId"] == "123456789012"
        name = arguments["repositoryName"].removeprefix("atena-prod-")
        if name not in self.repositories:
            raise failure("no such repository", "RepositoryNotFoundException")
        return {"imageDetails": [{"imageDigest": "sha256:1", "imageTags": [*self.repositories[name], "latest"]}, {"imageDigest": "sha256:2"}]}

    @property
    def ledger(self):
        return Ledger(self, "state", PREFIX)


def services(tag):
    return [{"name": f"atena-prod-{key}", "images": {key: f"{REGISTRY}/atena-prod-{key}:{tag}"}, "initial_count": 1} for key in ("api", "workers")]


def followed(world, reference, given=None):
    return release_reference.followed(world, world.ledger, reference, given or services(f"sha-{reference}"))


@pytest.fixture
def world():
    made = World(api=[f"sha-{BUILT}", f"sha-{sha('a')}"], workers=[f"sha-{BUILT}", "kept-20270115T120000Z-3f1c2aa9d2f4-0000"])
    made.ledger.create(record("a", 0))
    made.ledger.create(record("b", 1))
    return made


@pytest.mark.parametrize("reference", [BUILT[:7], BUILT[:12], BUILT[:12].upper()])
def test_one_that_was_built_and_never_released_is_known_by_its_images(world, reference):
    assert followed(world, reference) == (BUILT, services(f"sha-{BUILT}"))


def test_one_that_is_on_record_is_known_by_what_releases_yml_prints(world):
    assert followed(world, sha("a")[:12]) == (sha("a"), services(f"sha-{sha('a')}"))
    # Whose images are gone: that is told where they are looked for.
    assert followed(world, sha("b")[:12])[0] == sha("b")
    assert followed(world, "20270115T120000Z-aaaaaaaaaaaa-0000")[0] == sha("a")


def test_one_that_is_given_whole_is_taken_at_its_word(world):
    assert followed(world, sha("c")) == (sha("c"), services(f"sha-{sha('c')}"))
    assert not {"get_object", "describe_images"} & set(world.asked[2:])


def test_an_unknown_one_is_refused_with_what_was_released_and_what_was_built(world):
    with pytest.raises(NotOne) as refused:
        followed(world, "0000000")
    said = str(refused.value)
    assert said.startswith("No recorded release and no image in ECR is called '0000000'. Nothing was changed.")
    assert "aaaaaaaaaaaa" in said and "bbbbbbbbbbbb" in said and "Images that none of these has: 3f1c2aa9d2f4" in said


def test_of_two_that_begin_so_both_are_named(world):
    twin = BUILT[:20] + "0" * 20
    world.ledger.create(record("c", 2, release=twin, id=f"20270115T120200Z-{twin[:12]}-0000"))
    with pytest.raises(NotOne, match="names releases of 2 commits") as refused:
        followed(world, BUILT[:7])
    assert f"{BUILT}  never released" in str(refused.value) and f"{twin}  20270115T120200Z-{twin[:12]}-0000" in str(refused.value)


def test_before_anything_was_built_there_is_nothing_to_mean():
    with pytest.raises(NotOne, match="no image in ECR is called '3f1c2aa'.*\nNo release is recorded"):
        followed(World(), "3f1c2aa")


def test_a_name_after_which_no_image_is_named_is_only_a_name(world):
    given = [{"name": "atena-prod-api", "images": {"api": f"{REGISTRY}/atena-prod-api@sha256:{'1' * 64}"}}]
    assert followed(world, "nightly", given) == ("nightly", given)
    assert world.asked.count("describe_images") == 0
