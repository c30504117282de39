# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person reads at the end of a release. No call to AWS here."""

from __future__ import annotations


def summary(result: dict) -> list[str]:
    """The lines that sum up ecs_release's result when it did not fail."""
    release = result["release"]
    head = {
        "nothing_to_do": f"Nothing to do: {release} already runs",
        "succeeded": f"Released {release} in {result.get('duration_seconds', 0)} s, recorded as {result['release_id']}",
        "predicted": f"Would release {release}" if result["changed"] else f"Nothing to do: {release} already runs",
    }
    lines = [head.get(result["outcome"], f"{release}: {result['outcome']}")]
    lines += result.get("would", [])
    migration = result.get("migration")
    if migration:
        lines.append(f"Migrated in {migration['duration_seconds']} s")
        lines += [f"  {line}" for line in migration["logs"]]
    for service in result.get("services", []):
        before = "" if service["previous"] == service["task_definition"] else f" (before: {_short(service['previous'])})"
        lines.append(f"{service['name']}: {_short(service['task_definition'])}{before}")
    lines += [
        f"{kept['name']}: count {kept['count']} as before; desired_count ({kept['configured']}) is the first release's alone, scale.yml changes it from then on"
        for kept in result.get("counts_kept", [])
    ]
    if result.get("address"):
        lines.append(f"Address: {result['address']}")
    health = result.get("health")
    if health:
        lines.append(f"Health: {health['status']} {health['content']}")
    return lines


def _short(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
