from pathlib import Path

import pytest
from atena_lab import settings
from atena_lab.report import LabError


def test_two_labs_share_nothing_that_their_variables_tell_apart():
    one = settings.read({})
    two = settings.read({"ATENA_LAB_PREFIX": "second", "ATENA_LAB_PORT": "4567"})
    assert (one.prefix, one.port) == ("atena-lab", 4566)
    assert one.endpoint_url != two.endpoint_url
    assert one.network != two.network
    assert one.directory != two.directory
    assert not {one.pid_file, one.log, one.app, one.terraform} & {two.pid_file, two.log, two.app, two.terraform}


def test_the_directory_is_the_users_choice(tmp_path):
    assert settings.read({"ATENA_LAB_DIR": str(tmp_path)}).app == tmp_path / "app"


@pytest.mark.parametrize(
    "environ",
    [{"ATENA_LAB_PREFIX": "Upper"}, {"ATENA_LAB_PREFIX": "under_score"}, {"ATENA_LAB_PREFIX": "-x"}, {"ATENA_LAB_PREFIX": "x" * 32},
     {"ATENA_LAB_PORT": "http"}, {"ATENA_LAB_PORT": "0"}, {"ATENA_LAB_PORT": "70000"}, {"ATENA_LAB_OFFLINE_PROVIDER": "perhaps"}],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_a_remedy(environ):
    with pytest.raises(LabError) as error:
        settings.read(environ)
    assert next(iter(environ.values())) in error.value.what
    assert error.value.remedy


def test_the_account_is_a_12_digit_access_key():
    values = settings.shell_environment(settings.read({}), None)
    assert values["AWS_ACCESS_KEY_ID"].isdigit()
    assert len(values["AWS_ACCESS_KEY_ID"]) == 12
    assert "TF_CLI_CONFIG_FILE" not in values


def test_terraform_is_told_of_the_offline_mirror_only_where_it_is_used():
    assert settings.shell_environment(settings.read({}), Path("/x/terraform.rc"))["TF_CLI_CONFIG_FILE"] == "/x/terraform.rc"
