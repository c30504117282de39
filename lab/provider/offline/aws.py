"""What stands behind the rows of the aws provider: boto3 clients, and the steps of create, read, update and delete."""

from __future__ import annotations

import functools
import os
import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from .failure import Failure
from .row import Call, Row, Update
from .shapes import Unsupported, from_aws, member, shape_at, to_aws
from .tagging import TAGGING, to_list
from .validate import Problem
from .values import Unknown, is_empty, known_only, same

Values = dict[str, Any]

SUPPORTED = {"region", "default_tags", "access_key", "secret_key", "token", "profile", "allowed_account_ids", "forbidden_account_ids"}
# They only change how the real provider starts, or what it would check in the real AWS.
HARMLESS = {"max_retries", "retry_mode", "s3_use_path_style", "skip_credentials_validation", "skip_metadata_api_check",
            "skip_region_validation", "skip_requesting_account_id", "sts_region", "user_agent", "insecure"}  # fmt: skip
EMPTY = {"string": "", "list": [], "boolean": False, "integer": 0}
GONE = re.compile(r"NotFound|NoSuch|NotExist|NonExistent|Unavailable\.Gone")
BUSY = re.compile(r"DependencyViolation|InUse|DeleteConflict|InvalidState|OperationAborted")
BUSY_SECONDS, POLL_SECONDS = 20, 0.2
# ElastiCache reads and writes no tags of what is not available; the real provider tries for a quarter of an hour.
UNTAGGABLE, TAG_SECONDS = "not in available state", 900
TIMEOUTS = {"create": 1800, "update": 1800, "delete": 1800}


@functools.cache
def models() -> Any:
    """botocore's descriptions of the services, which take longest: read once by whoever forks."""
    from botocore.loaders import create_loader

    return create_loader()


def new_session(**credentials: str | None) -> Any:
    import boto3  # 0.3 s that `terraform validate` does not need
    import botocore.session

    session = botocore.session.Session()
    session.register_component("data_loader", models())
    return boto3.Session(botocore_session=session, **credentials)


class Aws:
    def __init__(self) -> None:
        self.region = ""
        self.default_tags: dict[str, str] = {}
        self._settings: Values = {}
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    # -- the provider block ----------------------------------------------------------------------------------------------------

    def validate(self, config: Values) -> list[Problem]:
        foreign = [name for name, value in config.items() if not is_empty(value) and name not in SUPPORTED | HARMLESS]
        return [([name], "Not supported by the offline provider", f'The lab\'s test double of hashicorp/aws knows no "{name}".') for name in foreign]

    def configure(self, config: Values) -> None:
        if not os.environ.get("AWS_ENDPOINT_URL"):
            raise Failure(
                "The offline provider works with a local endpoint only",
                "This is the lab's test double of hashicorp/aws, and AWS_ENDPOINT_URL is not set: it never calls the real AWS. "
                "Set AWS_ENDPOINT_URL to the lab's address, or unset TF_CLI_CONFIG_FILE to use the real provider.",
            )
        self.region = config.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        if not self.region:
            raise Failure("Invalid provider configuration", "No region: set it in the provider block or in AWS_REGION.")
        tags = config.get("default_tags") or [{}]
        self.default_tags = {key: value for key, value in (tags[0].get("tags") or {}).items() if value is not Unknown}
        self._settings = {name: config.get(name) for name in ("access_key", "secret_key", "token", "profile")}
        allowed, forbidden = config.get("allowed_account_ids"), config.get("forbidden_account_ids")
        if (allowed and self.account not in allowed) or (forbidden and self.account in forbidden):
            raise Failure("AWS account ID not allowed", f"The credentials belong to account {self.account}.")

    # -- calls -----------------------------------------------------------------------------------------------------------------

    def client(self, service: str, region: str) -> Any:
        # Making a session or a client is neither quick nor safe in several threads at once.
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._make_client(service, region)
            return self._clients[service, region]

    def warm(self, services: list[str]) -> None:
        session = new_session(aws_access_key_id="none", aws_secret_access_key="none")
        for service in services:
            session.client(service, region_name="us-east-1")

    def _make_client(self, service: str, region: str) -> Any:
        from botocore.config import Config

        if self._session is None:
            given = self._settings
            self._session = new_session(
                aws_access_key_id=given["access_key"], aws_secret_access_key=given["secret_key"],
                aws_session_token=given["token"], profile_name=given["profile"],
            )  # fmt: skip
        style = Config(s3={"addressing_style": "path"}, max_pool_connections=20, retries={"mode": "standard"})
        return self._session.client(service, region_name=region, config=style)

    @functools.cached_property
    def account(self) -> str:
        return Context(self, "provider", "sts", self.region).call("get_caller_identity")["Account"]

    def context(self, row: Row, values: Values) -> Context:
        region = values.get("region")
        return Context(self, row.type, row.service, region if isinstance(region, str) and region else self.region)

    # -- the steps -------------------------------------------------------------------------------------------------------------

    def unsupported(self, row: Row, config: Values) -> list[str]:
        """Arguments that the configuration sets and no operation of the row would send: refusing beats pretending."""
        given = {name for name, value in config.items() if not is_empty(value)}
        known = {"region", "timeouts", "name_prefix", *(("tags", "tags_all") if row.tags else ()), *row.local.split()}
        calls = (row.create, *((row.create_from[1],) if row.create_from else ()), *row.updates)
        foreign = given - known - {name for call in calls for name in call.names}
        for call in calls:
            for name in given & row.block.blocks.keys() & set(call.names) if call.operation else ():
                try:
                    self.arguments(self.context(row, config), row, Call(call.operation), known_only(config), [name], [])
                except Unsupported as inner:
                    foreign.add(f"{name}.{inner}")
        return sorted(foreign)

    def arguments(self, ctx: Context, row: Row, call: Call, values: Values, names: list[str], gone: list[str]) -> dict:
        """What is `gone` from the configuration is sent as the type's empty value, everything else that is not set is left out."""
        shape, sent = ctx.shape(call.operation).input_shape, {}
        for name in names:
            value, key = values.get(name), member(shape, name, row.aliases)
            if key and not (value is None or value == [] or value == ""):
                sent[key] = None if name in row.by_hand.split() else to_aws(value, shape.members[key], row.aliases)
            elif key and name in gone and shape.members[key].type_name in EMPTY:
                sent[key] = EMPTY[shape.members[key].type_name]
        sent.update(call.args(values))
        if call.adjust:
            call.adjust(values, sent)
        return sent

    def create(self, row: Row, planned: Values, known: Values) -> Values:
        values = known_only(planned)
        values.update(generated_name(row, values))
        ctx = self.context(row, values)
        create = row.creation(values)
        sent = self.arguments(ctx, row, create, values, create.names, [])
        if row.tags and values.get("tags_all"):
            add_tags(ctx, create, row, sent, values["tags_all"])
        known.update({name: values[name] for name in ("name", "identifier") if values.get(name)})
        known.update(row.made(values, ctx.call(create.operation, **sent)))
        values.update(known)
        if create is not row.create and row.create_from:
            row.create_from[2](ctx, values)
        for update in row.updates:
            if update.after_create:
                values.update(self._run(ctx, row, update, None, values, self._worth_setting(row, update, values)))
                known["id"] = values["id"]
        return {**values_found(values), **self._settled(ctx, row, values, "create", wait_for=row.settle)}

    def _worth_setting(self, row: Row, update: Update, values: Values) -> list[str]:
        """A new resource needs no second call for what is not set, or off by default."""
        names = []
        for name in update.names:
            default = row.block.attrs[name].default if name in row.block.attrs else None
            if values.get(name) is not None and not (is_empty(values[name]) and is_empty(default)):
                names.append(name)
        return names

    def update(self, row: Row, prior: Values, planned: Values, changed: list[str]) -> Values:
        values: Values = {name: prior.get(name) if value is Unknown else known_only(value) for name, value in planned.items()}
        ctx = self.context(row, values)
        touched = False
        for update in row.updates:
            names = [name for name in update.names if name in changed]
            if names:
                values.update(self._run(ctx, row, update, prior, values, names))
                touched = True
        if row.tags and "tags_all" in changed:
            when_taggable(lambda: TAGGING[row.tagging or row.service].write(ctx, values, prior.get("tags_all") or {}, values["tags_all"]))
        # Tags wait for nothing: those of a stopped database can be changed.
        return {**values_found(values), **self._settled(ctx, row, values, "update", wait_for=row.settle if touched else None)}

    def _run(self, ctx: Context, row: Row, update: Update, prior: Values | None, values: Values, names: list[str]) -> Values:
        if update.run:
            return update.run(ctx, prior, values) or {} if names or update.always else {}
        if not names:
            return {}
        whole = names if update.changed_only else update.names
        for group in [[name] for name in names] if update.one_by_one else [whole]:
            ctx.call(update.operation, **self.arguments(ctx, row, update, values, group, names if prior else []))
        return {}

    def _settled(self, ctx: Context, row: Row, values: Values, phase: str, wait_for: Callable[[dict], bool] | None) -> Values:
        def look() -> Values | None:
            answer = self._answer(ctx, row, values)
            if answer is None:
                raise Failure(f"{row.type}: {values['id']} is gone", f"It could not be read right after its {phase}.")
            return self._found(ctx, row, answer, values) if wait_for is None or wait_for(answer) else None

        return wait(look, values, phase, f"{row.type}: {values['id']} did not become ready")

    def _answer(self, ctx: Context, row: Row, values: Values) -> Values | None:
        import jmespath

        try:
            response = ctx.call(row.read.operation, **row.read.args(values))
        except Missing:
            return None
        answer = jmespath.search(row.at_path(values), response) if row.at else response
        return None if not answer or row.is_gone(answer) else answer

    def _found(self, ctx: Context, row: Row, answer: Values, values: Values) -> Values:
        shape = shape_at(ctx.shape(row.read.operation).output_shape, row.at_path(values))
        found = from_aws(row.block, answer, shape, row.aliases)
        for name in (*row.unread.split(), "id", "tags", "tags_all"):
            found.pop(name, None)
        found.update(row.got(answer, values, ctx) if row.got else {})
        if row.tags:
            found.update(self._tags(when_taggable(lambda: TAGGING[row.tagging or row.service].read(ctx, answer, {**values, **found})), values))
        return found

    def _tags(self, tags: dict[str, str], values: Values) -> Values:
        own = values.get("tags") or {}
        tags = {key: value for key, value in tags.items() if not key.startswith("aws:")}
        shown = {key: value for key, value in tags.items() if key in own or self.default_tags.get(key) != value}
        return {"tags": own if same(own, shown, ["map", "string"]) and values.get("tags") is not None else shown or None, "tags_all": tags}

    def read(self, row: Row, state: Values) -> Values | None:
        ctx = self.context(row, state)
        answer = self._answer(ctx, row, state)
        if answer is None:
            return None
        try:
            return self._found(ctx, row, answer, state)
        except Missing:
            # It went while its tags, or something else of it, were waited for.
            if self._answer(ctx, row, state) is None:
                return None
            raise

    def delete(self, row: Row, state: Values) -> None:
        ctx = self.context(row, state)
        if row.keep and row.keep(state):
            return
        began = time.monotonic()
        while True:
            try:
                if row.before_delete:
                    row.before_delete(ctx, state)
                ctx.call(row.delete.operation, **row.delete.args(state))
                break
            except Missing:
                break
            except Failure as failure:
                # What depends on it may still be on its way out, as the real provider also expects.
                limit = row.busy[1] if failure.code == row.busy[0] else BUSY_SECONDS if BUSY.search(failure.code) else 0
                if time.monotonic() >= began + limit:
                    raise
                time.sleep(POLL_SECONDS)
        wait(lambda: self._answer(ctx, row, state) is None or None, state, "delete", f"{row.type}: {state['id']} was not deleted")

    def import_state(self, row: Row, identifier: str) -> Values:
        return row.imports(identifier, self.context(row, {}))


class Missing(Failure):
    """AWS does not know the resource (any more)."""


class Context:
    """AWS as one row sees it: its own service, in its own region, with errors that name what was being done."""

    def __init__(self, aws: Aws, type_name: str, service: str, region: str) -> None:
        self.aws, self.type, self.service, self.region = aws, type_name, service, region

    def shape(self, operation: str) -> Any:
        meta = self.aws.client(self.service, self.region).meta
        return meta.service_model.operation_model(meta.method_to_api_mapping[operation])

    def call(self, operation: str, **arguments: Any) -> Values:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            client = self.aws.client(self.service, self.region)
            return getattr(client, operation)(**arguments)
        except ClientError as error:
            code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
            kind = Missing if GONE.search(code) else Failure
            raise kind(f"{self.type}: {error.operation_name} failed", f"{code}: {message}", code) from None
        except BotoCoreError as error:
            raise Failure(f"{self.type}: {operation} failed", str(error)) from None

    def arn(self, service: str, resource: str) -> str:
        partition = "aws-cn" if self.region.startswith("cn-") else "aws-us-gov" if self.region.startswith("us-gov-") else "aws"
        return f"arn:{partition}:{service}:{self.region}:{self.aws.account}:{resource}"


def wait(look: Callable[[], Any], values: Values, phase: str, complaint: str) -> Any:
    limit = seconds((values.get("timeouts") or {}).get(phase)) or TIMEOUTS[phase]
    deadline, pause = time.monotonic() + limit, POLL_SECONDS
    while (result := look()) is None:
        if time.monotonic() > deadline:
            raise Failure(complaint, f"Waited {limit} s.")
        time.sleep(pause)
        pause = min(pause * 1.5, 2)
    return result


def when_taggable(act: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + TAG_SECONDS
    while True:
        try:
            return act()
        except Failure as failure:
            if UNTAGGABLE not in failure.detail or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def seconds(text: str | None) -> int:
    """Go's notation of a duration: 1h30m, 90s."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", text or ""))


def values_found(values: Values) -> Values:
    return {name: value for name, value in values.items() if value is not None}


def generated_name(row: Row, values: Values) -> Values:
    """As the real provider makes them: the prefix, the time, a counter."""
    for name in ("name", "identifier"):
        prefix = f"{name}_prefix"
        if prefix in row.block.attrs and not values.get(name):
            stem = values.get(prefix) or ("tf-" if row.name_max else "terraform-")
            return {name: (stem + time.strftime("%Y%m%d%H%M%S") + uuid.uuid4().hex[:12])[: row.name_max or 255]}
    return {}


def add_tags(ctx: Context, create: Call, row: Row, sent: dict, tags: dict[str, str]) -> None:
    shape = ctx.shape(create.operation).input_shape
    if row.service == "ec2":
        sent["TagSpecifications"] = [{"ResourceType": row.tags, "Tags": to_list(tags)}]
        return
    key = "Tags" if "Tags" in shape.members else "tags"
    kind = shape.members[key]
    sent[key] = dict(tags) if kind.type_name == "map" else to_list(tags, *kind.member.members)
