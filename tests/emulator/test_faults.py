"""Which requests meet a fault, and what they are answered."""

import json

import pytest
from botocore import parsers
from extension.faults import fault_rules, operations
from extension.faults.fault_rules import Book, Fault
from extension.faults.operations import Call

SIGNED = "AWS4-HMAC-SHA256 Credential=000000000042/20250101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=x"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def read(service, method="POST", path="/", query="", body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return operations.read_call(method, path, query, {"authorization": SIGNED.format(service), **named}, body)


class TestOperations:
    def test_json_services_name_it_in_a_header(self):
        call = read("ecs", x_amz_target="AmazonEC2ContainerServiceV20141113.UpdateService")
        assert (call.name, call.protocol) == ("ecs:UpdateService", "json")

    def test_query_services_in_the_form_under_boto3s_name(self):
        call = read("elasticloadbalancing", body=b"Action=DescribeTargetHealth&Version=2015-12-01", content_type=FORM["content-type"])
        assert (call.name, call.protocol) == ("elbv2:DescribeTargetHealth", "query")

    def test_ec2_has_a_protocol_of_its_own(self):
        assert read("ec2", body=b"Action=DescribeVpcs", content_type=FORM["content-type"]).protocol == "ec2"

    @pytest.mark.parametrize(
        ("method", "path", "query", "headers", "name"),
        [
            ("GET", "/", "", {}, "ListBuckets"),
            ("PUT", "/bucket", "", {}, "CreateBucket"),
            ("PUT", "/bucket/", "versioning", {}, "PutBucketVersioning"),
            ("GET", "/bucket", "list-type=2&prefix=a%2F", {}, "ListObjectsV2"),
            ("GET", "/bucket", "", {}, "ListObjects"),
            ("GET", "/bucket/a/b.json", "", {}, "GetObject"),
            ("HEAD", "/bucket/a/b.json", "", {}, "HeadObject"),
            ("PUT", "/bucket/a/b.json", "x-id=PutObject", {}, "PutObject"),
            ("PUT", "/bucket/a/b.json", "", {"x_amz_copy_source": "/other/key"}, "CopyObject"),
            ("PUT", "/bucket/a/b.json", "partNumber=1&uploadId=x", {}, "UploadPart"),
            ("DELETE", "/bucket/a/b.json", "", {}, "DeleteObject"),
        ],
    )
    def test_s3s_follow_from_the_request(self, method, path, query, headers, name):
        assert read("s3", method, path, query, **headers).name == f"s3:{name}"

    def test_a_presigned_address_is_understood(self):
        query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=42%2F20250101%2Fus-east-1%2Fs3%2Faws4_request"
        assert operations.read_call("GET", "/bucket/key", query, {}, b"").name == "s3:GetObject"

    def test_a_rest_call_that_nobody_knows_has_its_method_and_path(self):
        assert read("nosuchservice", "GET", "/a").name == "nosuchservice:GET /a"

    def test_what_is_not_signed_is_not_awss(self):
        assert operations.read_call("GET", "/health", "", {}, b"") is None


def pattern(fault, count, name="ecs:X", body=""):
    """Which of `count` requests meet the fault, as a string of x and dots."""
    return "".join("x" if fault.meets(name, body) else "." for _ in range(count))


class TestMeeting:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, "xxxxxx"),
            ({"times": 2}, "xx...."),
            ({"skip": 2}, "..xxxx"),
            ({"skip": 2, "times": 1}, "..x..."),
            ({"every": 3}, "..x..x"),
            ({"every": 3, "row": 2}, ".xx.xx"),
            ({"every": 3, "times": 1}, "..x..."),
        ],
    )
    def test_it_counts(self, options, expected):
        assert pattern(Fault("ecs:*", "drop", **options), 6) == expected

    def test_the_operation_must_be_the_one(self):
        assert Fault("ecs:UpdateService", "drop").meets("ecs:UpdateService", "")
        assert not Fault("ecs:UpdateService", "drop").meets("ecs:UpdateServicePrimaryTaskSet", "")
        assert not Fault("ecs:*", "drop").meets("ecr:DescribeImages", "")
        assert Fault("*", "drop").meets("s3:GetObject", "")

    def test_the_body_must_match_and_others_are_not_counted(self):
        fault = Fault("ecs:*", "drop", times=1, match="atena-.*-api")
        assert not fault.meets("ecs:UpdateService", '{"service": "atena-prod-workers"}')
        assert fault.meets("ecs:UpdateService", '{"service": "atena-prod-api"}')

    def test_each_operation_can_have_its_own_count(self):
        fault = Fault("ecs:*", "drop", times=1, each_operation=True)
        assert [fault.meets(name, "") for name in ("ecs:A", "ecs:A", "ecs:B", "ecs:B")] == [True, False, True, False]
        assert fault.as_dict()["hits"] == 2

    def test_without_it_they_share_one(self):
        fault = Fault("ecs:*", "drop", times=1)
        assert [fault.meets(name, "") for name in ("ecs:A", "ecs:B")] == [True, False]

    def test_delays_add_up_and_the_first_of_the_rest_decides(self):
        book = Book()
        book.add(Fault("ecs:*", "delay", seconds=1))
        throttle = book.add(Fault("ecs:*", "throttle", seconds=0.5, times=1))
        drop = book.add(Fault("ecs:*", "drop"))
        assert book.decide("ecs:A", "") == (1.5, throttle)
        assert book.decide("ecs:A", "") == (1, drop)
        assert book.decide("ssm:A", "") == (0, None)

    def test_one_or_all_are_forgotten(self):
        book = Book()
        first, second = book.add(Fault("*", "drop")), book.add(Fault("*", "drop"))
        assert book.remove(first.id) == 1
        assert book.faults == [second]
        assert book.remove("none") == 0
        assert book.remove() == 1
        assert not book


class TestWishes:
    def test_what_is_not_said_has_its_default(self):
        fault = fault_rules.parse({"operation": "ecs:*", "kind": "throttle"})
        assert (fault.times, fault.every, fault.carried_out) == (None, 1, False)
        assert fault_rules.parse({"operation": "ecs:*", "kind": "rewrite", "patch": {}}).carried_out is True

    @pytest.mark.parametrize(
        "wish",
        [
            None,
            [],
            {"kind": "drop"},
            {"operation": "ecs:*", "kind": "explode"},
            {"operation": "ecs", "kind": "drop"},
            {"operation": "ecs:*", "kind": "drop", "id": "mine"},
            {"operation": "ecs:*", "kind": "delay"},
            {"operation": "ecs:*", "kind": "rewrite"},
            {"operation": "ecs:*", "kind": "drop", "every": 2, "row": 3},
            {"operation": "ecs:*", "kind": "drop", "match": "("},
        ],
    )
    def test_nonsense_is_refused(self, wish):
        with pytest.raises(ValueError):
            fault_rules.parse(wish)


# botocore's own parser for each protocol, as its client would read the answer.
PARSERS = {"json": "json", "query": "query", "ec2": "ec2", "rest-xml": "rest-xml", "rest-json": "rest-json"}


class TestAnswers:
    def seen(self, fault, call):
        status, headers, body = fault_rules.failure(fault, call)
        parsed = parsers.create_parser(PARSERS[call.protocol]).parse({"status_code": status, "headers": headers, "body": body}, None)
        return status, parsed["Error"]["Code"], parsed["Error"]["Message"]

    @pytest.mark.parametrize(
        ("call", "status", "code"),
        [
            (Call("ecs", "X", "json"), 400, "ThrottlingException"),
            (Call("elbv2", "X", "query"), 400, "Throttling"),
            (Call("ec2", "X", "ec2"), 503, "RequestLimitExceeded"),
            (Call("s3", "X", "rest-xml"), 503, "SlowDown"),
            (Call("route53", "X", "rest-xml"), 400, "Throttling"),
            (Call("scheduler", "X", "rest-json"), 429, "ThrottlingException"),
        ],
    )
    def test_throttling_is_in_the_services_words(self, call, status, code):
        assert self.seen(Fault("*", "throttle"), call)[:2] == (status, code)

    @pytest.mark.parametrize(
        ("call", "code"),
        [(Call("ecs", "X", "json"), "ServerException"), (Call("rds", "X", "query"), "InternalFailure"), (Call("s3", "X", "rest-xml"), "InternalError")],
    )
    def test_an_error_without_a_code_is_the_servers_own(self, call, code):
        assert self.seen(Fault("*", "error"), call)[:2] == (500, code)

    @pytest.mark.parametrize("protocol", PARSERS)
    def test_an_error_with_a_code_is_the_callers_fault_unless_told(self, protocol):
        fault = Fault("*", "error", code="AccessDenied", message="<you> & others may not")
        assert self.seen(fault, Call("x", "X", protocol)) == (400, "AccessDenied", "<you> & others may not")
        assert self.seen(Fault("*", "error", code="AccessDenied", status=403), Call("x", "X", protocol))[0] == 403

    @pytest.mark.parametrize(
        ("patch", "expected"),
        [
            ({"a": 2}, {"a": 2, "b": {"c": [1], "d": 1}}),
            ({"b": {"c": None}}, {"a": 1, "b": {"d": 1}}),
            ({"b": {"c": [], "e": {"f": None, "g": 1}}}, {"a": 1, "b": {"c": [], "d": 1, "e": {"g": 1}}}),
            ([1], [1]),
        ],
    )
    def test_merge_patches_are_those_of_rfc_7396(self, patch, expected):
        assert fault_rules.merge_patch({"a": 1, "b": {"c": [1], "d": 1}}, patch) == expected

    def test_a_text_is_replaced_after_the_patch_and_bytes_survive(self):
        fault = Fault("*", "rewrite", patch={"state": "old"}, replace={"o(l)d": r"go\1d"})
        assert json.loads(fault_rules.rewritten(fault, b"{}")) == {"state": "gold"}
        assert fault_rules.rewritten(Fault("*", "rewrite", patch={}), b"\xff<xml/>") == b"\xff<xml/>"
