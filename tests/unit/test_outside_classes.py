"""Our subclasses of others' classes take no private name of theirs: it is theirs in the next version, if not in this one.

`_handle` was free in threading.Thread until Python 3.13, and every live view ended there.
"""

import ast
import functools
import importlib
import inspect
import re
import sys
import textwrap
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
OURS = sorted(path for folder in ("plugins", "playbooks", "lab", "tests") for path in (CHECKOUT / folder).rglob("*.py") if not path.is_symlink())
# Private names that only some of the supported versions have, so that the test says the same on each of them.
IN_OTHER_VERSIONS = {
    "threading.Thread": {"_handle", "_os_thread_handle", "_context", "_tstate_lock", "_is_stopped", "_stop", "_set_os_name", "_after_fork"},
}
# What the base wants to be set or answered by its subclasses (Ansible's own plugins do).
MEANT_FOR_IT = {"_supports_check_mode", "_supports_async", "_requires_connection", "_VALID_ARGS"}
# What is replaced on purpose: how Ansible packs a module and how it starts it (plugin_utils/warm.py). tests/unit/test_warm.py holds both to the same results.
REPLACED = {"_execute_module", "_configure_module", "_is_pipelining_enabled", "_low_level_execute_command"}
# No class to be made from, but what generates one.
GENERATED = {"typing.NamedTuple", "typing.TypedDict"}
# Of the offline Terraform provider's own virtual environment.
ELSEWHERE = ("rpc.ProviderServicer", "runner._ShutdownInterceptor")


def _statements(node):
    """All statements below a node. Classes and imports are such, and walking through each expression too takes ten times as long."""
    for _, value in ast.iter_fields(node):
        for inner in value if isinstance(value, list) else ():
            if isinstance(inner, ast.stmt):
                yield inner
            if isinstance(inner, (ast.stmt, ast.ExceptHandler, ast.match_case)):
                yield from _statements(inner)


def _classes():
    """{path: {class name: (node, {name: where it is imported from})}}"""
    found = {}
    for path in OURS:
        text = path.read_text()
        if not re.search(r"^\s*class \w+[(\[]", text, re.MULTILINE):
            # No class of the file is made from another: their names are enough for those of other files that are made from them.
            found[path] = {name: (ast.parse(f"class {name}: pass").body[0], {}) for name in re.findall(r"^\s*class (\w+):", text, re.MULTILINE)}
            continue
        statements = list(_statements(ast.parse(text)))
        imported = {}
        for node in statements:
            if isinstance(node, ast.Import):
                imported.update({(name.asname or name.name.split(".")[0]): (name.name if name.asname else name.name.split(".")[0]) for name in node.names})
            elif isinstance(node, ast.ImportFrom):
                imported.update({(name.asname or name.name): f"{node.module or ''}.{name.name}" for name in node.names})
        found[path] = {node.name: (node, imported) for node in statements if isinstance(node, ast.ClassDef)}
    return found


CLASSES = _classes()


def _is_imported_as(path, module):
    """By the end of its name, as many a folder has a file of the same name."""
    own = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)
    return f".{own}".endswith(f".{module.removeprefix('ansible_collections.atena.aws.')}")


def _outside(path, name):
    """The dotted names of the outside classes that this class of ours is made from, however far up."""
    node, imported = CLASSES[path][name]
    for base in node.bases:
        dotted = ast.unparse(base.value if isinstance(base, ast.Subscript) else base)  # Generic[T] is Generic's
        if dotted in CLASSES[path]:
            if dotted != name:
                yield from _outside(path, dotted)
            continue
        first, _, rest = dotted.partition(".")
        whole = ".".join(part for part in (imported.get(first, f"builtins.{first}"), rest) if part)
        module, _, last = whole.rpartition(".")
        homes = [home for home in CLASSES if last in CLASSES[home] and _is_imported_as(home, module)]
        if homes and (module.startswith("ansible_collections.atena.") or module.partition(".")[0] not in {"ansible", *sys.stdlib_module_names}):
            yield from _outside(homes[0], last)
        elif whole not in GENERATED:
            yield dotted if dotted in ELSEWHERE else whole


def _set_by(node):
    """Private names that a class defines or sets on itself. Dunder names are nobody's."""
    names = {inner.name for inner in node.body if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef))}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store) and isinstance(inner.value, ast.Name) and inner.value.id == "self":
            names.add(inner.attr)
    for inner in node.body:
        if isinstance(inner, (ast.Assign, ast.AnnAssign)):
            names |= {target.id for target in (inner.targets if isinstance(inner, ast.Assign) else [inner.target]) if isinstance(target, ast.Name)}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


@functools.cache
def _set_by_source(known):
    """As _set_by, of a class that is there. Many of ours have the same base, and inspect reads the whole module for each class."""
    try:
        return _set_by(ast.parse(textwrap.dedent(inspect.getsource(known))).body[0])
    except (TypeError, OSError):
        return set()  # written in C


@functools.cache
def _private_names_of(dotted):
    module, _, name = dotted.rpartition(".")
    known = getattr(importlib.import_module(module), name)
    names = {entry for entry in dir(known) if entry.startswith("_") and not entry.startswith("__")} | IN_OTHER_VERSIONS.get(dotted, set())
    for base in inspect.getmro(known):
        names |= _set_by_source(base)
    return names


SUBCLASSES = [
    pytest.param(path, name, base, id=f"{path.relative_to(CHECKOUT)}:{name}")
    for path in CLASSES
    for name in CLASSES[path]
    for base in dict.fromkeys(_outside(path, name))
    if base not in ELSEWHERE
]


@pytest.mark.parametrize(("path", "name", "base"), SUBCLASSES)
def test_no_private_name_of_the_base_is_taken(path, name, base):
    taken = _set_by(CLASSES[path][name][0]) & _private_names_of(base) - MEANT_FOR_IT - (REPLACED if name == "WarmAction" else set())
    assert not taken, f"{name} takes {', '.join(sorted(taken))} of {base}: give it a name of its own, or have the base instead of being one"


def test_the_names_are_seen():
    assert {"_handle", "_target", "_args", "_started", "_name"} <= _private_names_of("threading.Thread")
    seen = {str(parameter.id) for parameter in SUBCLASSES}
    assert {"plugins/plugin_utils/pipe.py:PipedAction", "plugins/callback/result_file.py:CallbackModule", "tests/lab/test_secrets_verbs.py:Visitor"} <= seen
