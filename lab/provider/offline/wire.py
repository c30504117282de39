"""Between our schema and values and Terraform's plugin protocol (the only modules that need `tf` are this one and the server)."""

from __future__ import annotations

import json
from typing import Any

import msgpack
from tf.gen import tfplugin_pb2 as pb

from .schema import Attr, Block, Nested
from .validate import Problem
from .values import Unknown

_UNKNOWN = msgpack.ExtType(0, b"\x00")


def decode(value: pb.DynamicValue) -> Any:
    if value.json:
        return json.loads(value.json)
    # Any extension is some kind of unknown: with refinements (code 12) it only says more about it.
    return msgpack.unpackb(value.msgpack, ext_hook=lambda code, data: Unknown, strict_map_key=False) if value.msgpack else None


def encode(value: Any) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=msgpack.packb(value, default=lambda item: _UNKNOWN if item is Unknown else item))


def attribute(attr: Attr) -> pb.Schema.Attribute:
    return pb.Schema.Attribute(
        name=attr.name,
        type=json.dumps(attr.type).encode(),
        required=attr.required,
        optional=not attr.required and attr.settable,
        computed=attr.computed,
        sensitive=attr.sensitive,
    )


def block(item: Block) -> pb.Schema.Block:
    return pb.Schema.Block(
        attributes=[attribute(attr) for attr in item.attrs.values()],
        block_types=[nested_block(nested) for nested in item.blocks.values()],
    )


def nested_block(nested: Nested) -> pb.Schema.NestedBlock:
    single = nested.nesting == "single"
    return pb.Schema.NestedBlock(
        type_name=nested.name,
        block=block(nested.block),
        nesting=nested.nesting.upper(),
        min_items=int(nested.required and not single),
        max_items=0 if single else nested.max,
    )


def schema(item: Block) -> pb.Schema:
    return pb.Schema(version=0, block=block(item))


def diagnostics(problems: list[Problem]) -> list[pb.Diagnostic]:
    return [error(summary, detail, path) for path, summary, detail in problems]


def error(summary: str, detail: str = "", path: list | None = None) -> pb.Diagnostic:
    return pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=summary, detail=detail, attribute=attribute_path(path) if path else None)


def attribute_path(path: list) -> pb.AttributePath:
    """Names as text, list positions as a one-element tuple."""
    steps = []
    for step in path:
        if isinstance(step, tuple):
            steps.append(pb.AttributePath.Step(element_key_int=step[0]))
        else:
            steps.append(pb.AttributePath.Step(attribute_name=step))
    return pb.AttributePath(steps=steps)
