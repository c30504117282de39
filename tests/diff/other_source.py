"""Statements of YAML and Terraform: assert and fail tasks, failed_when, and the conditions of variables and resources."""

from __future__ import annotations

import re

import yaml

from diff.statements import Statement, Unreadable

_ASSERT = ("ansible.builtin.assert", "ansible.legacy.assert", "assert", "atena.aws.verify")
_FAIL = ("ansible.builtin.fail", "ansible.legacy.fail", "fail")
_CONDITION = re.compile(r"^\s*(validation|precondition|postcondition|assert)\s*\{", re.MULTILINE)
_BLOCK = re.compile(r"^(?:variable|resource|data|output|check|locals|terraform|module)\b[^{\n]*", re.MULTILINE)


class _Loader(yaml.SafeLoader):
    """Mappings know their line. Tags such as !vault are no matter here."""

    def construct_mapping(self, node, deep=False):
        return {**super().construct_mapping(node, deep=True), "__line__": node.start_mark.line + 1}


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _Loader.construct_mapping)
_Loader.add_multi_constructor("!", lambda loader, suffix, node: node.value if isinstance(node, yaml.ScalarNode) else None)


def tasks(file: str, source: str) -> list[Statement]:
    try:
        documents = list(yaml.load_all(source, Loader=_Loader))  # a SafeLoader
    except yaml.YAMLError as error:
        raise Unreadable(f"it is no YAML: {' '.join(str(error).split())}") from error
    found: list[Statement] = []
    for document in documents:
        _look(document, file, (), found)
    return found


def _flat(value) -> str:
    return " ".join(str(value).split())


def _list(value) -> list[str]:
    return [] if value is None else [_flat(entry) for entry in value] if isinstance(value, list) else [_flat(value)]


def _look(node, file: str, when: tuple[str, ...], found: list[Statement]) -> None:
    """when: of the blocks around it."""
    if isinstance(node, list):
        for entry in node:
            _look(entry, file, when, found)
    if not isinstance(node, dict):
        return
    name, line, own = _flat(node.get("name", "")), node["__line__"], (*when, *_list(node.get("when")))
    under = f" when {' and '.join(own)}" if own else ""
    loop = next((f" for each of {_flat(value)}" for key, value in node.items() if str(key) == "loop" or str(key).startswith("with_")), "")

    def add(kind, text):
        found.append(Statement(kind, text + under + loop, file, line, name))

    for key, value in node.items():
        arguments = value if isinstance(value, dict) else {}
        if key in _ASSERT:
            for that in _list(arguments.get("that")):
                add("assert task", f"that {that}")
        elif key in _FAIL:
            add("fail task", "fail")
        elif key == "failed_when":
            for condition in _list(value):
                add("failed_when", f"failed_when {condition}")
        if key in _ASSERT + _FAIL:
            for message in ("fail_msg", "msg"):
                if message in arguments:
                    found.append(Statement("message", f"{message}: {_flat(arguments[message])}", file, line, name))
        _look(value, file, own if key in ("block", "rescue", "always") else (), found)


def conditions(file: str, source: str) -> list[Statement]:
    """Of Terraform, by its braces: there is no reader of it in the standard library."""
    found = []
    for match in _CONDITION.finditer(source):
        end, depth = match.end(), 1
        while depth and end < len(source):
            depth += {"{": 1, "}": -1}.get(source[end], 0)
            end += 1
        if depth:
            raise Unreadable(f"the block {match[1]} in line {source.count(chr(10), 0, match.start(1)) + 1} has no end")
        around = [block[0].strip() for block in _BLOCK.finditer(source, 0, match.start())]
        text = f"{match[1]} {_flat(source[match.end() : end - 1])}"
        found.append(Statement("terraform", text, file, source.count("\n", 0, match.start(1)) + 1, around[-1] if around else ""))
    return found
