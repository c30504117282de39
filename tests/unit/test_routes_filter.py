"""Of the services behind the load balancer: which gets what no rule names, and where each is asked whether it is well."""

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.atena.aws.plugins.filter import routes
from ansible_collections.atena.aws.plugins.plugin_utils import inputs

CHECKOUT = Path(__file__).resolve().parents[2]
API, WORKERS = {"port": 3000, "health_check_path": "/health"}, {"cpu": 256}


def admin(path="/admin/health", **rule):
    return {"port": 3001, "health_check_path": path, "listener_rule": {"priority": 10, **rule}}


@pytest.mark.parametrize(
    ("service", "found"),
    [
        (admin(paths=["/admin", "/admin/*"]), {"path": "/admin/health", "host": ""}),
        (admin(paths=["/adm?n/*"]), {"path": "/admin/health", "host": ""}),
        # The load balancer sends this to another service: only its own check of the target tells.
        (admin("/health", paths=["/admin/*"]), None),
        (admin("/Admin/health", paths=["/admin/*"]), None),
        (admin("/health", hosts=["admin.example.com"]), {"path": "/health", "host": "admin.example.com"}),
        (admin("/health", hosts=["*.example.com"]), None),
        (admin("/health", hosts=["*.example.com", "a.example.com"], paths=["/*"]), {"path": "/health", "host": "a.example.com"}),
        (admin("/health", hosts=["a.example.com"], paths=["/admin/*"]), None),
    ],
)
def test_a_service_is_asked_where_its_rule_leads(service, found):
    asked = routes.health_questions({"api": API, "workers": WORKERS, "admin": service}, "shop-prod")
    assert asked == {"service": "shop-prod-api", "routes": [{"service": "shop-prod-admin", **found}] if found else []}


def test_an_environment_without_a_second_one_asks_as_before():
    assert routes.health_questions({"api": API, "workers": WORKERS}, "shop-prod") == {"service": "shop-prod-api", "routes": []}
    assert routes.health_questions({"workers": WORKERS}, "shop-prod") == {"service": "", "routes": []}


@pytest.mark.parametrize(
    ("services", "path"),
    [
        ({"api": API}, "/health"),
        ({"admin": admin(paths=["/admin/*"]), "web": {"port": 80, "health_check_path": "/up"}}, "/up"),
        ({"api": {"port": 3000}}, "/"),
        ({"workers": WORKERS}, "/"),
    ],
)
def test_the_path_is_that_of_the_service_that_no_rule_names(services, path):
    assert routes.default_health_path(services) == path


def test_every_setting_of_a_service_reaches_terraform_and_no_other_is_taken():
    """A key that one of the three does not know would do nothing, or be refused."""
    source = (CHECKOUT / "infra" / "variables.tf").read_text(encoding="utf-8")
    declared = source[source.index('variable "services"') :]
    declared = declared[: declared.index("validation {")]
    terraform = set(re.findall(r"^    (\w+) += ", declared, re.MULTILINE))
    passed = yaml.safe_load((CHECKOUT / "roles" / "infra" / "vars" / "main.yml").read_text(encoding="utf-8"))["__infra_service_keys"]
    of_releases = {"desired_count", "dockerfile", "target", "stable_seconds"}
    assert set(passed) == terraform
    assert set(inputs._SERVICE) == terraform | of_releases
    for block in ("listener_rule", "health_check", "circuit_breaker"):
        inner = re.search(rf"^    {block} = optional\(object\(\{{\n(.*?)\n    \}}\)", declared, re.MULTILINE | re.DOTALL)
        assert inner and set(re.findall(r"^      (\w+) += ", inner[1], re.MULTILINE)) == set(inputs._SERVICE[block])
