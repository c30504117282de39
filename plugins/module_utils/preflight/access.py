# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether ECS can assume the roles of a release, and whether they may do what its tasks need before a container runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.partitions import dns_suffix
from ansible_collections.atena.aws.plugins.module_utils.ecs.references import ecr_image, images_of, log_groups_of, parameter_name, role_name, secrets_of
from ansible_collections.atena.aws.plugins.module_utils.preflight import iam_policy
from ansible_collections.atena.aws.plugins.module_utils.preflight.findings import bad, doubt, good, not_determined, unread

# A service's name as a principal is the same in every partition.
ECS = "ecs-tasks.amazonaws.com"
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
# Parameter Store's own key needs no kms:Decrypt: its policy lets everybody of the account use it through Parameter Store.
OWN_KEY = "alias/aws/ssm"

_PURPOSES = {
    "pull": "pull the images",
    "secrets": "read the secrets",
    "decrypt": "decrypt the secrets",
    "logs": "write the logs",
}


def arn_scope(arn: str) -> dict:
    """partition, region and account of an ARN."""
    parts = arn.split(":")
    return {"partition": parts[1], "region": parts[3], "account": parts[4]}


def parameter_arn(name: str, scope: dict) -> str:
    path = name.removeprefix("/").split(":", 1)[0]
    return f"arn:{scope['partition']}:ssm:{scope['region']}:{scope['account']}:parameter/{path}"


def needs_of(definition: dict, images: dict, scope: dict) -> list[dict]:
    """What the execution role must be allowed: [{"purpose", "actions", "resources", "context"}], without the decryption."""
    repositories = []
    for image in images_of(definition, images).values():
        known = ecr_image(image)
        if known:
            repositories.append(f"arn:{scope['partition']}:ecr:{known['region']}:{known['account']}:repository/{known['repository']}")
    names = [parameter_name(reference, scope["region"]) for reference in secrets_of(definition)]
    groups = log_groups_of(definition, scope["region"])
    needs = []
    if repositories:
        needs.append({"purpose": "pull", "actions": ["ecr:GetAuthorizationToken"], "resources": ["*"], "context": {}})
        needs.append({"purpose": "pull", "actions": list(PULL), "resources": sorted(set(repositories)), "context": {}})
    if any(names):
        resources = sorted({parameter_arn(name, scope) for name in names if name})
        needs.append({"purpose": "secrets", "actions": ["ssm:GetParameters"], "resources": resources, "context": {}})
    if groups:
        start = f"arn:{scope['partition']}:logs"
        resources = sorted(f"{start}:{region}:{scope['account']}:log-group:{group}:log-stream:preflight" for group, region in groups.items())
        needs.append({"purpose": "logs", "actions": ["logs:CreateLogStream", "logs:PutLogEvents"], "resources": resources, "context": {}})
    return needs


def decryption(parameter: str, key_arn: str, scope: dict) -> dict:
    """What it takes to decrypt a parameter that has a key of its own, with what KMS tells the policy about the call."""
    context = {"kms:viaservice": f"ssm.{scope['region']}.{dns_suffix(scope['region'])}", "kms:encryptioncontext:parameter_arn": parameter_arn(parameter, scope)}
    return {"purpose": "decrypt", "actions": ["kms:Decrypt"], "resources": [key_arn], "context": context}


def merged(needs: list[dict]) -> list[dict]:
    """Needs of several services with one role: one entry for the same actions and context, so one question to IAM."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for need in needs:
        key = (need["purpose"], tuple(need["actions"]), tuple(sorted(need["context"].items())))
        entry = found.setdefault(key, {**need, "resources": []})
        entry["resources"] = sorted({*entry["resources"], *need["resources"]})
    return list(found.values())


def _decisions(need: dict, decide: Callable[[str, str], str | None]) -> list[dict]:
    return [{"action": action, "resource": item, "decision": decide(action, item)} for action in need["actions"] for item in need["resources"]]


def simulated(answers: list[dict], need: dict) -> list[dict] | None:
    """[{"action", "resource", "decision"}] from SimulatePrincipalPolicy's results; None if they don't cover all that was asked.

    With several resources IAM answers either with one result for each, or with one for the action and the resources' own in it.
    """
    known = {}
    for answer in answers:
        for part in answer.get("ResourceSpecificResults") or [answer]:
            said = part.get("EvalResourceDecision") or part.get("EvalDecision", "")
            decision = iam_policy.ALLOWED if said == "allowed" else iam_policy.DENIED
            if decision == iam_policy.DENIED and said != "explicitDeny" and part.get("MissingContextValues"):
                decision = iam_policy.UNKNOWN  # it depends on something that only the real call has
            known[answer["EvalActionName"], part["EvalResourceName"]] = decision
    decisions = _decisions(need, lambda action, resource: known.get((action, resource)))
    return decisions if all(item["decision"] for item in decisions) else None


def from_policies(policies: dict, need: dict) -> list[dict]:
    """The same from the role's own policies. A permissions boundary, which is not read, leaves an allowed action unknown."""

    def decide(action: str, resource: str) -> str:
        decision = iam_policy.decide(policies["documents"], action, resource, need["context"])
        return iam_policy.UNKNOWN if decision == iam_policy.ALLOWED and policies["bounded"] else decision

    return _decisions(need, decide)


def assumable(role: dict, scope: dict) -> str:
    """Whether a role's trust policy lets ECS assume it for tasks of this account and region."""
    arns = [f"arn:{scope['partition']}:ecs:{scope['region']}:{scope['account']}:{rest}" for rest in ("*", "task/cluster/id")]
    contexts = [{"aws:sourceaccount": scope["account"], "aws:sourcearn": arn} for arn in arns]
    return iam_policy.trusts(role["trust"], ECS, contexts)


def _trust(name: str, uses: str, role: dict, scope: dict) -> dict:
    if unread(role):
        return not_determined("role", name, role)
    if role.get("missing"):
        return bad("role", name, f"is the {uses} and does not exist: no task can start.", "Run infra.yml: it creates the roles of the task definitions.")
    answer = assumable(role, scope)
    if answer == iam_policy.ALLOWED:
        return good("role", name, f"ECS may assume it ({uses})")
    if answer == iam_policy.DENIED:
        return bad(
            "role",
            name,
            f"is the {uses}, and its trust policy does not let {ECS} assume it for tasks of account {scope['account']} in {scope['region']}.",
            "Run infra.yml, which writes the trust policy, or correct it: Allow sts:AssumeRole to the service principal ecs-tasks.amazonaws.com.",
        )
    return doubt("role", name, "has a trust policy with conditions that cannot be judged from here: whether ECS may assume it was not determined.")


def check_roles(facts: dict, request: dict) -> list[dict]:
    """Every execution and task role can be assumed by ECS."""
    uses: dict[str, list[tuple[str, str]]] = {}
    findings = []
    for name, definition in facts["definitions"].items():
        if not definition.get("executionRoleArn"):
            findings.append(
                bad(
                    "role",
                    f"{name}, execution role",
                    f"{definition['family']} names none: ECS cannot pull from ECR, read secrets or write logs.",
                    "Set executionRoleArn (infra.yml's templates have it).",
                )
            )
        for key, words in (("executionRoleArn", "execution role"), ("taskRoleArn", "task role")):
            if definition.get(key):
                uses.setdefault(definition[key], []).append((name, words))
    for arn, users in uses.items():
        words = " and ".join(dict.fromkeys(word for _name, word in users)) + " of " + ", ".join(dict.fromkeys(name for name, _word in users))
        findings.append(_trust(role_name(arn), words, facts["roles"][arn], facts["scope"]))
    return findings


def check_access(facts: dict, request: dict) -> list[dict]:
    """Every execution role may pull the images, read (and decrypt) the secrets and write the logs of its services."""
    findings = []
    for entry in facts["access"]:
        role = role_name(entry["role"])
        by_purpose: dict[str, list[dict[str, Any]]] = {}
        if facts["roles"].get(entry["role"], {}).get("missing"):
            continue
        for need in entry["needs"]:
            by_purpose.setdefault(need["purpose"], []).append(need)
        for purpose, needs in by_purpose.items():
            findings.append(_access(role, purpose, needs))
    return findings


def _access(role: str, purpose: str, needs: list[dict]) -> dict:
    subject = f"{role}: {_PURPOSES[purpose]}"
    refused: list[str] = []
    unknown: list[str] = []
    why: list[str] = []
    for need in needs:
        if "unread" in need:
            why.append(need["unread"])
            continue
        for item in need["decisions"]:
            if item["decision"] != iam_policy.ALLOWED:
                (refused if item["decision"] == iam_policy.DENIED else unknown).append(f"{item['action']} on {item['resource']}")
    if refused:
        more = f" and {len(refused) - 4} more" if len(refused) > 4 else ""
        return bad(
            "access",
            subject,
            f"the role may not {', '.join(refused[:4])}{more}.",
            "Run infra.yml, which writes the role's policy; if a deny or a permissions boundary forbids it, whoever set it must lift it.",
        )
    if why:
        return not_determined("access", subject, {"unread": " ".join(dict.fromkeys(why))})
    if unknown:
        return doubt("access", subject, f"depends on conditions that cannot be judged from here, so it was not determined: {', '.join(unknown[:4])}.")
    return good("access", subject, "allowed")
