"""Data sources of the aws provider."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .. import schema
from ..aws import Aws, Context, Missing

Values = dict[str, Any]

# The real provider too reads the body of nothing that might be binary.
TEXTS = ("text/", "application/json", "application/xml", "application/javascript", "application/x-sh", "application/x-sql", "application/yaml")


@dataclass
class DataSource:
    type: str
    service: str
    find: Callable[[Context, Values], Values]
    computed: str = ""

    @cached_property
    def block(self) -> schema.Block:
        return schema.build(schema.source("aws")["data"][self.type], schema.Marks(computed=frozenset([*self.computed.split(), "region"])))

    def read(self, aws: Aws, config: Values) -> Values:
        region = config.get("region") or aws.region
        found = self.find(Context(aws, f"data.{self.type}", self.service, region), config)
        return {**({"region": region} if "region" in self.block.attrs else {}), **found}


def caller(ctx: Context, config: Values) -> Values:
    answer = ctx.call("get_caller_identity")
    return {"id": answer["Account"], "account_id": answer["Account"], "arn": answer["Arn"], "user_id": answer["UserId"]}


def partition(ctx: Context, config: Values) -> Values:
    name = ctx.arn("", "").split(":")[1]
    suffix = "amazonaws.com.cn" if name == "aws-cn" else "amazonaws.com"
    return {"id": name, "partition": name, "dns_suffix": suffix, "reverse_dns_prefix": ".".join(reversed(suffix.split(".")))}


def region(ctx: Context, config: Values) -> Values:
    name = config.get("name") or ctx.region
    return {"id": name, "name": name, "region": name, "endpoint": f"ec2.{name}.amazonaws.com", "description": name}


def s3_object(ctx: Context, config: Values) -> Values:
    optional = {"VersionId": config.get("version_id"), "Range": config.get("range")}
    answer = ctx.call("get_object", Bucket=config["bucket"], Key=config["key"], **{key: value for key, value in optional.items() if value})
    kind, body = answer.get("ContentType") or "", answer["Body"].read()
    wanted = str(config.get("download_body") or "").lower()
    readable = wanted != "false" and kind.startswith(TEXTS)
    return {
        "id": f"{config['bucket']}/{config['key']}",
        "arn": f"arn:{ctx.arn('', '').split(':')[1]}:s3:::{config['bucket']}/{config['key']}",
        "body": body.decode() if readable else None,
        "body_base64": base64.b64encode(body).decode() if wanted == "true" else None,
        "content_type": kind,
        "content_length": answer.get("ContentLength"),
        "etag": (answer.get("ETag") or "").strip('"'),
        "last_modified": answer["LastModified"].strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "metadata": answer.get("Metadata") or {},
        "server_side_encryption": answer.get("ServerSideEncryption"),
        "storage_class": answer.get("StorageClass") or "STANDARD",
        "version_id": answer.get("VersionId"),
    }


def oidc_provider(ctx: Context, config: Values) -> Values:
    """By ARN, or by URL among all there are."""
    arn, url = config.get("arn"), (config.get("url") or "").removeprefix("https://")
    if not arn:
        listed = ctx.call("list_open_id_connect_providers")["OpenIDConnectProviderList"]
        arn = next((one["Arn"] for one in listed if one["Arn"].partition("oidc-provider/")[2] == url), None)
    if not arn:
        raise Missing("reading IAM OIDC Provider", f"no provider with the URL {url}")
    answer = ctx.call("get_open_id_connect_provider", OpenIDConnectProviderArn=arn)
    return {
        "id": arn,
        "arn": arn,
        "url": answer["Url"],
        "client_id_list": answer.get("ClientIDList") or [],
        "thumbprint_list": answer.get("ThumbprintList") or [],
        "tags": {tag["Key"]: tag["Value"] for tag in answer.get("Tags") or []},
    }


def databases(ctx: Context, config: Values) -> Values:
    """Where there is none the list is empty, which is no error: dataSourceInstancesRead in internal/service/rds/instances_data_source.go."""
    filters = [{"Name": one["name"], "Values": sorted(one["values"])} for one in config.get("filter") or []]
    found = ctx.call("describe_db_instances", Filters=filters)["DBInstances"]
    return {
        "id": ctx.region,
        "instance_arns": [one["DBInstanceArn"] for one in found],
        "instance_identifiers": [one["DBInstanceIdentifier"] for one in found],
    }


# What aws_db_instance tells of an instance under AWS's own name for it, and that infra/ reads. The rest of it stays null.
DATABASE = {
    "db_instance_arn": "DBInstanceArn",
    "db_name": "DBName",
    "engine": "Engine",
    "engine_version": "EngineVersion",
    "master_username": "MasterUsername",
    "resource_id": "DbiResourceId",
    "storage_encrypted": "StorageEncrypted",
}


def database(ctx: Context, config: Values) -> Values:
    name = config["db_instance_identifier"]
    found = ctx.call("describe_db_instances", DBInstanceIdentifier=name)["DBInstances"][0]
    return {"id": name, "db_instance_identifier": name, **{attribute: found.get(key) for attribute, key in DATABASE.items()}}


SOURCES = [
    DataSource("aws_caller_identity", "sts", caller),
    DataSource("aws_partition", "sts", partition),
    DataSource("aws_region", "sts", region, computed="endpoint name"),
    DataSource("aws_db_instances", "rds", databases, computed="tags"),
    DataSource("aws_db_instance", "rds", database, computed="db_instance_identifier tags"),
    DataSource("aws_s3_object", "s3", s3_object, computed="tags version_id"),
    DataSource("aws_iam_openid_connect_provider", "iam", oidc_provider, computed="arn url tags"),
]
