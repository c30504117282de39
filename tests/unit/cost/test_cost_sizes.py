"""The sizes of an environment: as AWS describes it, as a plan would make it, as the inventory has it."""

from copy import deepcopy

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.atena.aws.plugins.filter.cost import environment_sizes, power_costs
from ansible_collections.atena.aws.plugins.module_utils.cost import items as cost_items, model as cost_model, plan as cost_plan, read as cost_read
from ansible_collections.atena.aws.plugins.module_utils.environment.state import Power
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import PowerRecord
from fakes import work
from test_cost_model import DESIGN, FILES, SIZES, TABLE

NAME = "atena-prod"
SERVICES = {"api": {"cpu": 256, "port": 3000, "desired_count": 1}, "workers": {"cpu": "256"}}
DATABASE = {"instance_class": "db.t4g.micro", "allocated_storage": 20, "multi_az": False}
REDIS = {"node_type": "cache.t4g.micro"}
SAID = environment_sizes(SERVICES, NAME, DATABASE, REDIS, 2, {"api": 512, "workers": "512"})


# --- The inventory ----------------------------------------------------------------------------------------------------
def test_the_default_inventory_is_the_design():
    assert SAID == SIZES


def test_a_service_says_its_own_size():
    said = environment_sizes({"jobs": {"cpu": 1024, "memory": 4096, "architecture": "ARM64", "desired_count": 3}}, "a-b", DATABASE, REDIS, 3)
    assert said["services"] == [{"name": "a-b-jobs", "vcpu": 1.0, "memory_gb": 4.0, "architecture": "ARM64", "count": 3, "running": 3}]
    assert said["load_balancers"] == [], "nothing is behind one"


def test_an_inventory_that_lacks_a_size_says_so():
    with pytest.raises(AnsibleFilterError, match="atena_services"):
        environment_sizes({"api": {}}, NAME, DATABASE, REDIS, 2)


def basis(**changes):
    return {"prices": [str(FILES / "prices.json")], "region": "us-east-1", "usage": DESIGN["usage"], "described": SAID, **changes}


def test_a_stop_tells_the_same_figures():
    costs = power_costs(basis())
    totals = cost_model.totals(cost_model.of(SAID, TABLE, "us-east-1", DESIGN["usage"]))
    assert (costs["running"], costs["stopped"]) == (round(totals["always_on"]), round(totals["stopped"])) == (112, 7)
    assert costs["stopped_parts"] == {"RDS": 2.3, "Public IPv4": 3.6, "ECR": 1.0, "S3/DynamoDB (state)": 0.1}
    assert "cost.yml" in costs["source"]


def test_a_stop_tells_whose_prices_they_are_and_what_has_none():
    assert "some of us-east-1" in power_costs(basis(region="eu-central-1"))["source"]
    odd = {**deepcopy(SAID), "caches": [{**SAID["caches"][0], "node_type": "cache.x9.huge"}]}
    assert "without elasticache.redis.node/cache.x9.huge" in power_costs(basis(described=odd))["source"]


@pytest.mark.parametrize("wrong", [{"prices": ["/nonexistent/prices.json"]}, {"usage": {"nat_gb": "much"}}])
def test_what_cannot_be_reckoned_with_is_told(wrong):
    with pytest.raises(AnsibleFilterError):
        power_costs(basis(**wrong))


# --- AWS --------------------------------------------------------------------------------------------------------------
def service(name, desired, running):
    return {"serviceName": name, "desiredCount": desired, "runningCount": running}


DEFINITION = {"cpu": "256", "memory": "512", "runtimePlatform": {"cpuArchitecture": "X86_64"}}
DESCRIBED = {
    "DBInstanceIdentifier": "atena-prod-db",
    "Engine": "postgres",
    "DBInstanceClass": "db.t4g.micro",
    "AllocatedStorage": 20,
    "StorageType": "gp3",
    "MultiAZ": False,
    "DBInstanceStatus": "available",
}
CACHE = {"id": "atena-prod-redis", "nodes": [], "parameters": {"engine": "redis", "node_type": "cache.t4g.micro", "num_cache_nodes": 1}}
BALANCER = {"LoadBalancerName": "atena-prod-alb", "Scheme": "internet-facing", "AvailabilityZones": [{}, {}]}
FOUND = {
    "power": None,
    "services": [(service("atena-prod-api", 1, 1), DEFINITION), (service("atena-prod-workers", 1, 1), DEFINITION)],
    "databases": [DESCRIBED],
    "cache": CACHE,
    "balancer": BALANCER,
    "gateway": {"NatGatewayId": "nat-1"},
    "addresses": ["atena-prod-nat"],
    "parameters": 0,
    "images": None,
    "logs": None,
    "snapshots": None,
}


def assembled(described=SAID, **changes):
    return cost_read.assembled(NAME, {**FOUND, **changes}, described)


def test_the_real_environment_reads_like_its_design():
    assert assembled() == SIZES


def test_a_scaled_service_and_a_restored_database_beside_the_original_show():
    found = assembled(
        services=[(service("atena-prod-api", 3, 2), DEFINITION)], databases=[DESCRIBED, {**DESCRIBED, "DBInstanceIdentifier": "atena-prod-db-before"}]
    )
    assert (found["services"][0]["count"], found["services"][0]["running"]) == (3, 2)
    assert [database["name"] for database in found["databases"]] == ["atena-prod-db", "atena-prod-db-before"]


def journal(**changes):
    services = {"atena-prod-api": {"desired_count": 2}, "atena-prod-workers": {"desired_count": 1}}
    return Power({"power": "off"}, work("stopped", PowerRecord, services=services, **changes))


OFF = {
    "services": [(service("atena-prod-api", 0, 0), DEFINITION), (service("atena-prod-workers", 0, 0), DEFINITION)],
    "databases": [{**DESCRIBED, "DBInstanceStatus": "stopped"}],
    **dict.fromkeys(("cache", "balancer", "gateway")),
    "snapshots": 0.25,
}


def test_what_is_stopped_costs_its_storage_now_and_comes_back_as_it_was():
    found = assembled(power=journal(redis={"parameters": {"node_type": "cache.t4g.small"}}), **OFF)
    assert [(one["count"], one["running"]) for one in found["services"]] == [(2, 0), (1, 0)]
    assert found["caches"][0]["node_type"] == "cache.t4g.small" and not found["caches"][0]["running"]
    assert not found["databases"][0]["running"]
    lines = cost_model.of(found, TABLE, "us-east-1", DESIGN["usage"])
    now = {(line["group"], line["item"]) for line in lines if round(line["amounts"]["now"], 2)}
    assert now == {
        *{("RDS", "storage gp3"), ("ElastiCache", "snapshots of Redis"), ("Public IPv4", "Elastic IP"), ("ECR", "images")},
        *{("CloudWatch Logs", "storage"), ("S3/DynamoDB (state)", "writes")},
    }


def test_a_count_of_zero_in_an_environment_that_runs_is_a_wish():
    found = assembled(power=Power({"power": "on"}, None), services=[(service("atena-prod-api", 0, 0), DEFINITION)])
    assert found["services"][0]["count"] == 0


def test_without_a_description_only_what_is_there_counts():
    assert assembled(described=None, **{**OFF, "power": None})["load_balancers"] == []


def test_an_environment_that_is_not_there_costs_nothing():
    nothing = {"services": [], "databases": [], "cache": None, "balancer": None, "gateway": None, "addresses": [], "snapshots": 0.0}
    assert cost_model.totals(cost_model.of(assembled(**nothing), TABLE, "us-east-1"))["always_on"] == 0


@pytest.mark.parametrize("sizes, gb", [(["5 MB"], 5 / 1024), (["1 GB, 512 MB"], 1.5), (["", "0.5 GB"], 0.5), ([], 0)])
def test_elasticaches_sizes_are_added_up(sizes, gb):
    assert cost_read.gigabytes(sizes) == pytest.approx(gb, abs=0.0001)


def test_an_internal_load_balancer_has_no_public_address():
    assert assembled(balancer={**BALANCER, "Scheme": "internal"})["load_balancers"][0]["addresses"] == 0


# --- Plans ------------------------------------------------------------------------------------------------------------
def resource(kind, label="main", /, **values):
    return {"address": f"{kind}.{label}", "mode": "managed", "type": kind, "values": values}


def template(key, cpu="256", memory="512"):
    return resource("aws_ecs_task_definition", key, family=f"{NAME}-{key}-template", cpu=cpu, memory=memory, runtime_platform=[{"cpu_architecture": "X86_64"}])


def state(*more, api_count=1, instance_class="db.t4g.micro", memory="512"):
    return [
        *(template("api", memory=memory), template("workers")),
        resource("aws_ecs_service", "api", name=f"{NAME}-api", desired_count=api_count),
        resource("aws_ecs_service", "workers", name=f"{NAME}-workers", desired_count=1),
        resource(
            *("aws_db_instance",),
            **{"identifier": f"{NAME}-db", "engine": "postgres", "instance_class": instance_class, "allocated_storage": 20, "storage_type": "gp3"},
            **{"multi_az": False, "status": "available"},
        ),
        resource("aws_elasticache_cluster", cluster_id=f"{NAME}-redis", engine="redis", node_type="cache.t4g.micro", num_cache_nodes=1),
        resource("aws_lb", name=f"{NAME}-alb", load_balancer_type="application", internal=False, subnets=["a", "b"]),
        resource("aws_nat_gateway", tags={"Name": f"{NAME}-nat"}),
        resource("aws_eip", tags={"Name": f"{NAME}-nat"}),
        *more,
    ]


def plan(before, after):
    return {
        **({"prior_state": {"values": {"root_module": {"resources": before}}}} if before is not None else {}),
        "planned_values": {"root_module": {"resources": after}},
    }


def difference(before, after, described=SAID):
    return cost_plan.difference(plan(before, after), TABLE, "us-east-1", DESIGN["usage"], described)


def test_a_plan_without_a_change_reads_like_the_design_on_both_sides():
    before, after = cost_plan.sizes(plan(state(), state()), SAID)
    assert before == after == SIZES
    assert difference(state(), state())["lines"] == []


def test_a_first_plan_costs_all_of_it():
    first = difference(None, state(api_count=0))
    assert (first["before"], first["after"]) == (0, 111.91)


def test_a_bigger_instance_more_memory_and_another_service_show_in_a_plan():
    assert difference(state(), state(instance_class="db.t4g.small"))["difference"] == pytest.approx(11.68, abs=0.01)
    assert difference(state(), state(memory="1024"))["difference"] == pytest.approx(0.5 * 0.004445 * 730, abs=0.01)
    jobs = (template("jobs"), resource("aws_ecs_service", "jobs", name=f"{NAME}-jobs", desired_count=0))
    said = environment_sizes({**SERVICES, "jobs": {"cpu": 256, "desired_count": 2}}, NAME, DATABASE, REDIS, 2)
    assert difference(state(), state(*jobs), said)["difference"] == pytest.approx(2 * 9.01, abs=0.01)


def test_a_second_task_shows_by_its_count():
    before, after = cost_plan.sizes(plan(state(), state()), SAID, {f"{NAME}-api": 2})
    assert cost_plan.between(before, after, TABLE, "us-east-1", DESIGN["usage"])["difference"] == pytest.approx(9.01, abs=0.01)


def test_the_count_that_runs_is_that_of_the_state():
    _before, after = cost_plan.sizes(plan(state(api_count=4), state(api_count=4)), SAID)
    assert after["services"][0]["count"] == 4


def test_what_is_off_in_both_comes_back_and_is_no_difference():
    def off(resources):
        return [one for one in resources if one["type"] not in ("aws_lb", "aws_nat_gateway", "aws_elasticache_cluster")]

    sides = difference(off(state()), off(state(instance_class="db.t4g.small")))
    assert (sides["before"], sides["difference"]) == (111.91, pytest.approx(11.68, abs=0.01))
    # What a plan takes away, it takes away.
    assert difference(state(), off(state()))["difference"] < -60


def test_resources_in_modules_and_groups_are_seen_and_data_sources_are_not():
    group = resource("aws_elasticache_replication_group", replication_group_id="g", engine="valkey", node_type="cache.t4g.micro", num_cache_clusters=2)
    inner = {"resources": [group, {**resource("aws_eip"), "mode": "data"}]}
    _before, after = cost_plan.sizes({"planned_values": {"root_module": {"resources": [], "child_modules": [inner]}}})
    assert after["caches"] == [{"name": "g", "engine": "valkey", "node_type": "cache.t4g.micro", "nodes": 2, "running": True}]
    assert after["addresses"] == []


def test_subnets_that_are_not_known_yet_count_as_the_inventorys_zones():
    _before, after = cost_plan.sizes(plan(None, [resource("aws_lb", name="x", load_balancer_type="application")]), SAID)
    assert after["load_balancers"][0]["addresses"] == 2


def test_an_empty_plan_is_empty():
    assert cost_plan.sizes({}) == (cost_items.empty(), cost_items.empty())
