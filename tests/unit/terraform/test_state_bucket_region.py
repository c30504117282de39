"""A state bucket belongs to one region's environments."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.modules import terraform_backend


def calls(home):
    def call(service, operation, doing, **arguments):
        headers = {"x-amz-bucket-region": home} if home else {}
        return {"ResponseMetadata": {"HTTPHeaders": headers}}

    return call


def test_one_in_another_region_is_refused_with_a_name_for_a_new_one():
    with pytest.raises(CallFailed, match="is in us-east-1, but this environment is in sa-east-1.*atena_state_bucket: states-sa-east-1"):
        terraform_backend.read_bucket(calls("us-east-1"), "states", "1", "sa-east-1")


@pytest.mark.parametrize("home", ["sa-east-1", ""])
def test_its_own_region_or_one_that_is_not_told_is_taken(home):
    assert terraform_backend.read_bucket(calls(home), "states", "1", "sa-east-1") is not None
