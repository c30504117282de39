# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that prune must know before it judges, and the two calls that it writes with."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core import resource_names
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws, Call
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import shown
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_task_definition, describe_tasks
from ansible_collections.atena.aws.plugins.module_utils.environment import ledger as ledgers, release_record
from ansible_collections.atena.aws.plugins.module_utils.images.tags import MEDIA_TYPES
from ansible_collections.atena.aws.plugins.module_utils.release.prune_plan import short
from ansible_collections.atena.aws.plugins.module_utils.release.targets import unfinished_release

# Limits of the API references.
_SERVICES_A_CALL = 10
_IMAGES_A_CALL = 100
_WHOLE = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
# Failures of BatchDeleteImage that leave things as prune wants them, or safely as they were.
_HARMLESS = {"ImageNotFound": "was gone already", "ImageReferencedByManifestList": "is part of a multi-platform image that stays"}


def records_to_keep(ledger: ledgers.Ledger, count: int) -> tuple[list[release_record.ReleaseRecord], release_record.ReleaseRecord | None]:
    """The records of the last `count` commits that succeeded, however many failed ones lie between; and the release that is unfinished, or None."""
    wanted = max(50, 2 * count)
    while True:
        records = ledger.recent(wanted)
        good = {record.release for record in records if record.outcome == release_record.SUCCEEDED}
        if len(records) < wanted or len(good) >= count:
            return ledgers.kept(records, count), unfinished_release(records)
        wanted *= 4


def what_runs(call: Aws, cluster: str) -> tuple[dict[str, str], dict[str, str]]:
    """({family:revision: what uses it}, {image's digest: the task that runs it}) of all services and tasks of the cluster, not only the environment's."""
    used: dict[str, str] = {}
    running: dict[str, str] = {}
    arns = call.pages("ecs", "list_services", f"list the services of {cluster}", "serviceArns", cluster=cluster)
    for start in range(0, len(arns), _SERVICES_A_CALL):
        answer = call("ecs", "describe_services", f"read the services of {cluster}", cluster=cluster, services=arns[start : start + _SERVICES_A_CALL])
        for service in answer["services"]:
            for holder in (service, *service.get("deployments", []), *service.get("taskSets", [])):
                if holder.get("taskDefinition"):
                    used.setdefault(short(holder["taskDefinition"]), f"the service {service['serviceName']} has it")
    listed = call.pages("ecs", "list_tasks", f"list the tasks of {cluster}", "taskArns", cluster=cluster)
    tasks = describe_tasks(call, cluster, listed)
    unseen = sorted(short(arn) for arn in set(listed) - {task["taskArn"] for task in tasks})
    if unseen:
        raise CallFailed(
            f"ECS lists the task {', '.join(unseen)} of {cluster} and does not describe it, so that its images are not known: it has only just been started. "
            "Nothing was deleted. Run prune.yml again."
        )
    for task in tasks:
        why = f"the task {short(task['taskArn'])} runs it"
        used.setdefault(short(task["taskDefinitionArn"]), why)
        for container in task.get("containers", []):
            if container.get("imageDigest"):
                running.setdefault(container["imageDigest"], why)
    return used, running


def _revisions_of(call: Aws, family: str) -> list[str]:
    # AWS takes familyPrefix for the whole name; the filter makes sure that no longer one is meant.
    arns = call.pages("ecs", "list_task_definitions", f"list the revisions of {family}", "taskDefinitionArns", familyPrefix=family, status="ACTIVE")
    return [arn for arn in arns if short(arn).rsplit(":", 1)[0] == family]


def _images_of(call: Aws, repository: str) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """(DescribeImages' details, {digest of a multi-platform image: its images' digests})."""
    details = call.pages("ecr", "describe_images", f"list the images of {repository}", "imageDetails", repositoryName=repository)
    whole = [image["imageDigest"] for image in details if image.get("imageManifestMediaType") in _WHOLE]
    parts = {}
    for start in range(0, len(whole), _IMAGES_A_CALL):
        wanted = [{"imageDigest": digest} for digest in whole[start : start + _IMAGES_A_CALL]]
        doing = f"read the multi-platform images of {repository}"
        answer = call("ecr", "batch_get_image", doing, repositoryName=repository, imageIds=wanted, acceptedMediaTypes=MEDIA_TYPES)
        for image in answer["images"]:
            parts[image["imageId"]["imageDigest"]] = [part["digest"] for part in json.loads(image["imageManifest"]).get("manifests", [])]
    return details, parts


def gather(call: Aws, *, names: list[str], cluster: str, ledger: ledgers.Ledger, kept_releases: int) -> dict[str, Any]:
    """The facts that prune_plan.plan judges. `names`: the services, which are also the names of their families and repositories.

    {'revisions': the families' ACTIVE revisions, 'others': what else may need an image (templates, and what runs of other families), 'used', 'running',
    'kept': records, 'unfinished': record or None, 'images': {repository: details}, 'parts': {repository: {digest: [digests]}}}
    """
    for service in ("ecs", "ecr", "s3"):
        call.client(service)
    with ThreadPoolExecutor(max_workers=8) as pool:
        records = pool.submit(records_to_keep, ledger, kept_releases)
        runs = pool.submit(what_runs, call, cluster)
        listed = [pool.submit(_revisions_of, call, name) for name in names]
        templates = [pool.submit(describe_task_definition, call, resource_names.template(name), True) for name in names]
        images = {name: pool.submit(_images_of, call, name) for name in names}
        arns = [arn for found in listed for arn in found.result()]
        revisions = list(pool.map(lambda arn: describe_task_definition(call, arn), arns))
        used, running = runs.result()
        strangers = sorted(set(used) - {short(arn) for arn in arns})
        others = [template.result() for template in templates] + list(pool.map(lambda name: describe_task_definition(call, name, True), strangers))
        kept, unfinished = records.result()
        return {
            "revisions": revisions,
            "others": [definition for definition in others if definition],
            "used": used,
            "running": running,
            "kept": kept,
            "unfinished": unfinished,
            "images": {name: found.result()[0] for name, found in images.items()},
            "parts": {name: found.result()[1] for name, found in images.items()},
        }


def deregister(call: Call, entry: dict) -> None:
    """Takes one revision out of use. It can still be looked at; what runs from it, runs on."""
    call("ecs", "deregister_task_definition", f"deregister {short(entry['task_definition'])}", taskDefinition=entry["task_definition"])


def delete_images(call: Call, repository: str, entries: list[dict]) -> list[str]:
    """Deletes images with all their tags. Returns a sentence for each that was spared; raises CallFailed for one that could not be deleted."""
    spared, refused = [], []
    for part in (False, True):  # ECR deletes nothing that a multi-platform image holds
        digests = [entry["digest"] for entry in entries if entry["part"] == part]
        for start in range(0, len(digests), _IMAGES_A_CALL):
            wanted = [{"imageDigest": digest} for digest in digests[start : start + _IMAGES_A_CALL]]
            answer = call("ecr", "batch_delete_image", f"delete images of {repository}", repositoryName=repository, imageIds=wanted)
            for failure in answer.get("failures", []):
                name = f"{repository}@{failure['imageId'].get('imageDigest', '?')}"
                if failure["failureCode"] in _HARMLESS:
                    spared.append(f"{name} {_HARMLESS[failure['failureCode']]}")
                else:
                    refused.append(f"{name}: {failure['failureCode']} {shown(failure.get('failureReason', ''))}".rstrip())
    if refused:
        raise CallFailed(f"Could not delete {', '.join(refused)}. What was deleted stays deleted; run this again.")
    return spared
