"""From sizes and prices to lines and totals, and the design's three tables beside ours."""

import datetime
import json
import re
from copy import deepcopy
from pathlib import Path

import pytest
from ansible_collections.atena.aws.plugins.module_utils.cost import compare as cost_compare, items as cost_items, model as cost_model, prices, text as cost_text
from ansible_collections.atena.aws.plugins.module_utils.schedule import working_hours

CHECKOUT = Path(__file__).resolve().parents[3]
FILES = CHECKOUT / "roles" / "cost" / "files"
TABLE = prices.load([str(FILES / "prices.json")])
DESIGN = json.loads((FILES / "design.json").read_text())
SIZES = DESIGN["sizes"]
EIGHT = 730 / 3
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "sa-east-1")


def amounts(lines, way=cost_model.ALWAYS_ON):
    return {entry["group"]: entry["amounts"][way] for entry in cost_model.groups(lines)}


def design(hours=EIGHT, region="us-east-1", sizes=SIZES):
    return cost_model.of(sizes, TABLE, region, DESIGN["usage"], hours)


def changed(**parts):
    return {**deepcopy(SIZES), **parts}


# --- The table of prices ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("region", REGIONS)
def test_every_region_has_a_price_of_its_own_for_all_of_the_design(region):
    lines = design(region=region)
    assert cost_model.unpriced(lines) == [] and cost_model.borrowed(lines, region) == []


def test_every_price_has_date_source_and_unit():
    for region, known in TABLE["regions"].items():
        for key in known:
            price = prices.find(TABLE, region, key)
            assert price["price"] > 0 and isinstance(price["verified"], bool), key
            assert re.fullmatch(r"20\d\d-\d\d-\d\d", price["date"]), key
            assert price["source"].startswith("https://aws.amazon.com/") and price["unit"], key


def test_a_price_that_a_region_lacks_is_told_as_another_regions():
    found = prices.find(TABLE, "eu-central-1", "nat.hour")
    assert (found["price"], found["region"]) == (0.045, "us-east-1")
    assert prices.find(TABLE, "us-east-1", "rds.postgres.instance/db.x9.huge") is None


def test_what_was_refreshed_holds(tmp_path):
    newer = {"format": 1, "currency": "USD", "items": {}, "regions": {"us-east-1": {"nat.hour": {"price": 0.05, "date": "2027-01-01", "verified": True}}}}
    (tmp_path / "newer.json").write_text(json.dumps(newer))
    table = prices.load([str(FILES / "prices.json"), str(tmp_path / "newer.json"), str(tmp_path / "absent.json")])
    assert prices.find(table, "us-east-1", "nat.hour")["price"] == 0.05
    assert prices.find(table, "us-east-1", "nat.data")["price"] == 0.045
    assert prices.find(TABLE, "us-east-1", "nat.hour")["price"] == 0.045


@pytest.mark.parametrize("content, words", [(None, "could not be read"), ("{", "not JSON"), ("[]", "no price table"), ('{"format": 7}', "format 1")])
def test_a_table_that_cannot_be_used_says_why(tmp_path, content, words):
    path = tmp_path / "prices.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(prices.PricesUnusable, match=words):
        prices.load([str(path)])


# --- Lines and totals -------------------------------------------------------------------------------------------------
def test_a_line_is_quantity_times_price():
    line = next(line for line in design() if line["item"] == "instance db.t4g.micro")
    assert line["quantities"] == {"always_on": 730, "schedule": pytest.approx(243.333, abs=0.001), "stopped": 0, "now": 730}
    assert (line["price"], line["unit"], line["region"]) == (0.016, "instance-hour", "us-east-1")
    assert line["amounts"]["always_on"] == pytest.approx(11.68)
    assert line["source"].startswith("https://aws.amazon.com/rds/")


def test_totals_are_the_sum_of_the_lines():
    lines = design()
    for way in cost_model.WAYS:
        assert cost_model.totals(lines)[way] == pytest.approx(sum(line["amounts"][way] for line in lines), abs=0.01)
        assert cost_model.totals(lines)[way] == pytest.approx(sum(amounts(lines, way).values()), abs=0.05)


def test_a_second_task_a_bigger_instance_and_a_standby_show():
    base = design()
    services = deepcopy(SIZES["services"])
    services[0]["count"] = 2
    more = cost_model.difference(base, design(sizes=changed(services=services)))
    assert more["difference"] == pytest.approx(9.01, abs=0.01)
    assert {(line["resource"], line["item"]) for line in more["lines"]} == {("atena-prod-api", "vCPU"), ("atena-prod-api", "memory")}
    bigger = changed(databases=[{**SIZES["databases"][0], "instance_class": "db.t4g.medium"}])
    assert cost_model.difference(base, design(sizes=bigger))["difference"] == pytest.approx(47.45 - 11.68, abs=0.01)
    standby = changed(databases=[{**SIZES["databases"][0], "multi_az": True}])
    assert cost_model.difference(base, design(sizes=standby))["difference"] == pytest.approx(13.98, abs=0.01)
    assert cost_model.difference(base, base) == {"before": 111.91, "after": 111.91, "difference": 0, "lines": []}


def test_at_the_present_rate_only_what_runs_is_counted():
    off = deepcopy(SIZES)
    for part in ("databases", "caches", "load_balancers", "nat_gateways"):
        off[part] = [{**entry, "running": False} for entry in off[part]]
    off["services"] = [{**service, "running": 0} for service in off["services"]]
    lines = design(sizes=off)
    assert amounts(lines, cost_model.NOW) == {
        **{"ECS Fargate": 0, "RDS": 2.3, "ElastiCache": 0, "ALB": 0, "Public IPv4": 3.65, "NAT Gateway": 0},
        **{"CloudWatch Logs": 0.18, "ECR": 1.0, "S3/DynamoDB (state)": 0.11},
    }
    assert cost_model.totals(lines)["always_on"] == cost_model.totals(design())["always_on"]


def test_what_has_no_price_is_named_and_left_out_of_the_totals():
    odd = changed(databases=[{**SIZES["databases"][0], "instance_class": "db.x9.huge"}])
    lines = design(sizes=odd)
    assert cost_model.unpriced(lines) == ["rds.postgres.instance/db.x9.huge"]
    assert cost_model.totals(lines)["always_on"] == pytest.approx(111.91 - 11.68, abs=0.01)
    assert "NO PRICE, and not in the totals: rds.postgres.instance/db.x9.huge" in "\n".join(cost_text.remarks(lines, "us-east-1"))


def test_measured_storage_takes_the_place_of_what_is_assumed():
    lines = design(sizes=changed(images_gb=2.0, log_stored_gb=1.0, redis_snapshots_gb=0.0))
    assert amounts(lines)["ECR"] == pytest.approx(0.2)
    assert not next(line for line in lines if line["group"] == "ECR")["assumed"]
    assert next(line for line in design() if line["group"] == "ECR")["assumed"]


def test_nothing_costs_nothing():
    assert cost_items.items(cost_items.empty()) == []
    assert cost_model.totals([]) == dict.fromkeys(cost_model.WAYS, 0)


def test_keys_and_advanced_parameters_are_counted():
    assert amounts(design(sizes=changed(advanced_parameters=2, keys=1)))["SSM/KMS"] == pytest.approx(1.1)


# --- Schedules --------------------------------------------------------------------------------------------------------
BEGIN = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "schedule, hours",
    [
        ({"timezone": "UTC", "hours": [{"days": "mon-sun", "start": "08:00", "stop": "16:00"}]}, 730 / 3),
        ({"timezone": "UTC", "hours": [{"days": "mon-sun", "start": "00:00", "stop": "24:00"}]}, 730),
        # 2027 has 261 weekdays.
        ({"timezone": "America/Sao_Paulo", "hours": [{"days": "mon-fri", "start": "08:00", "stop": "19:00"}]}, 261 * 11 / 12),
        ({"timezone": "UTC", "hours": [{"days": "mon-fri", "start": "08:00", "stop": "18:00"}], "holidays": ["12-24", "12-31"]}, 259 * 10 / 12),
        # The night on which clocks go forward is an hour shorter, the other one longer.
        ({"timezone": "Europe/Berlin", "hours": [{"days": "sun", "start": "00:00", "stop": "06:00"}]}, 52 * 6 / 12),
    ],
)
def test_hours_a_month_follow_from_any_schedule(schedule, hours):
    assert cost_model.hours_on(working_hours.parse(schedule), BEGIN) == pytest.approx(hours, rel=0.005)


# --- The design's tables ----------------------------------------------------------------------------------------------
SEED = {
    "always_on": {
        **{"ECS Fargate (2 tasks × 0.25 vCPU, 0.5GB)": 18, "RDS db.t4g.micro": 13, "ElastiCache cache.t4g.micro": 12, "ALB": 18, "NAT Gateway": 35},
        **{"CloudWatch Logs": 3, "ECR": 1, "S3/DynamoDB (state)": 1},
    },
    "schedule": {
        **{"ECS (8h/dia)": 6, "RDS (parado, storage)": 3, "ElastiCache (recriado diário)": 4, "ALB (8h/dia)": 8, "NAT Gateway (8h/dia)": 12},
        "Fixos (logs, ECR, state)": 5,
    },
    "stopped": {"RDS (parado, storage 20GB)": 3, "S3 (state + snapshots)": 1, "EIP (não associado)": 4},
}
COMPARED = cost_compare.tables(DESIGN, TABLE, EIGHT)


@pytest.mark.parametrize("way", SEED)
def test_each_line_of_the_design_is_there_with_its_amount(way):
    assert {row["name"]: row["estimate"] for row in COMPARED[way]["rows"] if row["estimate"] is not None} == SEED[way]
    assert COMPARED[way]["estimate"] == sum(SEED[way].values()) == {"always_on": 101, "schedule": 38, "stopped": 8}[way]


@pytest.mark.parametrize("way", SEED)
def test_our_lines_are_all_in_the_comparison_and_add_up_to_our_total(way):
    assert sum(row["amount"] for row in COMPARED[way]["rows"]) == pytest.approx(COMPARED[way]["amount"], abs=0.03)


@pytest.mark.parametrize("way", SEED)
def test_each_line_within_ten_per_cent_or_explained(way):
    for row in COMPARED[way]["rows"]:
        close = row["estimate"] is not None and abs(row["amount"] - row["estimate"]) <= 0.1 * row["estimate"]
        assert close or (len(row["why"]) > 30 and row["why"] != cost_compare.UNEXPLAINED), row


def test_what_the_design_left_out_is_told():
    left = {way: {row["name"]: row["amount"] for row in entry["rows"] if row["estimate"] is None} for way, entry in COMPARED.items()}
    assert left["always_on"] == {"Public IPv4": 10.95}
    assert left["schedule"] == {"RDS: instance": 3.89, "ElastiCache: snapshots": 0.04, "Public IPv4": 6.08}
    assert left["stopped"] == {"ECR": 1.0}
    assert "idle addresses any more" in next(row["why"] for row in COMPARED["stopped"]["rows"] if row["name"].startswith("EIP"))


def test_a_difference_that_nobody_explained_says_so():
    other = deepcopy(TABLE)
    other["regions"]["us-east-1"]["nat.hour"]["price"] = 0.09
    rows = cost_compare.tables(DESIGN, other, EIGHT)["always_on"]["rows"]
    assert next(row for row in rows if row["name"] == "NAT Gateway")["why"] == cost_compare.UNEXPLAINED


def test_the_documentation_shows_these_tables():
    page = (CHECKOUT / "docs" / "cost.md").read_text()
    for entry in COMPARED.values():
        assert f"| **~${entry['estimate']}** | **${entry['amount']:.2f}** |" in page
        for row in entry["rows"]:
            said = "-" if row["estimate"] is None else f"~${row['estimate']}"
            assert f"| {row['name']} | {said} | ${row['amount']:.2f} | {row['why']} |" in page, row


# --- For people -------------------------------------------------------------------------------------------------------
def test_the_table_has_a_row_for_each_group_and_line_and_aligns():
    text = cost_text.table(design(), EIGHT)
    assert text[0].split() == ["USD", "a", "month", "always", "on", "243", "h/month", "stopped", "now"]
    assert text[-1].split() == ["Total", "111.91", "42.06", "7.11", "111.91"]
    assert len({len(line) for line in text}) == 1
    assert any(line.startswith("  atena-prod-api: vCPU") for line in text)
    assert len(cost_text.table(design(), EIGHT, detail=False)) == 11


def test_prices_are_shown_with_date_source_and_doubt():
    text = cost_text.price_lines(design(region="sa-east-1"))
    assert "nat.hour: 0.093 USD per hour in sa-east-1 (2025-01-01; https://aws.amazon.com/vpc/pricing/)" in text
    assert any("not verified" in line for line in text)
    assert "dynamodb.writes: 0.0000009375 USD" in "\n".join(text)


def test_a_borrowed_price_is_remarked():
    text = "\n".join(cost_text.remarks(design(region="eu-central-1"), "eu-central-1"))
    assert "No price for eu-central-1, so the one of another region" in text and "cost_refresh=true" in text


def test_a_change_is_one_sentence():
    bigger = changed(databases=[{**SIZES["databases"][0], "instance_class": "db.t4g.small"}])
    cost = {**cost_model.difference(design(), design(sizes=bigger)), "unpriced": [], "borrowed": []}
    (line,) = cost_text.change(cost)
    assert line.startswith("Costs: +$11.68 a month, from $111.91 to $123.59 always on (")
    assert "atena-prod-db instance db.t4g.micro -$11.68" in line and "atena-prod-db instance db.t4g.small +$23.36" in line
    assert cost_text.change(None) == cost_text.change({**cost, "lines": []}) == []
