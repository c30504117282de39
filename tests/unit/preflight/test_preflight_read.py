"""How the facts of a preflight are gathered: from answers as AWS gives them, and what happens when it gives none."""

import io
import json
import threading

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Unanswered, failure
from ansible_collections.atena.aws.plugins.module_utils.environment import sources
from ansible_collections.atena.aws.plugins.module_utils.images import configuration as ecr_configuration, read as image_read
from ansible_collections.atena.aws.plugins.module_utils.preflight import check as preflight, read as preflight_read, roles as preflight_roles
from fakes import Pages

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
DIGEST = "sha256:" + "0" * 64
IMAGE = f"{REGISTRY}/app-api@{DIGEST}"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/app-api-tg/1"
ROLE = "arn:aws:iam::123456789012:role/app-execution"
SECRET_VALUE = "do-not-show-me"


def denied(code="AccessDeniedException"):
    return failure(f"Could not do it: {code}: no.", code)


class Aws(Pages):
    """Answers by operation: a dict, a function of the arguments, or an exception."""

    def __init__(self, **answers):
        self.answers, self.calls, self._lock = answers, [], threading.Lock()

    def client(self, service):
        return None

    def __call__(self, service, operation, doing, /, **arguments):
        with self._lock:
            self.calls.append((operation, arguments))
        answer = self.answers.get(operation, denied())
        if callable(answer) and not isinstance(answer, Exception):
            answer = answer(**arguments)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def made(self, operation):
        return [arguments for name, arguments in self.calls if name == operation]


class TestImage:
    def manifest(self, content):
        return {"images": [{"imageManifest": json.dumps(content)}]}

    def read(self, monkeypatch, aws, blob=b'{"os": "linux", "architecture": "arm64"}'):
        def opened(url, timeout):
            if isinstance(blob, Exception):
                raise blob
            assert url == "https://signed"
            return io.BytesIO(blob)

        monkeypatch.setattr(ecr_configuration, "open_url", opened)
        return image_read.image(aws, IMAGE, "us-east-1")

    def single(self, **more):
        return Aws(batch_get_image=self.manifest({"config": {"digest": DIGEST}}), get_download_url_for_layer={"downloadUrl": "https://signed"}, **more)

    def test_the_platform_of_a_single_image_is_in_its_configuration(self, monkeypatch):
        found = self.read(monkeypatch, self.single())
        nothing = {"path": "", "own": ()}
        assert found == {"exists": True, "platforms": [{"os": "linux", "architecture": "arm64"}], "bundle": nothing, "why": ""}

    def test_so_is_where_it_has_certificates(self, monkeypatch):
        blob = {"config": {"Labels": {"atena.ca-bundle": "/b.pem"}, "Env": ["PATH=/bin", "PGSSLROOTCERT=/own.pem"]}, "os": "linux", "architecture": "arm64"}
        assert self.read(monkeypatch, self.single(), json.dumps(blob).encode())["bundle"] == {"path": "/b.pem", "own": ("PGSSLROOTCERT",)}

    def test_a_list_tells_its_platforms_itself(self, monkeypatch):
        platforms = [{"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64"}]
        manifests = [{"platform": item} for item in [*platforms, {"os": "unknown", "architecture": "unknown"}]]
        aws = Aws(batch_get_image=self.manifest({"manifests": manifests}))
        found = self.read(monkeypatch, aws)
        assert found["platforms"] == platforms and found["bundle"] is None, "of its first image nothing could be read"

    def test_a_missing_image_is_asked_for_by_its_digest(self, monkeypatch):
        aws = Aws(batch_get_image={"images": [], "failures": [{"failureCode": "ImageNotFound"}]})
        found = self.read(monkeypatch, aws)
        assert (found["exists"], found["why"]) == (False, "the repository app-api does not hold it")
        assert aws.made("batch_get_image")[0]["imageIds"] == [{"imageDigest": DIGEST}]
        assert aws.made("batch_get_image")[0]["registryId"] == "123456789012"

    def test_so_is_one_whose_repository_is_missing(self, monkeypatch):
        found = self.read(monkeypatch, Aws(batch_get_image=denied("RepositoryNotFoundException")))
        assert (found["exists"], found["why"]) == (False, "the repository app-api does not exist")

    @pytest.mark.parametrize("blob", [OSError("connection reset"), b"no json", b"[]", b"{}"])
    def test_a_configuration_that_cannot_be_read_is_no_platform(self, monkeypatch, blob):
        found = self.read(monkeypatch, self.single(), blob)
        assert found["exists"] and found["platforms"] is None
        assert found["why"].startswith("Could not read the image's configuration: ")

    def test_nor_is_one_that_may_not_be_read(self, monkeypatch):
        aws = Aws(batch_get_image=self.manifest({"config": {"digest": DIGEST}}))
        assert self.read(monkeypatch, aws)["why"].startswith("Could not do it")

    @pytest.mark.parametrize("reference", ["nginx:1", IMAGE.replace("us-east-1", "eu-west-1")])
    def test_an_image_elsewhere_is_not_asked_for(self, reference):
        assert image_read.image(Aws(), reference, "us-east-1") is None


class TestParameters:
    def answer(self, *parameters, invalid=()):
        return {"Parameters": list(parameters), "InvalidParameters": list(invalid)}

    def test_what_is_known_is_whether_they_are_set(self):
        names = ["/a/SET", "/a/OPEN", "/a/EMPTY", "/a/NONE", "/a/V:3"]
        aws = Aws(
            get_parameters=self.answer(
                {"Name": "/a/SET", "Value": SECRET_VALUE},
                {"Name": "/a/OPEN", "Value": "CHANGE_ME"},
                {"Name": "/a/EMPTY", "Value": " "},
                {"Name": "/a/V", "Selector": ":3", "Value": "x"},
                invalid=["/a/NONE"],
            )
        )
        found = sources.parameters(aws, names, "CHANGE_ME")
        assert {name: item["state"] for name, item in found.items()} == {
            "/a/SET": "set",
            "/a/OPEN": "placeholder",
            "/a/EMPTY": "empty",
            "/a/NONE": "missing",
            "/a/V:3": "set",
        }
        assert SECRET_VALUE not in str(found)

    def test_without_the_key_one_learns_which_exist(self):
        def answer(Names, WithDecryption):
            return denied() if WithDecryption else self.answer({"Name": "/a/THERE", "Value": "cipher"}, invalid=["/a/NONE"])

        found = sources.parameters(Aws(get_parameters=answer), ["/a/THERE", "/a/NONE"], "CHANGE_ME")
        assert found == {"/a/THERE": {"unread": str(denied())}, "/a/NONE": {"state": "missing"}}

    def test_without_any_right_one_learns_nothing(self):
        assert sources.parameters(Aws(), ["/a/X"], "CHANGE_ME") == {"/a/X": {"unread": str(denied())}}

    def test_only_keys_of_their_own_are_looked_up_each_once(self):
        described = [
            {"Name": "/a/1", "KeyId": "alias/aws/ssm"},
            {"Name": "/a/2", "KeyId": "alias/mine"},
            {"Name": "/a/3", "KeyId": "alias/mine"},
            {"Name": "/a/4"},
        ]
        aws = Aws(describe_parameters={"Parameters": described}, describe_key={"KeyMetadata": {"Arn": "arn:key"}})
        assert preflight_roles.keys(aws, ["/a/1", "/a/2", "/a/3", "/a/4"]) == {"/a/2": "arn:key", "/a/3": "arn:key"}
        assert len(aws.made("describe_key")) == 1


class TestListener:
    def aws(self, default, *rules):
        return Aws(
            describe_load_balancers={"LoadBalancers": [{"LoadBalancerName": "app"}]},
            describe_listeners={"Listeners": [{"ListenerArn": "listener", "DefaultActions": [default]}]},
            describe_rules={"Rules": [{"Actions": [action]} for action in rules]},
        )

    def test_rules_are_read_only_where_the_default_leads_elsewhere(self):
        forward = {"Type": "forward", "TargetGroupArn": GROUP}
        aws = self.aws(forward)
        assert sources.balancer(aws, "lb", [GROUP])["forwards_to"] == [GROUP] and not aws.made("describe_rules")
        aws = self.aws({"Type": "fixed-response"}, forward)
        assert sources.balancer(aws, "lb", [GROUP])["forwards_to"] == [GROUP] and aws.made("describe_rules")

    def test_rules_are_read_for_a_second_service_too(self):
        """The default leads to the first one: the second one's rule is read all the same."""
        aws = self.aws({"Type": "forward", "TargetGroupArn": GROUP}, {"Type": "forward", "TargetGroupArn": "second"})
        assert sources.balancer(aws, "lb", [GROUP, "second"])["forwards_to"] == sorted([GROUP, "second"])

    def test_a_weight_of_nothing_is_no_way(self):
        groups = [{"TargetGroupArn": GROUP, "Weight": 0}, {"TargetGroupArn": "other", "Weight": 1}]
        aws = self.aws({"Type": "forward", "ForwardConfig": {"TargetGroups": groups}})
        assert sources.balancer(aws, "lb", [GROUP])["forwards_to"] == ["other"]

    def test_a_load_balancer_that_is_gone(self):
        assert sources.balancer(Aws(describe_load_balancers=denied("LoadBalancerNotFound")), "lb", [GROUP]) is None


class TestRecords:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            ({"Body": io.BytesIO(b'{"power": "on"}')}, {"power": "on"}),
            ({"Body": io.BytesIO(b"on")}, {}),
            ({"Body": io.BytesIO(b"[1]")}, {}),
            (denied("NoSuchKey"), None),
        ],
    )
    def test_gates(self, answer, expected):
        assert sources.gates(Aws(get_object=answer), "bucket", "key") == expected

    def lock(self, own_token, expires_at=4_000_000_000):
        texts = {"owner": "ana", "host": "laptop", "reason": "deploy", "token": SECRET_VALUE, "acquired_at": "then", "heartbeat_at": "now"}
        item = {"LockID": {"S": "atena.aws/app"}, "expires_at": {"N": str(expires_at)}, **{key: {"S": value} for key, value in texts.items()}}
        return sources.lock(Aws(get_item={"Item": item}), "locks", "app", own_token)

    def test_a_lock_is_ours_only_with_its_token(self):
        assert self.lock(SECRET_VALUE)["ours"] and not self.lock("other")["ours"] and not self.lock("")["ours"]
        assert SECRET_VALUE not in str(self.lock(SECRET_VALUE))

    def test_who_holds_it_and_whether_it_expired(self):
        assert "ana on laptop ('deploy'" in self.lock("")["standing"]
        assert (self.lock("")["expired"], self.lock("", 1)["expired"]) == (False, True)

    @pytest.mark.parametrize(("answer", "expected"), [({}, None), (denied("ResourceNotFoundException"), {"missing": True})])
    def test_no_lock(self, answer, expected):
        assert sources.lock(Aws(get_item=answer), "locks", "app", "") == expected


def definition(family, revision=1, tags=()):
    return {
        "taskDefinition": {
            "taskDefinitionArn": f"arn:aws:ecs:us-east-1:123456789012:task-definition/{family}:{revision}",
            "family": family,
            "executionRoleArn": ROLE,
            "containerDefinitions": [{"name": "api", "image": IMAGE, "secrets": [{"name": "T", "valueFrom": "/app/TOKEN"}]}],
        },
        "tags": [{"key": key, "value": value} for key, value in tags],
    }


TEMPLATE = definition("app-api-template", tags=[("atena:template", "true")])
REQUEST = {"name": "app", "cluster": "app-cluster", "services": [{"name": "app-api"}], "database_id": "app-db"}
SERVICE = {"serviceName": "app-api", "status": "ACTIVE", "taskDefinition": "app-api:1", "loadBalancers": [{"targetGroupArn": GROUP}]}


def described(taskDefinition, include):
    return TEMPLATE if "template" in taskDefinition else definition("app-api")


class TestGathering:
    def aws(self, **more):
        return Aws(**{"describe_services": {"services": [SERVICE]}, "describe_task_definition": described, **more})

    def test_what_may_not_be_read_is_told_for_each_fact(self):
        facts = preflight_read.gather(self.aws(), REQUEST)
        reason = {"unread": str(denied())}
        assert facts["database"] == reason
        assert facts["images"] == {IMAGE: reason}
        assert facts["roles"] == {ROLE: reason}
        assert facts["target_groups"] == {GROUP: reason}
        assert facts["parameters"] == {"/app/TOKEN": reason}
        assert [need.get("unread") for need in facts["access"][0]["needs"]] == [f"{denied()} {denied()}"] * 3 + [str(denied())]

    def test_and_nothing_of_it_is_judged_fine(self):
        facts = preflight_read.gather(self.aws(), REQUEST)
        findings = preflight.judge(facts, REQUEST)["findings"]
        fine = {item["check"] for item in findings if item["status"] == "ok"}
        assert fine == {"service", "strategy", "template"}

    def test_a_simulation_that_is_not_allowed_is_replaced_by_the_policies(self):
        document = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        aws = self.aws(
            list_role_policies={"PolicyNames": ["inline"]},
            get_role_policy={"PolicyDocument": document},
            list_attached_role_policies={"AttachedPolicies": [{"PolicyArn": "p"}]},
            get_policy={"Policy": {"DefaultVersionId": "v2"}},
            get_policy_version={"PolicyVersion": {"Document": document}},
            get_role={"Role": {"AssumeRolePolicyDocument": {}}},
            describe_parameters={"Parameters": []},
        )
        needs = preflight_read.gather(aws, REQUEST)["access"][0]["needs"]
        assert {item["decision"] for need in needs for item in need["decisions"]} == {"allowed"}
        assert len(aws.made("list_role_policies")) == 1  # for all needs of the role

    def test_a_parameter_with_a_key_of_its_own_has_to_be_decrypted(self):
        def simulated(ActionNames, ResourceArns, **_):
            return {"EvaluationResults": [{"EvalActionName": a, "EvalResourceName": r, "EvalDecision": "allowed"} for a in ActionNames for r in ResourceArns]}

        aws = self.aws(
            describe_parameters={"Parameters": [{"Name": "/app/TOKEN", "KeyId": "key"}]},
            describe_key={"KeyMetadata": {"Arn": "arn:key"}},
            simulate_principal_policy=simulated,
        )
        need = preflight_read.gather(aws, REQUEST)["access"][0]["needs"][-1]
        assert (need["actions"], need["resources"]) == (["kms:Decrypt"], ["arn:key"])
        assert [item["decision"] for item in need["decisions"]] == ["allowed"]

    def test_the_images_that_run_are_checked_unless_others_are_given(self):
        facts = preflight_read.gather(self.aws(), REQUEST)
        assert facts["service_images"] == {"app-api": {"api": IMAGE}}
        other = IMAGE.replace("0", "1")
        facts = preflight_read.gather(self.aws(), {**REQUEST, "services": [{"name": "app-api", "images": {"api": other}}]})
        assert facts["service_images"] == {"app-api": {"api": other}}

    def test_a_chosen_revision_is_checked_instead_of_the_template(self):
        facts = preflight_read.gather(self.aws(), {**REQUEST, "services": [{"name": "app-api", "task_definition": "app-api:1"}]})
        assert facts["definitions"]["app-api"]["family"] == "app-api"

    def test_services_that_are_missing_do_not_hide_the_rest(self):
        facts = preflight_read.gather(self.aws(describe_services=denied("ClusterNotFoundException")), REQUEST)
        assert "unread" in facts["services"]["app-api"]
        assert facts["definitions"]["app-api"]["family"] == "app-api-template"

    @pytest.mark.parametrize("failed", [denied("ExpiredTokenException"), denied("InvalidClientTokenId"), Unanswered("nothing answers")], ids=str)
    def test_credentials_that_do_not_work_are_one_error(self, failed):
        with pytest.raises(CallFailed):
            preflight_read.gather(self.aws(describe_db_instances=failed), REQUEST)

    def test_ten_services_a_call_and_ten_parameters(self):
        names = [f"app-{number}" for number in range(12)]

        def services(cluster, services):
            return {"services": [{**SERVICE, "serviceName": name, "loadBalancers": []} for name in services]}

        aws = self.aws(describe_services=services)
        facts = preflight_read.gather(aws, {**REQUEST, "services": [{"name": name} for name in names]})
        assert sorted(facts["definitions"]) == sorted(names)
        assert [len(call["services"]) for call in aws.made("describe_services")] in ([10, 2], [2, 10])

    def test_what_several_checks_want_is_read_once(self):
        record = io.BytesIO(b"{}")
        records = {"bucket": "state", "journal_key": "power.json", "destroy_key": "destroy.json"}
        aws = self.aws(get_object=lambda Bucket, Key: {"Body": io.BytesIO(record.getvalue()), "ETag": "e"})
        request = {**REQUEST, "gates_bucket": "state", "gates_key": "gates.json", "journal_key": "power.json", "destroy_record_key": "destroy.json"}
        preflight_read.gather(aws, {**request, "records": records})
        assert sorted(call["Key"] for call in aws.made("get_object")) == ["destroy.json", "gates.json", "power.json"]

    def test_before_a_build_only_what_changes_from_day_to_day_is_asked_for(self):
        aws = self.aws(get_parameters={"Parameters": [{"Name": "/app/TOKEN", "Value": SECRET_VALUE}]})
        request = {**REQUEST, "checks": preflight_read.STATE}
        found = preflight.preflight(aws, request)["findings"]
        assert {name for name, _arguments in aws.calls} <= {
            *("describe_services", "describe_task_definition", "get_parameters", "describe_db_instances", "describe_cache_clusters", "get_item", "get_object")
        }
        assert {"service", "template", "secret", "strategy", "database"} <= {finding["check"] for finding in found}
        assert not {"image", "role", "access", "log_group", "target_group", "way_out"} & {finding["check"] for finding in found}

    def test_log_groups_with_the_environments_name_are_found_by_one_list(self):
        groups = ["/ecs/app-prod-api", "/ecs/app-prod-workers", "/other/app-prod", "/shared"]
        assert preflight_read._listed_together(groups, "app-prod") == [groups[:2], groups[2:3], groups[3:]]
        listed = []

        class Logs(Aws):
            def pages(self, service, operation, doing, key, /, **arguments):
                listed.append(arguments["logGroupNamePrefix"])
                return [{"logGroupName": "/ecs/app-prod-api"}, {"logGroupName": "/ecs/app-prod-api-2"}]

        assert sources.log_groups(Logs(), groups[:2]) == {groups[0]: True, groups[1]: False}
        assert listed == ["/ecs/app-prod-"]
