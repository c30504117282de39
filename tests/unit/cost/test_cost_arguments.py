"""With what costs are reckoned, and what an overview and a stop tell of them."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.cost import arguments as cost_arguments, prices
from ansible_collections.atena.aws.plugins.module_utils.power import text as power_text
from test_cost_model import DESIGN, FILES, SIZES

BASIS = {"prices": [str(FILES / "prices.json")], "region": "us-east-1", "usage": {name: str(value) for name, value in DESIGN["usage"].items()}}
COSTS = {"currency": "$", "running": 112.0, "stopped": 7.0, "stopped_parts": {"RDS": 2.3}, "source": "Estimated."}


def test_an_overview_tells_three_sums():
    told = {"currency": "USD", "now": 111.91, "always_on": 111.91, "stopped": 7.11, "unpriced": [], "borrowed": []}
    assert cost_arguments.brief(SIZES, BASIS) == told
    assert "nat.hour" in cost_arguments.brief(SIZES, {**BASIS, "region": "xx-nowhere-1"})["borrowed"]


def test_what_is_left_of_a_destroyed_environment_has_a_sum_of_its_own():
    left = {"database_snapshots_gb": 40.0, "redis_snapshots_gb": 1.0, "images_gb": 10.0, "log_stored_gb": 0.0}
    told = cost_arguments.of_left(left, BASIS)
    assert told["now"] == pytest.approx(40 * 0.095 + 0.085 + 1.0, abs=0.02) and told["unpriced"] == []
    assert cost_arguments.of_left(dict.fromkeys(left, 0.0), BASIS)["now"] == 0


def test_usage_that_is_no_number_is_told():
    with pytest.raises(prices.PricesUnusable, match="atena_cost_usage"):
        cost_arguments.usage({"usage": {"nat_gb": "much"}})
    assert cost_arguments.usage({"usage": None}) == {}


def test_a_stop_tells_what_it_saves_and_what_costs_on():
    assert power_text.saving(COSTS) == ["While stopped about $7 a month instead of $112: $105 less. Estimated."]
    assert power_text.still_costs(COSTS) == ["Still costs, a month: about $7 (RDS $2.3). Estimated."]


def test_without_figures_none_are_told():
    without = {**COSTS, "running": 0.0, "stopped": 0.0, "stopped_parts": {}}
    assert power_text.saving(without) == power_text.still_costs(without) == []
