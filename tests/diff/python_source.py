"""Statements of Python: assertions and their cases, tests, expected refusals, skips, raise and fail_json."""

from __future__ import annotations

import ast

from diff.statements import Statement, Unreadable

_SKIPS = ("skip", "skipif", "xfail", "soak", "importorskip")


def statements(file: str, source: str) -> list[Statement]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise Unreadable(f"it is no Python: {error}") from error
    reader = _Reader(file, tree)
    reader.visit(tree)
    return reader.found


def _text(node: ast.AST) -> str:
    return " ".join(line.strip() for line in ast.unparse(node).splitlines())


def _name(call: ast.AST) -> str:
    """The last part of what is called or named: `fail_json` of `self.module.fail_json(...)`."""
    node = call.func if isinstance(call, ast.Call) else call
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _whole(node: ast.AST) -> str:
    """As it is written with its module: `pytest.raises`."""
    return ast.unparse(node.func if isinstance(node, ast.Call) else node)


class _Reader(ast.NodeVisitor):
    def __init__(self, file: str, tree: ast.Module):
        self.file, self.found = file, []
        self._in_tests = file.startswith("tests/")
        self._functions: list[str] = []
        # The innermost condition or loop: `if x: raise` is another statement under another condition.
        self._under = ""
        self._lists = {target.id: node.value for node in tree.body if isinstance(node, ast.Assign) for target in node.targets if isinstance(target, ast.Name)}

    def _add(self, kind: str, node: ast.AST, text: str, body: tuple[str, ...] = (), under: str = "") -> None:
        self.found.append(Statement(kind, under + text, self.file, getattr(node, "lineno", 1), ".".join(self._functions), body, under))

    # --- Where it stands ----------------------------------------------------------------------------------------------
    def _function(self, node) -> None:
        before, self._under = self._under, ""
        self._functions.append(node.name)
        if self._in_tests and node.name.startswith("test_"):
            parts = [*node.decorator_list, node.args, *node.body]
            self._add("test", node, f"def {node.name}", tuple(line.strip() for part in parts for line in ast.unparse(part).splitlines() if line.strip()))
        for decorator in node.decorator_list:
            self._decorator(decorator)
        for child in node.body:
            self.visit(child)
        self._functions.pop()
        self._under = before

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node):
        self._functions.append(node.name)
        for decorator in node.decorator_list:
            self._decorator(decorator)
        for child in node.body:
            self.visit(child)
        self._functions.pop()

    def _below(self, header: str, nodes) -> None:
        before, self._under = self._under, f"{header}: "
        for node in nodes:
            self.visit(node)
        self._under = before

    def visit_If(self, node):
        self.visit(node.test)
        self._below(f"if {_text(node.test)}", node.body)
        self._below(f"if not ({_text(node.test)})", node.orelse)

    def visit_While(self, node):
        self.visit(node.test)
        self._below(f"while {_text(node.test)}", node.body)
        self._below(f"after while {_text(node.test)}", node.orelse)

    def visit_For(self, node):
        self.visit(node.iter)
        header = f"for {_text(node.target)} in {_text(node.iter)}"
        self._below(header, node.body)
        self._below(f"after {header}", node.orelse)

    visit_AsyncFor = visit_For

    def visit_ExceptHandler(self, node):
        self._below(f"except {_text(node.type)}" if node.type else "except", node.body)

    def visit_Match(self, node):
        for case in node.cases:
            guard = f" if {_text(case.guard)}" if case.guard else ""
            self._below(f"match {_text(node.subject)}: case {_text(case.pattern)}{guard}", case.body)

    # --- What it says -------------------------------------------------------------------------------------------------
    def visit_Assert(self, node):
        # What is called within belongs to it.
        self._add("assertion", node, _text(node), under=self._under)

    def visit_Raise(self, node):
        # Fakes raise what they stand for; a test's own word is an AssertionError.
        if not self._in_tests or (node.exc and _name(node.exc) == "AssertionError"):
            self._add("raise", node, _text(node), under=self._under)
        self.generic_visit(node)

    def visit_With(self, node):
        refusals = [item for item in node.items if isinstance(item.context_expr, ast.Call) and _whole(item.context_expr) == "pytest.raises"]
        if refusals:
            # What is refused are the other items and the body.
            rest = [_text(item) for item in node.items if item not in refusals] + [_text(child) for child in node.body]
            for item in refusals:
                self._add("expected", item.context_expr, f"{_text(item.context_expr)}: {'; '.join(rest)}", under=self._under)
        for item in node.items:
            if item not in refusals:
                self.visit(item)
        for child in node.body:
            self.visit(child)

    visit_AsyncWith = visit_With

    def visit_Call(self, node):
        name, whole = _name(node), _whole(node)
        if whole == "pytest.raises" or (self._in_tests and name.startswith(("must_", "assert_"))):
            self._add("expected", node, _text(node), under=self._under)
        elif whole == "pytest.fail":
            self._add("assertion", node, _text(node), under=self._under)
        elif whole.startswith("pytest.") and name in _SKIPS:
            self._add("skip", node, _text(node), under=self._under)
        elif name.startswith("fail_json"):
            self._add("fail_json", node, _text(node), under=self._under)
        self.generic_visit(node)

    def visit_Assign(self, node):
        if any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets):
            for mark in node.value.elts if isinstance(node.value, (ast.List, ast.Tuple)) else [node.value]:
                self._decorator(mark)
        else:
            self.generic_visit(node)

    # --- What a test is marked with -----------------------------------------------------------------------------------
    def _decorator(self, node: ast.AST) -> None:
        whole = _whole(node)
        if not whole.startswith("pytest.mark."):
            self.visit(node)
        elif _name(node) == "parametrize" and isinstance(node, ast.Call) and len(node.args) > 1:
            names = ", ".join(str(name) for name in ast.literal_eval(node.args[0])) if isinstance(node.args[0], (ast.Tuple, ast.List)) else _text(node.args[0])
            for case in self._cases(node.args[1]):
                self._add("case", case, f"{names.strip(chr(39))} = {_text(case)}")
        elif _name(node) in _SKIPS:
            self._add("skip", node, f"@{_text(node)}")

    def _cases(self, node: ast.AST, seen: tuple[str, ...] = ()) -> list[ast.AST]:
        """One by one as far as they are written down: also in a list of the module, and in the sum of two."""
        if isinstance(node, ast.Starred):
            return self._cases(node.value, seen)
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return [case for entry in node.elts for case in (self._cases(entry, seen) if isinstance(entry, ast.Starred) else [entry])]
        if isinstance(node, ast.Dict):
            return [ast.copy_location(ast.Tuple([key, value], ast.Load()), key) for key, value in zip(node.keys, node.values, strict=True) if key]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._cases(node.left, seen) + self._cases(node.right, seen)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("items", "keys", "values") and not node.args:
            return self._cases(node.func.value, seen)
        if isinstance(node, ast.Name) and node.id in self._lists and node.id not in seen:
            return self._cases(self._lists[node.id], (*seen, node.id))
        return [node]
