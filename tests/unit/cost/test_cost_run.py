"""What cost.yml does: refreshed prices that are kept, counts that are asked for, the report."""

import datetime
import json

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import failure
from ansible_collections.atena.aws.plugins.module_utils.cost import prices, run as cost_run
from fakes import Asked
from test_cost_model import DESIGN, FILES, SIZES
from test_price_list import PriceList, product, tier

NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)


def report(*files, schedule=None, **changes):
    basis = {"prices": [str(FILES / "prices.json"), *map(str, files)], "region": "us-east-1", "usage": DESIGN["usage"], **changes}
    return cost_run.Report(basis, schedule, NOW)


def gateway(hour="0.05"):
    return PriceList({"AmazonEC2": [product("NatGateway-Hours", tier(hour)), product("NatGateway-Bytes", tier("0.06"))]})


def test_the_report_has_all_that_is_documented_and_eight_hours_a_day():
    told = report().told(SIZES, reference=str(FILES / "design.json"))
    assert told["totals"] == {"always_on": 111.91, "schedule": 42.06, "stopped": 7.11, "now": 111.91}
    assert (told["hours"], told["currency"], told["change"], told["refreshed"]) == (243.33, "USD", None, None)
    assert told["comparison_lines"][0] == "Always on: the design said ~$101, now $111.91"
    assert report().told(SIZES)["comparison_lines"] == []


def test_a_second_task_is_a_change():
    after = cost_run.counted(SIZES, {"atena-prod-api": 2})
    told = report().told(after, SIZES)
    assert told["change"]["difference"] == pytest.approx(9.01, abs=0.01)
    assert any(line.startswith("Costs: +$9.01 a month") for line in told["summary"])


def test_refreshed_prices_are_used_and_kept_beside_those_of_before(tmp_path):
    kept = tmp_path / "prices.json"
    asked = report(kept)
    (warning,) = asked.refresh(gateway(), SIZES)
    assert "did not return exactly one price of alb.hour, alb.lcu" in warning and "nat.hour" not in warning
    line = next(line for line in asked.told(SIZES)["lines"] if line["key"] == "nat.hour")
    assert (line["price"], line["date"], line["verified"]) == (0.05, "2026-11-25", True)
    earlier = {"format": 1, "currency": "USD", "items": {}, "regions": {"sa-east-1": {"nat.hour": {"price": 0.1, "date": "2026-11-01", "verified": True}}}}
    kept.write_text(json.dumps(earlier))
    again = report(kept)
    again.refresh(gateway("0.051"), SIZES)
    assert again.refreshed["regions"]["sa-east-1"] == earlier["regions"]["sa-east-1"]
    assert again.refreshed["regions"]["us-east-1"]["nat.hour"]["price"] == 0.051


def test_where_the_price_list_may_not_be_asked_the_table_holds():
    def refused(*_, **__):
        raise failure("Could not query AWS's Price List: not allowed", "AccessDeniedException")

    asked = report()
    assert asked.refresh(Asked(refused), SIZES) == ["The prices stay those of the table: Could not query AWS's Price List: not allowed"]
    assert asked.told(SIZES)["totals"]["always_on"] == 111.91 and asked.refreshed is None


def test_what_cannot_be_reckoned_with_is_told():
    with pytest.raises(ValueError, match="no IANA time zone"):
        report(schedule={"timezone": "Mars/Olympus", "hours": [{"days": "mon", "start": "08:00", "stop": "09:00"}]})
    with pytest.raises(prices.PricesUnusable, match="could not be read"):
        report().told(SIZES, reference="/nonexistent/design.json")
