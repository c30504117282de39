# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What infra/ calls the parts of an environment. `name` is the environment's, such as shop-prod; `service` is a service's own, such as shop-prod-api."""

from __future__ import annotations


def cluster(name: str) -> str:
    return f"{name}-cluster"


def database(name: str) -> str:
    return f"{name}-db"


def redis(name: str) -> str:
    return f"{name}-redis"


def load_balancer(name: str) -> str:
    return f"{name}-alb"


def nat_gateway(name: str) -> str:
    """Its tag Name, and that of its address."""
    return f"{name}-nat"


def template(service: str) -> str:
    """The family of a service's template: the task definition that Terraform writes and every release copies."""
    return f"{service}-template"
