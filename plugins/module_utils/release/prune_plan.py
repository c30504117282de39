# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What prune takes away, what it leaves, and why it leaves it. No call to AWS here.

The rules are asked in order and the first that holds keeps a thing; what none keeps goes. Whatever is in doubt stays.
"""

from __future__ import annotations

import datetime
import re
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core import commit as commits
from ansible_collections.atena.aws.plugins.module_utils.ecs import revision as ecs_revision
from ansible_collections.atena.aws.plugins.module_utils.environment.release_record import ReleaseRecord
from ansible_collections.atena.aws.plugins.module_utils.images.tags import KEPT

_DIGEST = re.compile(r"@(sha256:[0-9a-f]+)$")
_DAY = 86400


class Rules(NamedTuple):
    """What stays in any case: so many of the newest of each kind, and what is younger."""

    keep_newest: int
    min_age_days: int
    now: datetime.datetime


def short(arn: str) -> str:
    """family:revision of an ARN."""
    return arn.rsplit("/", 1)[-1]


def brief(digest: str) -> str:
    return digest[:19]


def age_days(moment: datetime.datetime | None, now: datetime.datetime) -> int | None:
    """Whole days; None for a thing whose age is not known."""
    return None if moment is None else max(0, int((now - moment).total_seconds() // _DAY))


def _first(*reasons: str | None) -> str:
    return next((reason for reason in reasons if reason), "")


def _young(age: int | None, min_age_days: int) -> str:
    if age is None:
        return "its age is not known"
    return f"{age} days old" if age < min_age_days else ""


# --- Task definitions -------------------------------------------------------------------------------------------------
def on_record(records: list[ReleaseRecord], unfinished: ReleaseRecord | None) -> dict[str, str]:
    """{family:revision: the release that has it}: of the records to keep, and what an unfinished release may have to go back to."""
    found: dict[str, str] = {}
    for record in records:
        for entry in record.services:
            found.setdefault(short(entry.task_definition), f"the release {record.id} has it")
    if unfinished:
        for entry in unfinished.services:
            for arn in (entry.task_definition, entry.previous.task_definition if entry.previous else ""):
                found.setdefault(short(arn), f"the unfinished release {unfinished.id} needs it")
    return found


def plan_revisions(revisions: list[dict], used: dict, recorded: dict, rules: Rules) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(those that go, those that stay), oldest first. `used`: {family:revision: what uses it}; `recorded`: see on_record."""
    numbers: dict[str, list[int]] = {}
    for definition in revisions:
        numbers.setdefault(definition["family"], []).append(definition["revision"])
    newest = {family: sorted(found)[-rules.keep_newest :] for family, found in numbers.items()}
    go: list[dict[str, Any]] = []
    stay: list[dict[str, Any]] = []
    for definition in sorted(revisions, key=lambda definition: (definition["family"], definition["revision"])):
        name = short(definition["taskDefinitionArn"])
        moment = definition.get("registeredAt")
        age = age_days(moment, rules.now)
        because = _first(
            "it is a template" if ecs_revision.is_template(definition) else "",
            used.get(name),
            recorded.get(name),
            f"one of the newest {rules.keep_newest}" if definition["revision"] in newest[definition["family"]] else "",
            _young(age, rules.min_age_days),
        )
        entry = {
            "task_definition": definition["taskDefinitionArn"],
            "family": definition["family"],
            "revision": definition["revision"],
            "release": ecs_revision.tags_of(definition).get(ecs_revision.RELEASE_TAG, ""),
            "registered_at": moment.isoformat() if moment else "",
            "age_days": age,
        }
        (stay if because else go).append({**entry, **({"because": because} if because else {})})
    return go, stay


# --- Images -----------------------------------------------------------------------------------------------------------
def references(definitions: list[dict], records: list[ReleaseRecord]) -> dict:
    """{digest, or (repository, tag): who needs it} of the images that task definitions and records name."""
    found: dict[Any, str] = {}
    for definition in definitions:
        for container in definition["containerDefinitions"]:
            _refer(found, container.get("image", ""), f"{short(definition['taskDefinitionArn'])} needs it")
    for record in records:
        for image in record.images.values():
            _refer(found, image, f"the release {record.id} has it")
    return found


def _refer(found: dict, image: str, why: str) -> None:
    digest = _DIGEST.search(image)
    if digest:
        found.setdefault(digest[1], why)
        return
    name = ecs_revision.ecr_name(image)
    if name:
        found.setdefault((name["repository"], name["tag"] or "latest"), why)


def plan_images(
    repository: str, images: list[dict], parts: dict, needed: dict, running: dict, rules: Rules
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(those that go, those that stay) of one repository, oldest first; what holds others goes before what it holds.

    `images`: DescribeImages' details. `parts`: {digest of a multi-platform image: its images' digests}, which stay and go with it.
    `needed`: see references. `running`: {digest: the task that runs it}.
    """
    present = {image["imageDigest"]: image for image in images}
    inside = {part for whole, found in parts.items() if whole in present for part in found}
    whole = sorted((image for image in images if image["imageDigest"] not in inside), key=lambda image: str(image.get("imagePushedAt") or ""))
    newest = {image["imageDigest"] for image in whole[-rules.keep_newest :]}
    because = {}
    for image in images:
        digest, tags = image["imageDigest"], image.get("imageTags") or []
        age = age_days(image.get("imagePushedAt"), rules.now)
        because[digest] = _first(
            running.get(digest),
            needed.get(digest),
            *(needed.get((repository, tag)) for tag in tags),
            *(f"it has the tag {tag}" for tag in tags if tag.startswith(KEPT)),
            f"one of the newest {rules.keep_newest}" if digest in newest else "",
            "" if digest in inside else _young(age, rules.min_age_days),
        )
    _hold_together(because, parts)
    go: list[dict[str, Any]] = []
    stay: list[dict[str, Any]] = []
    for image in sorted(images, key=lambda image: (image["imageDigest"] in inside, str(image.get("imagePushedAt") or ""), image["imageDigest"])):
        moment = image.get("imagePushedAt")
        entry = {
            "repository": repository,
            "digest": image["imageDigest"],
            "tags": sorted(image.get("imageTags") or []),
            "pushed_at": moment.isoformat() if moment else "",
            "age_days": age_days(moment, rules.now),
            "size_bytes": image.get("imageSizeInBytes", 0),
            "part": image["imageDigest"] in inside,
        }
        why = because[image["imageDigest"]]
        (stay if why else go).append({**entry, **({"because": why} if why else {})})
    return go, stay


def _hold_together(because: dict, parts: dict) -> None:
    """A multi-platform image stays as long as one of its images is needed, and they stay as long as it does. Changes `because`."""
    while True:
        found = {}
        for whole, inside in parts.items():
            held = [part for part in inside if part in because]
            if whole in because and not because[whole] and any(because[part] for part in held):
                found[whole] = "one of its images is needed"
            if because.get(whole):
                found.update({part: f"part of {brief(whole)}" for part in held if not because[part]})
        if not found:
            return
        because.update(found)


# --- All of it --------------------------------------------------------------------------------------------------------
def plan(facts: dict, rules: Rules) -> dict:
    """What goes and what stays. `facts`: see prune_read.gather. Images that a revision needs stay exactly as long as the revision does."""
    revisions, left = plan_revisions(facts["revisions"], facts["used"], on_record(facts["kept"], facts["unfinished"]), rules)
    going = {entry["task_definition"] for entry in revisions}
    definitions = [definition for definition in facts["revisions"] if definition["taskDefinitionArn"] not in going]
    records = [*facts["kept"], *([facts["unfinished"]] if facts["unfinished"] else [])]
    needed = references([*definitions, *facts["others"]], records)
    images = []
    for repository, details in facts["images"].items():
        go, stay = plan_images(repository, details, facts["parts"][repository], needed, facts["running"], rules)
        images += go
        left += stay
    return {"task_definitions": revisions, "images": images, "kept": left}


# --- For people -------------------------------------------------------------------------------------------------------
def full_name(entry: dict) -> str:
    """As programs know it."""
    return f"{entry['repository']}@{entry['digest']}" if "digest" in entry else short(entry["task_definition"])


def name_of(entry: dict) -> str:
    return f"{entry['repository']}@{brief(entry['digest'])}" if "digest" in entry else short(entry["task_definition"])


def line_of(entry: dict) -> str:
    """One thing, so that a person knows it again."""
    age = f"{entry['age_days']} days old"
    if "digest" in entry:
        whose = "inside a multi-platform image" if entry["part"] else f"tags {', '.join(entry['tags'])}" if entry["tags"] else "no tag"
        return f"image {name_of(entry)}, {age}, {_size(entry['size_bytes'])}, {whose}"
    return f"task definition {name_of(entry)}, {age}" + (f", release {commits.short(entry['release'])}" if entry["release"] else "")


def lines(planned: dict, done: bool) -> list[str]:
    """What went, or would go, an item a line, under a line that counts."""
    revisions, images = planned["task_definitions"], planned["images"]
    if not revisions and not images:
        return [f"Nothing to delete: {_count(planned['kept'])} stay."]
    size = _size(sum(entry["size_bytes"] for entry in images))
    what = f"{_number(len(revisions), 'task definition revision')} and {_number(len(images), 'image')} (up to {size})"
    head = f"{'Took' if done else 'Would take'} away {what}; {_count(planned['kept'])} stay."
    return [head, *(f"  {line_of(entry)}" for entry in [*revisions, *images])]


def _count(kept: list[dict]) -> str:
    images = sum(1 for entry in kept if "digest" in entry)
    return f"{_number(len(kept) - images, 'revision')} and {_number(images, 'image')}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 1e5 else f"{number / 1e3:.1f} kB"


def diff(planned: dict) -> list[dict]:
    """Ansible's diff: what is there before and not after."""
    found = []
    for kind, title in (("task_definitions", "task definitions"), ("images", "images")):
        if planned[kind]:
            found.append({"before_header": title, "after_header": title, "before": "".join(f"{line_of(entry)}\n" for entry in planned[kind]), "after": ""})
    return found
