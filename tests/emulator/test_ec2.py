"""What the emulator's extension decides of EC2, apart from the emulator."""

import pytest
from extension.ec2 import nat_states


class TestNatGateways:
    @pytest.mark.parametrize(
        ("state", "began", "taken", "failing", "after"),
        [
            ("pending", 950, False, [], "pending"),
            ("pending", 940, False, [], "available"),
            ("pending", 940, True, [], "failed"),
            ("pending", 940, False, ["nat_create"], "failed"),
            ("deleting", 971, False, [], "deleting"),
            ("deleting", 970, False, [], "deleted"),
            ("available", 0, True, ["nat_create"], "available"),
            ("failed", 0, False, [], "failed"),
        ],
    )
    def test_a_nat_gateway_moves_on(self, settings, state, began, taken, failing, after):
        settings.update(times={**settings["times"], "nat_create": 60, "nat_delete": 30}, failing=failing)
        gateway = {"State": state, "_began": began, "AllocationId": "eipalloc-1"}
        nat_states.settle(gateway, taken=taken)
        assert gateway["State"] == after
        assert ("_failure" in gateway) is (after == "failed" != state)
