"""What people and surveys send as services."""

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.atena.aws.plugins.filter.chosen_services import chosen_services

ORDER = ["api", "workers", "mail"]


@pytest.mark.parametrize("given", ["", None, [], "all", ["all"], " "])
def test_nobody_named_means_all(given):
    assert chosen_services(given, ORDER, "p") == ORDER


@pytest.mark.parametrize("given", ["mail,api", "mail api", ["mail", "api"], "p-mail, p-api", ["p-mail", "api", ""]])
def test_every_way_to_name_them_means_the_same(given):
    assert chosen_services(given, ORDER, "p") == ["api", "mail"]


def test_a_stranger_is_told_who_is_there():
    with pytest.raises(AnsibleFilterError, match="no service web in p; there are api, mail, workers. Nothing was done"):
        chosen_services("api,web", ORDER, "p")
