"""What the emulator's extension decides of Parameter Store, apart from the emulator."""

import pytest
from extension.ssm import parameters


class TestParameters:
    @pytest.mark.parametrize(
        ("size", "tier", "fits"), [(4096, "Standard", True), (4097, "Standard", False), (8192, "Advanced", True), (8193, "Advanced", False)]
    )
    def test_each_tier_has_its_size(self, size, tier, fits):
        assert (parameters.refusal(size, tier) == "") is fits
