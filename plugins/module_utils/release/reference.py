# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which commit somebody means who wants to release without building: one that has images in ECR, or was released, by its beginning or a release's id."""

from __future__ import annotations

from ansible_collections.atena.aws.plugins.module_utils.core import commit as commits
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.ecs.references import ecr_image
from ansible_collections.atena.aws.plugins.module_utils.environment import ledger as ledgers
from ansible_collections.atena.aws.plugins.module_utils.images.tags import commits_of


def whole(call: Aws, ledger: ledgers.Ledger, repositories: list[tuple[str, str]], reference: str) -> str:
    """The commit, in full. repositories: [(registry's account, '' for the caller's own; name)], whose images' tags count beside the ledger.

    One that is given in full is taken at its word: nothing is looked up. Raises CallFailed for none, or several, and lists what there is.
    """
    if commits.is_whole(reference.lower()):
        return reference.lower()
    records = ledger.named(reference)
    known: dict[str, list[str]] = {**ledgers.names_of(records)}
    for account, name in repositories:
        for tagged in commits_of(call, name, account):
            known.setdefault(tagged.full, [])
    where = " and ".join(["No recorded release", *(["no image in ECR"] if repositories else [])])
    return commits.resolve(reference, known, nobody=where, listed=lambda found: _lines(ledger, known, found))


def _lines(ledger: ledgers.Ledger, known: dict[str, list[str]], found: set[str]) -> list[str]:
    """What a person may have meant; asked for nothing that is known, what was released lately, and the images of what was not."""
    if found:
        return [f"{commit}  {', '.join(known[commit]) or 'never released'}" for commit in sorted(found)]
    records = ledger.recent(10)
    released = {record.release for record in records}
    others = sorted(commits.short(commit) for commit in known if commit not in released)
    return [*ledgers.lines(records), *([f"Images that none of these has: {', '.join(others[:10])}{', ...' if len(others) > 10 else ''}"] if others else [])]


def followed(call: Aws, ledger: ledgers.Ledger, reference: str, services: list[dict]) -> tuple[str, list[dict]]:
    """The commit, and the services with the images that their tag names after it. Where no image is named after it, it is a name like any other."""
    tag = commits.tag(reference)
    named = [image for service in services for image in service["images"].values() if image.endswith(f":{tag}")]
    if not reference or not named:
        return reference, services
    places = {(found["account"], found["repository"]) for found in map(ecr_image, named) if found}
    commit = whole(call, ledger, sorted(places), reference)
    moved = [{**service, "images": {name: _named_after(image, tag, commit) for name, image in service["images"].items()}} for service in services]
    return commit, moved


def _named_after(image: str, tag: str, commit: str) -> str:
    return f"{image.removesuffix(tag)}{commits.tag(commit)}" if image.endswith(f":{tag}") else image
