# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `health` (core.health.HEALTH_OPTIONS)."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  health:
    description: How the application's health is checked.
    type: dict
    suboptions:
      url: {description: "Its address; empty means the load balancer's own name.", type: str, default: ""}
      path: {description: The path., type: str, default: /health}
      attempts: {description: How often at the most., type: int, default: 10}
      delay: {description: Seconds between two attempts., type: int, default: 6}
      service: {description: "The ECS service that answers there; it is not asked while that service runs no task.", type: str, default: ""}
      routes:
        description: What else is asked at that address, one entry per listener rule.
        type: list
        elements: dict
        default: []
        suboptions:
          service: {description: The ECS service that the rule forwards to., type: str, required: true}
          path: {description: The path., type: str, required: true}
          host: {description: The host name that is asked for; empty means the address's own., type: str, default: ""}
"""
