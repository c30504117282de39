"""Which AWS operation a request asks for, as boto3 names it: `ecs:UpdateService`.

JSON services name it in a header, query services in the form; for REST services (S3) it follows from method, path, query and headers,
by botocore's own description of the service.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

SIGNED_FOR = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/([^/,]+)/")
PRESIGNED_FOR = re.compile(r"X-Amz-Credential=[^&]+?%2F[^&]+?%2F[^&]+?%2F([^&%]+)%2F", re.IGNORECASE)
# Where the name that a request is signed for is not the one that boto3's clients have.
CLIENT_NAMES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}


class Call(NamedTuple):
    service: str
    operation: str
    protocol: str  # json, query, ec2, rest-json or rest-xml

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"


class Route(NamedTuple):
    """How botocore's model of a REST service tells one operation from the others."""

    operation: str
    method: str
    path: re.Pattern[str]
    query: Mapping[str, str | None]  # None: any value
    headers: frozenset[str]

    @property
    def rank(self) -> tuple[int, int]:
        """The more a route asks for, the earlier it is asked."""
        return (len(self.query) + len(self.headers), len(self.path.pattern))

    def fits(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        return (
            self.method == method
            and bool(self.path.fullmatch(path))
            and all(name in query and value in (None, query[name]) for name, value in self.query.items())
            and all(name in headers for name in self.headers)
        )


def read_call(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Call | None:
    """The operation of a request, None if it is not one of AWS's. Header names in lower case."""
    match = SIGNED_FOR.search(headers.get("authorization", "")) or PRESIGNED_FOR.search(query)
    if match is None:
        return None
    service = CLIENT_NAMES.get(match[1], match[1])
    if "x-amz-target" in headers:
        return Call(service, headers["x-amz-target"].rpartition(".")[2], "json")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        parameters.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if "Action" in parameters:
        return Call(service, parameters["Action"], "ec2" if service == "ec2" else "query")
    known = routes(service)
    protocol = "rest-xml" if service in ("s3", "route53") else "rest-json"
    return Call(service, rest_operation(known, method, path, parameters, headers) or f"{method} {path}", protocol)


def rest_operation(known: Iterable[Route], method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
    """The operation of a REST request; `known` in the order of their rank."""
    if path.count("/") == 2 and path.endswith("/"):
        path = path[:-1]  # a bucket's own address, as some clients write it
    return next((route.operation for route in known if route.fits(method, path, query, headers)), None)


@functools.cache
def routes(service: str) -> tuple[Route, ...]:
    import botocore.exceptions
    import botocore.loaders

    try:
        model = botocore.loaders.Loader().load_service_model(service, "service-2")
    except botocore.exceptions.UnknownServiceError:
        return ()
    return routes_of(model)


def routes_of(model: Mapping[str, Any]) -> tuple[Route, ...]:
    found = [_route(name, operation, model["shapes"]) for name, operation in model["operations"].items()]
    return tuple(sorted(found, key=lambda route: route.rank, reverse=True))


def _route(name: str, operation: Mapping[str, Any], shapes: Mapping[str, Any]) -> Route:
    path, _, fixed = operation["http"]["requestUri"].partition("?")
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.sub(r"\\\{\w+\\\+\\\}", ".+", re.escape(path)))
    query: dict[str, str | None] = {key: value or None for key, value in parse_qsl(fixed, keep_blank_values=True) if key != "x-id"}
    headers = set()
    shape = shapes.get(operation.get("input", {}).get("shape", ""), {})
    for member in shape.get("required", []):
        place = shape["members"][member]
        if place.get("location") == "querystring":
            query[place["locationName"]] = None
        elif place.get("location") == "header":
            headers.add(place["locationName"].lower())
    return Route(name, operation["http"]["method"], re.compile(pattern), query, frozenset(headers))
