"""What the emulator's extension decides for all services, apart from the emulator."""

import pytest
from extension.common import containers, lab_settings


class TestContainers:
    def own(self, **settings):
        return containers.own_settings(settings, "lab", "net", "172.20.0.1")

    def test_labs_do_not_share_names(self):
        assert containers.own_name("ministack-rds-x", "lab") == "lab_rds-x"
        assert not containers.own_name("ministack-rds-x", "lab-2").startswith(containers.own_name("ministack-", "lab"))

    def test_ids_and_other_names_are_left_alone(self):
        assert containers.own_name("0123456789ab", "lab") == "0123456789ab"

    def test_everything_carries_the_labs_label(self):
        assert self.own(labels={"a": "b"})["labels"] == {"a": "b", "atena.lab": "lab"}

    def test_nothing_is_published_on_the_host(self):
        assert "ports" not in self.own(labels={"ministack": "rds"}, ports={"5432/tcp": 15432})

    def test_tasks_are_on_the_labs_network(self):
        assert self.own(labels={"ministack": "ecs"}, network=None)["network"] == "net"
        assert "network" not in self.own(labels={"ministack": "ecs"}, network_mode="host")

    def test_the_host_is_reached_at_the_networks_gateway(self):
        assert self.own(labels={"ministack": "ecs"}, extra_hosts={"host.docker.internal": "host-gateway"})["extra_hosts"] == {
            "host.docker.internal": "172.20.0.1"
        }

    def test_volumes_are_the_labs_own(self):
        assert self.own(volumes={"ministack-data": {"bind": "/d"}, "/tmp": {"bind": "/t"}})["volumes"] == {"lab_data": {"bind": "/d"}, "/tmp": {"bind": "/t"}}


class TestLabSettings:
    @pytest.mark.parametrize(
        "wish",
        [
            {"draining": "whole"},
            {"draining": "off"},
            {"capacity": {"c": {"memory": 512}}},
            {"times": {"database_stop": 60, "nat_create": 0.5}},
            {"failing": ["cache_snapshot"]},
            {"cache_snapshots": 0},
            {"cache_snapshots": None},
            {"database_log": 1},
            {},
        ],
    )
    def test_known_ones_are_taken(self, wish):
        assert lab_settings.checked(wish) == wish

    @pytest.mark.parametrize(
        "wish",
        [
            None,
            [],
            {"colour": "red"},
            {"draining": "slow"},
            {"capacity": {"c": {}}},
            {"times": {"lunch": 1}},
            {"times": {"nat_create": -1}},
            {"times": {"nat_create": "1"}},
            {"failing": ["database_stop"]},
            {"cache_snapshots": -1},
            {"cache_snapshots": True},
            {"database_log": 0},
        ],
    )
    def test_others_are_refused(self, wish):
        with pytest.raises(ValueError):
            lab_settings.checked(wish)

    def test_times_that_a_request_does_not_name_stay(self):
        before = {"times": {"nat_create": 1, "nat_delete": 2}}
        assert lab_settings.merged(before, {"times": {"nat_create": 3}}) == {"times": {"nat_create": 3, "nat_delete": 2}}
        assert lab_settings.merged(before, {"draining": "off"}) == {"draining": "off"}


class TestTimes:
    @pytest.mark.parametrize(("seconds", "since", "over"), [(0, 1000, True), (60, 940, True), (60, 941, False)])
    def test_a_work_has_its_time(self, settings, seconds, since, over):
        settings["times"]["nat_create"] = seconds
        assert lab_settings.over("nat_create", since) is over
