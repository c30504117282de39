"""The lab's network: on a subnet that is free, of which Docker hands out the first half."""

import json
from types import SimpleNamespace

import pytest
from atena_lab import docker


class Engine:
    """Docker's command line, as far as networks go. `refusals`: so many chosen subnets were taken by somebody else meanwhile."""

    def __init__(self, refusals=0, subnet="172.30.0.0/16"):
        self.refusals, self.subnet, self.networks, self.commands = refusals, subnet, {}, []

    def run(self, command, *, check=True, **_):
        self.commands.append(command)
        action, name = command[2], command[-1]
        options = dict(zip(command[3:-1:2], command[4:-1:2], strict=False))
        if action == "create":
            if "--subnet" in options and self.refusals:
                self.refusals -= 1
                assert not check
                return SimpleNamespace(returncode=1, stdout="")
            assert name not in self.networks
            config = {"Subnet": options.get("--subnet", self.subnet), "Gateway": options.get("--gateway", self.subnet.replace(".0/16", ".1"))}
            self.networks[name] = {**config, **({"IPRange": options["--ip-range"]} if "--ip-range" in options else {})}
        elif action == "rm":
            del self.networks[name]
        elif name not in self.networks:
            return SimpleNamespace(returncode=1, stdout="")
        return SimpleNamespace(returncode=0, stdout=json.dumps([{"IPAM": {"Config": [self.networks.get(name)]}}]))


@pytest.mark.parametrize("refusals", [0, 2])
def test_half_of_it_is_kept_for_what_keeps_its_address(monkeypatch, refusals):
    engine = Engine(refusals)
    monkeypatch.setattr(docker, "run", engine.run)
    assert docker.create_network("net", "lab") == "172.30.0.1"
    assert engine.networks == {"net": {"Subnet": "172.30.0.0/16", "IPRange": "172.30.0.0/17", "Gateway": "172.30.0.1"}}
    assert all("atena.lab=lab" in command for command in engine.commands if command[2] == "create")


def test_there_is_one_even_if_somebody_takes_every_subnet(monkeypatch):
    engine = Engine(refusals=99)
    monkeypatch.setattr(docker, "run", engine.run)
    assert docker.create_network("net", "lab") == "172.30.0.1"
    assert "IPRange" not in engine.networks["net"]
