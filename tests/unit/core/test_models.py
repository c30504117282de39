"""botocore's descriptions of services are what botocore itself reads, read once."""

from __future__ import annotations

import json

import botocore.loaders
import botocore.session
import pytest
from ansible_collections.atena.aws.plugins.module_utils.core import models


@pytest.fixture
def session(monkeypatch):
    monkeypatch.delenv("AWS_DATA_PATH", raising=False)
    session = botocore.session.Session()
    models.share(session)
    return session


@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1"])
@pytest.mark.parametrize("service", ["sts", "ecs", "ec2"])
def test_a_description_is_the_same_in_the_same_order(session, service, kind):
    own = botocore.loaders.create_loader()
    try:
        wanted = own.load_service_model(service, kind)
    except botocore.exceptions.DataNotFoundError:
        with pytest.raises(botocore.exceptions.DataNotFoundError):
            session.get_component("data_loader").load_service_model(service, kind)
        return
    assert json.dumps(session.get_component("data_loader").load_service_model(service, kind)) == json.dumps(wanted)


def test_what_was_read_ahead_is_not_read_again(session, monkeypatch):
    models.read_ahead(["sts", "dynamodb"])
    monkeypatch.setattr(models.json, "loads", lambda _text: pytest.fail("it is read already"))
    loader = session.get_component("data_loader")
    assert loader.load_service_model("dynamodb", "service-2")["metadata"]["serviceId"] == "DynamoDB"
    assert loader.load_data("partitions")["partitions"]


def test_who_has_descriptions_of_his_own_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    own, another = botocore.session.Session(), botocore.session.Session()
    models.share(own)
    assert own.get_component("data_loader") is not models._shared()
    monkeypatch.delenv("AWS_DATA_PATH")
    models.share(another)
    assert another.get_component("data_loader") is models._shared()
