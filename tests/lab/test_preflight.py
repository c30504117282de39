"""The preflight in the lab: each defect is really made, found alone, named with its remedy, and mended."""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import json
import re
import urllib.request

import pytest
from faults import Faults
from inprocess import caller, module_utils
from wire import Wire

API, WORKERS = "atena-prod-api", "atena-prod-workers"
TABLE, KEY = "atena-terraform-locks", "atena/prod/gates.json"


class Look:
    """The environment, its preflight, and what can be done to it."""

    def __init__(self, lab):
        self.lab, self.call = lab, caller()
        self.bucket = f"atena-terraform-state-{lab.account}"
        self.utils = module_utils("preflight.check")

    def __getattr__(self, service):
        return self.lab.client(service)

    def __call__(self, images=None, **request):
        services = [{"name": API, "health_path": "/health", "images": images or {}}, {"name": WORKERS}]
        return self.utils.preflight(
            self.call,
            {
                "name": self.lab.name,
                "cluster": self.lab.cluster,
                "services": services,
                "ssm_path": "/atena/prod",
                "database_id": "atena-prod-db",
                "redis_id": "atena-prod-redis",
                "rollout_timeout": 240,
                "gates_bucket": self.bucket,
                "gates_key": KEY,
                "lock_table": TABLE,
                **request,
            },
        )

    def service(self, name=API):
        return self.lab.services()[name]

    def definition(self, name):
        return self.lab.client("ecs").describe_task_definition(taskDefinition=name)["taskDefinition"]

    def image(self):
        return self.definition(self.service()["taskDefinition"])["containerDefinitions"][0]["image"]

    def target_group(self):
        return self.service()["loadBalancers"][0]["targetGroupArn"]

    def group(self, name):
        groups = self.lab.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]
        return groups[0]["GroupId"]


@pytest.fixture(scope="module")
def look(lab):
    found = Look(lab)
    result = found()
    assert troubles(result) == [], found.utils.verdict_lines(result)
    return found


def troubles(result):
    return [item for item in result["findings"] if item["status"] != "ok"]


# --- Defects: each is there within its `with`, and nothing of it afterwards -------------------------------------------------


def defect(make):
    """A context manager of which the part after `yield` is done whatever happened."""

    @contextlib.contextmanager
    def manager(*arguments, **options):
        steps = make(*arguments, **options)
        value = next(steps)
        try:
            yield value
        finally:
            next(steps, None)

    return manager


@defect
def image_deleted(look):
    repository, digest = look.image().rsplit("/", 1)[-1].split("@")
    image = {"repositoryName": repository, "imageIds": [{"imageDigest": digest}]}
    tags = look.ecr.describe_images(**image)["imageDetails"][0]["imageTags"]
    manifest = look.ecr.batch_get_image(**image)["images"][0]
    look.ecr.batch_delete_image(**image)
    yield
    for tag in tags:
        kind = manifest["imageManifestMediaType"]
        look.ecr.put_image(repositoryName=repository, imageManifest=manifest["imageManifest"], imageManifestMediaType=kind, imageTag=tag)


@defect
def template(look, name=API, **changes):
    """A newer template, as somebody's `terraform apply` registers one. `container` changes its container."""
    wanted = copy.deepcopy(look.definition(f"{name}-template"))
    for key in ("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy", "pidMode", "ipcMode"):
        wanted.pop(key, None)
    wanted["containerDefinitions"][0].update(changes.pop("container", {}))
    arn = look.ecs.register_task_definition(**{**wanted, **changes}, tags=[{"key": "atena:template", "value": "true"}])["taskDefinition"]["taskDefinitionArn"]
    yield
    look.ecs.deregister_task_definition(taskDefinition=arn)


@defect
def secret(look, name, value):
    """The secret holds `value`; None deletes it."""
    before = look.ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    if value is None:
        look.ssm.delete_parameter(Name=name)
    else:
        look.ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    yield
    look.ssm.put_parameter(Name=name, Value=before, Type="SecureString", Overwrite=True)


@defect
def trust(look, service):
    before = look.iam.get_role(RoleName="atena-prod-ecs-execution")["Role"]["AssumeRolePolicyDocument"]
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    look.iam.update_assume_role_policy(RoleName="atena-prod-ecs-execution", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    yield
    look.iam.update_assume_role_policy(RoleName="atena-prod-ecs-execution", PolicyDocument=json.dumps(before))


@defect
def role_without(look, sid):
    name = {"RoleName": "atena-prod-ecs-execution", "PolicyName": "execution"}
    before = look.iam.get_role_policy(**name)["PolicyDocument"]
    left = [statement for statement in before["Statement"] if statement["Sid"] != sid]
    assert len(left) < len(before["Statement"])
    look.iam.put_role_policy(**name, PolicyDocument=json.dumps({**before, "Statement": left}))
    yield
    look.iam.put_role_policy(**name, PolicyDocument=json.dumps(before))


@defect
def role_denied(look, action):
    name = {"RoleName": "atena-prod-ecs-execution", "PolicyName": "freeze"}
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]}
    look.iam.put_role_policy(**name, PolicyDocument=json.dumps(document))
    yield
    look.iam.delete_role_policy(**name)


@defect
def own_key(look):
    """One secret is encrypted with a key of its own, which the role may use only through its policy's conditions."""
    name = "/atena/prod/ADMIN_TOKEN"
    value = look.ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    key = look.kms.create_key()["KeyMetadata"]["KeyId"]
    look.ssm.put_parameter(Name=name, Value=value, Type="SecureString", KeyId=key, Overwrite=True)
    yield
    look.ssm.put_parameter(Name=name, Value=value, Type="SecureString", KeyId="alias/aws/ssm", Overwrite=True)
    look.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


@defect
def log_group_deleted(look, name):
    group = look.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]
    tags = look.logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"]
    look.logs.delete_log_group(logGroupName=name)
    yield
    look.logs.create_log_group(logGroupName=name, tags=tags)
    look.logs.put_retention_policy(logGroupName=name, retentionInDays=group["retentionInDays"])


@defect
def listener_elsewhere(look):
    balancer = look.elbv2.describe_load_balancers(Names=["atena-prod-alb"])["LoadBalancers"][0]["LoadBalancerArn"]
    listener = look.elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", "ContentType": "text/plain", "MessageBody": "away"}}
    look.elbv2.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=[fixed])
    yield
    look.elbv2.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=listener["DefaultActions"])


@defect
def target_group(look, **changes):
    arn = look.target_group()
    before = look.elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
    look.elbv2.modify_target_group(TargetGroupArn=arn, **changes)
    yield
    look.elbv2.modify_target_group(TargetGroupArn=arn, **{key: before[key] for key in changes})


@defect
def deregistration_delay(look, seconds):
    arn, key = look.target_group(), "deregistration_delay.timeout_seconds"
    attributes = look.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    before = [item for item in attributes if item["Key"] == key]
    look.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[{"Key": key, "Value": str(seconds)}])
    yield
    look.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=before)


@defect
def no_way_out(look):
    subnet = look.service()["networkConfiguration"]["awsvpcConfiguration"]["subnets"][0]
    table = look.ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["RouteTables"][0]
    route = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0"}
    nat = next(item["NatGatewayId"] for item in table["Routes"] if item.get("DestinationCidrBlock") == "0.0.0.0/0")
    look.ec2.delete_route(**route)
    yield
    look.ec2.create_route(**route, NatGatewayId=nat)


@defect
def rule_revoked(look, group, port, egress=False):
    identifier = look.group(group)
    rules = look.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [identifier]}])["SecurityGroupRules"]
    rule = next(item for item in rules if item["FromPort"] == port and item["IsEgress"] == egress)
    revoke = look.ec2.revoke_security_group_egress if egress else look.ec2.revoke_security_group_ingress
    allow = look.ec2.authorize_security_group_egress if egress else look.ec2.authorize_security_group_ingress
    described = {"Description": rule["Description"]}
    peer = {"IpRanges": [{"CidrIp": rule["CidrIpv4"], **described}]} if rule.get("CidrIpv4") else {}
    if rule.get("ReferencedGroupInfo"):
        peer = {"UserIdGroupPairs": [{"GroupId": rule["ReferencedGroupInfo"]["GroupId"], **described}]}
    permission = {"IpProtocol": rule["IpProtocol"], "FromPort": rule["FromPort"], "ToPort": rule["ToPort"], **peer}
    revoke(GroupId=identifier, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    yield
    tags = {"TagSpecifications": [{"ResourceType": "security-group-rule", "Tags": rule["Tags"]}]} if rule.get("Tags") else {}
    allow(GroupId=identifier, IpPermissions=[permission], **tags)


@defect
def gates(look, **values):
    before = look.s3.get_object(Bucket=look.bucket, Key=KEY)["Body"].read()
    body = json.dumps({**json.loads(before), **values}).encode()
    look.s3.put_object(Bucket=look.bucket, Key=KEY, Body=body, ContentType="application/json")
    yield
    look.s3.put_object(Bucket=look.bucket, Key=KEY, Body=before, ContentType="application/json")


@defect
def locked(look):
    lock = module_utils("environment.lock").Lock(look.call, TABLE, look.lab.name)
    lock.acquire("deploy", "arn:aws:iam::000000000042:user/ana")
    yield lock
    lock.release()


@defect
def said(look, operation, **replace):
    """AWS says something else: for states that take hours, or that cannot be had without harm."""
    with Faults(look.lab.endpoint) as faults:
        faults.rewrite(operation, replace=replace)
        yield


DEFECTS = {
    "an image that was deleted": (image_deleted, {"image": ["does not hold it", "deploy.yml"]}),
    "a template for another architecture": (
        lambda look: template(look, runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}),
        {"architecture": ["built for amd64", "asks for ARM64", "--platform linux/arm64"], "template": ["picks up: runtimePlatform.cpuArchitecture"]},
    ),
    "a newer template": (lambda look: template(look, memory="1024"), {"template": ["template:", "is newer than the running release", "picks up: memory"]}),
    "a secret that was deleted": (
        lambda look: secret(look, "/atena/prod/ADMIN_TOKEN", None),
        {"secret": ["does not exist", "atena-prod-api, atena-prod-workers", "secrets.yml"]},
    ),
    "a secret that nobody set": (lambda look: secret(look, "/atena/prod/TELEGRAM_BOT_TOKEN", "CHANGE_ME"), {"secret": ["is still CHANGE_ME", "secrets.yml"]}),
    "a role for another service": (lambda look: trust(look, "ec2.amazonaws.com"), {"role": ["does not let ecs-tasks.amazonaws.com assume it", "infra.yml"]}),
    "a role that does not exist": (
        lambda look: template(look, taskRoleArn="arn:aws:iam::000000000042:role/never-made"),
        {"role": ["task role of atena-prod-api and does not exist"], "template": ["taskRoleArn"]},
    ),
    "no right to the secrets": (lambda look: role_without(look, "ReadSecrets"), {"access": ["may not ssm:GetParameters on", "infra.yml"]}),
    "no right to the images": (lambda look: role_without(look, "PullImages"), {"access": ["may not ecr:BatchCheckLayerAvailability on"]}),
    "no right to the logs": (lambda look: role_without(look, "WriteLogs"), {"access": ["may not logs:CreateLogStream on"]}),
    "a deny": (lambda look: role_denied(look, "ecr:GetDownloadUrlForLayer"), {"access": ["may not ecr:GetDownloadUrlForLayer on", "deny"]}),
    "a log group that was deleted": (lambda look: log_group_deleted(look, "/ecs/atena-prod-workers"), {"log_group": ["does not exist", "infra.yml"]}),
    "a listener that leads elsewhere": (listener_elsewhere, {"target_group": ["no listener or rule forwards to it", "infra.yml"]}),
    "another health path": (lambda look: target_group(look, HealthCheckPath="/up"), {"health_path": ["asks /up", "answers on /health"]}),
    "a health check on another port": (lambda look: target_group(look, HealthCheckPort="9000"), {"port": ["asks port 9000", "traffic-port"]}),
    "a container on another port": (
        lambda look: template(look, container={"portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}]}),
        {"port": ["registers port 3000", "are 8080"], "template": ["portMappings"]},
    ),
    "draining for longer than the deadline": (
        lambda look: deregistration_delay(look, 300),
        {"deadline": ["300 s deregistration delay", "the deadline is 240 s", "atena_deregistration_delay_seconds"]},
    ),
    "no route out": (no_way_out, {"way_out": ["no route to 0.0.0.0/0", "no VPC endpoint for", "infra.yml"]}),
    "no path from the load balancer": (lambda look: rule_revoked(look, "atena-prod-ecs-sg", 3000), {"security_group": ["port 3000", "into atena-prod-ecs-sg"]}),
    "no path to the database": (lambda look: rule_revoked(look, "atena-prod-db-sg", 5432), {"security_group": ["port 5432", "into atena-prod-db-sg"]}),
    "no path to Redis": (lambda look: rule_revoked(look, "atena-prod-ecs-sg", 6379, True), {"security_group": ["port 6379", "out of atena-prod-ecs-sg"]}),
    "no path to AWS": (lambda look: rule_revoked(look, "atena-prod-ecs-sg", 443, True), {"security_group": ["port 443", "out of atena-prod-ecs-sg"]}),
    "a stopped environment": (lambda look: gates(look, power="off"), {"gates": ["the environment is stopped", "start.yml"]}),
    "somebody else's lock": (locked, {"lock": ["user/ana", "deploy", "lock.yml"]}),
    "a database that sleeps": (
        lambda look: said(look, "rds:DescribeDBInstances", **{"<DBInstanceStatus>available": "<DBInstanceStatus>stopped"}),
        {"database": ["is stopped", "aws rds start-db-instance"]},
    ),
    "a Redis that is not ready": (
        lambda look: said(look, "elasticache:DescribeCacheClusters", **{"<CacheClusterStatus>available": "<CacheClusterStatus>creating"}),
        {"redis": ["is creating", "Wait"]},
    ),
}


@pytest.mark.parametrize(("make", "expected"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_found_alone_and_named(look, make, expected):
    with make(look):
        result = look()
    found = {}
    for item in troubles(result):
        found.setdefault(item["check"], []).append(f"{item['says']} {item['remedy']}")
    assert set(found) == set(expected), look.utils.verdict_lines(result)
    for check, words in expected.items():
        for word in words:
            assert word in " ".join(found[check])


def test_what_was_mended_is_fine_again(look):
    result = look()
    assert troubles(result) == [], look.utils.verdict_lines(result)


def test_a_lock_of_ones_own_is_fine(look):
    with locked(look) as lock:
        assert troubles(look(own_token=lock.token)) == []


def test_a_key_of_its_own_is_judged_in_the_context_of_parameter_store(look):
    with own_key(look):
        assert troubles(look()) == []
        with role_without(look, "DecryptSecrets"):
            found = troubles(look())
    assert [(item["check"], item["status"]) for item in found] == [("access", "failed")]
    assert "decrypt the secrets" in found[0]["subject"] and "kms:Decrypt on arn:aws:kms:" in found[0]["says"]


def pushed(look, architecture, several):
    """Puts an image for another architecture into ECR (its layers are not needed: nobody runs it). Returns its digest."""
    configuration = json.dumps({"os": "linux", "architecture": architecture}).encode()
    config = "sha256:" + hashlib.sha256(configuration).hexdigest()
    token = look.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]

    def registry(method, url, data=None):
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/octet-stream"}
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers), timeout=30) as answer:
            return answer.headers.get("Location", "")

    assert base64.b64decode(token)
    place = registry("POST", f"{look.lab.endpoint}/v2/{API}/blobs/uploads/", b"")
    place = place if place.startswith("http") else look.lab.endpoint + place
    registry("PUT", f"{place}{'&' if '?' in place else '?'}digest={config}", configuration)
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": {"digest": config, "size": len(configuration)}, "layers": []}
    if several:
        kind = "application/vnd.oci.image.index.v1+json"
        platform = {"os": "linux", "architecture": architecture}
        manifest = {"schemaVersion": 2, "mediaType": kind, "manifests": [{"digest": config, "platform": platform}]}
    image = look.ecr.put_image(repositoryName=API, imageManifest=json.dumps(manifest), imageManifestMediaType=kind, imageTag=f"test-{architecture}")
    return image["image"]["imageId"]["imageDigest"]


@pytest.mark.parametrize("several", [False, True], ids=["one image", "a list of images"])
def test_an_image_for_another_architecture(look, several):
    digest = pushed(look, "arm64", several)
    try:
        found = troubles(look(images={"api": f"{look.image().split('@')[0]}@{digest}"}))
    finally:
        look.ecr.batch_delete_image(repositoryName=API, imageIds=[{"imageDigest": digest}])
    assert [(item["check"], item["subject"], item["status"]) for item in found] == [("architecture", f"{API}/api", "failed")]
    assert "built for arm64" in found[0]["says"] and "exec format error" in found[0]["says"]


def test_a_digest_that_was_never_pushed(look):
    found = troubles(look(images={"api": f"{look.image().split('@')[0]}@sha256:{'0' * 64}"}))
    assert [(item["check"], item["status"]) for item in found] == [("image", "failed")]


@pytest.mark.parametrize(
    ("operation", "checks"),
    [
        ("ssm:GetParameters", {"secret"}),
        ("ecr:BatchGetImage", {"image"}),
        ("ecr:GetDownloadUrlForLayer", {"architecture"}),
        ("iam:GetRole", {"role"}),
        ("logs:DescribeLogGroups", {"log_group"}),
        ("elbv2:DescribeTargetGroups", {"target_group", "deadline"}),
        ("ec2:DescribeSecurityGroups", {"security_group"}),
        ("ec2:DescribeRouteTables", {"way_out"}),
        ("rds:DescribeDBInstances", {"database"}),
        ("dynamodb:GetItem", {"lock"}),
    ],
)
def test_what_may_not_be_read_is_a_warning_and_never_fine(look, operation, checks):
    with Faults(look.lab.endpoint) as faults:
        faults.error(operation, "AccessDeniedException", "User: ci is not authorized")
        result = look()
    found = troubles(result)
    assert {item["check"] for item in found} == checks, look.utils.verdict_lines(result)
    assert {item["status"] for item in found} == {"warning"}
    assert all("could" in item["says"] and "not authorized" in item["says"] for item in found)


def test_without_the_simulation_the_roles_policies_are_judged(look):
    with Faults(look.lab.endpoint) as faults:
        refused = faults.error("iam:SimulatePrincipalPolicy", "AccessDenied", "User: ci is not authorized")
        assert troubles(look()) == [] and faults.hits(refused)
        with role_without(look, "ReadSecrets"):
            found = troubles(look())
        faults.error("iam:ListRolePolicies", "AccessDenied", "User: ci is not authorized")
        blind = troubles(look())
    assert [(item["check"], item["status"]) for item in found] == [("access", "failed")]
    assert {(item["check"], item["status"]) for item in blind} == {("access", "warning")} and len(blind) == 3


def test_the_playbook_finds_everything_at_once_and_writes_nothing(lab, look):
    before = lab.revisions()
    made = ("an image that was deleted", "a secret that nobody set", "no right to the logs", "no route out", "no path to Redis", "a stopped environment")
    with contextlib.ExitStack() as stack, Wire(lab.endpoint) as wire:
        for name in made:
            stack.enter_context(DEFECTS[name][0](look))
        run = lab.playbook("preflight.yml", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_fail()
    assert "Preflight of atena-prod: 6 of " in run.text, run.output  # each of the two subnets lacks its way out
    for name in made:
        for words in DEFECTS[name][1].values():
            for word in words:
                assert word in run.text, run.output
    assert wire.writes() == [] and lab.revisions() == before
    assert "Traceback" not in run.output and "lab-admin-token" not in run.output


def test_the_playbook_says_that_nothing_stands_in_the_way(lab, look):
    run = lab.playbook("preflight.yml").must_succeed()
    assert re.search(r"nothing in \d\d checks prevents a release", run.text) and run.changed == 0
