"""What this collection needs: refused in time where it is too old, and no more of amazon.aws than its oldest version has."""

import ast
import datetime
import re
import types
from pathlib import Path

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.atena.aws.plugins.module_utils.core import module as aws_module, requirements
from ansible_collections.atena.aws.plugins.module_utils.terraform import cli as terraform_cli
from ansible_collections.atena.aws.plugins.plugin_utils import result_file, warm

CHECKOUT = Path(__file__).resolve().parents[2]
# Those that make a directory a package hold nothing.
PLUGINS = sorted(path for path in (CHECKOUT / "plugins").rglob("*.py") if path.name != "__init__.py")
# Without those that only say what an action plugin of this name does.
MODULES = [path for path in PLUGINS if path.parent.name == "modules" and "def main(" in path.read_text()]


def name_of(path):
    return str(path.relative_to(CHECKOUT / "plugins"))


# AnsibleAWSModule's own in amazon.aws 9.0.0 and since, of which 9.0.0 hands nothing else on to AnsibleModule (later ones do: get_bin_path).
AMAZON_AWS_9 = {
    *("params", "check_mode", "_diff", "_name", "region", "client", "resource", "boolean", "md5", "debug", "warn"),
    *("exit_json", "fail_json", "fail_json_aws", "fail_json_aws_error", "boto3_at_least", "botocore_at_least"),
    *("require_boto3_at_least", "require_botocore_at_least"),
}
IMPORTED_FROM_AMAZON_AWS = {"modules.AnsibleAWSModule", "botocore.get_aws_connection_info"}
# They need no AWS, or mean a module of Terraform's.
NOT_OF_AWS = {"modules/terraform_output_info.py", "modules/terraform_working_copy.py", "module_utils/cost/plan.py"}
# Came with Python 3.11: a file that imports or runs them at its import ends in a traceback where its refusal should be.
NEW_IN_311 = {"datetime.UTC", "enum.StrEnum", "typing.Self", "typing.assert_never", "typing.LiteralString", "typing.Never", "asyncio.TaskGroup"}
# Came with 3.10: hosts that modules run on may have 3.9 (RHEL 9 has), where ansible-core itself, and with it all other plugins, needs 3.10.
NEW_IN_310 = {"typing.TypeAlias", "typing.TypeGuard", "typing.ParamSpec", "typing.Concatenate", "types.UnionType", "types.NoneType"}


class Ended(Exception):
    pass


class Stub:
    """As much of AnsibleModule as AnsibleAWSModule's constructor needs."""

    check_mode, _diff, _name, params = False, False, "stub", {}

    def __init__(self, **_):
        pass

    def fail_json(self, *_, msg="", **__):
        raise Ended(msg)

    def warn(self, *_, **__):
        pass

    debug = deprecate = warn


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setitem(AnsibleAWSModule.default_settings, "module_class", Stub)
    return lambda: aws_module.AwsModule(argument_spec={})


def test_a_warning_is_shown_and_not_handed_on_to_be_shown_once_more(made, monkeypatch):
    """amazon.aws hands on what it has kept as `warnings`, and ansible-core calls that deprecated, on the screen of everybody who is warned."""
    shown, ended = [], []
    monkeypatch.setattr(Stub, "warn", lambda self, warning: shown.append(warning))
    monkeypatch.setattr(Stub, "exit_json", lambda self, **result: ended.append(result), raising=False)
    module = made()
    module.warn("It is old.")
    module.exit_json(changed=False)
    assert (shown, ended) == (["It is old."], [{"changed": False}])


# --- Refusals ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("version", "fine"), [("3.10.13", False), ("3.9.18", False), ("3.11.0", True), ("3.14.0", True), ("4.0.0", True)])
def test_a_python_that_is_too_old_is_named_with_its_remedy(version, fine):
    told = requirements.python_problem("this module", version, "/usr/bin/python3", "Use a newer one.")
    assert told == "" if fine else all(part in told for part in (version, "/usr/bin/python3", "3.11", "this module", "Nothing was changed", "Use a newer one."))


@pytest.mark.parametrize(
    ("boto3", "botocore", "old"),
    [
        ("1.35.69", "1.35.69", []),
        ("1.43.106", "1.43.106", []),
        ("1.35.70.dev1", "1.36.0rc1", []),
        ("1.35.68", "1.35.68", ["boto3 1.35.68", "botocore 1.35.68"]),
        ("1.35.69", "1.34.162", ["botocore 1.34.162"]),
        ("1.9.0", "1.36.0", ["boto3 1.9.0"]),
    ],
)
def test_an_sdk_that_is_too_old_is_named_with_its_remedy(boto3, botocore, old):
    told = requirements.sdk_problem(boto3, botocore, "/usr/bin/python3")
    assert bool(told) == bool(old)
    if old:
        assert told.startswith(" and ".join(old) + " of /usr/bin/python3")
        assert "1.35.69 or newer" in told and "/usr/bin/python3 -m pip install --upgrade 'boto3>=1.35.69' 'botocore>=1.35.69'" in told


def test_a_module_is_not_made_with_an_old_sdk(made, monkeypatch):
    made()
    monkeypatch.setattr("botocore.__version__", "1.35.68")
    with pytest.raises(Ended, match=r"^botocore 1\.35\.68 of .* is too old"):
        made()


def test_a_module_is_not_made_with_an_old_python(made, monkeypatch):
    monkeypatch.setattr(requirements, "this_python", lambda: "3.10.13")
    with pytest.raises(Ended, match=r"^Python 3\.10\.13 .* runs this module"):
        made()


def test_a_controller_with_an_old_python_is_refused_before_a_module_runs(monkeypatch):
    monkeypatch.setattr(requirements, "this_python", lambda: "3.10.13")
    # Without a task or a connection: nothing of them is asked for.
    result = warm.WarmAction._execute_module(types.SimpleNamespace())
    assert result["failed"] and "runs Ansible itself on this controller" in result["msg"]


READING = {"cost.yml", "diagnose.yml", "logs.yml", "preflight.yml", "releases.yml", "status.yml"}


def test_every_playbook_begins_with_the_controller():
    """By the role environment, whose first task that is not Ansible's own is caller_identity_info. site.yml is made of others.

    Those whose first task reads leave it to that task to verify the account.
    """
    tasks = yaml.safe_load((CHECKOUT / "roles/environment/tasks/main.yml").read_text())
    # verify is Ansible's own assert with another screen, and runs no module.
    own = [task for task in tasks if any(key.startswith("atena.aws.") and key != "atena.aws.verify" for key in task)]
    assert "atena.aws.caller_identity_info" in own[0] and own[0]["tags"] == ["always"]
    plays = [(path.name, play) for path in (CHECKOUT / "playbooks").glob("*.yml") for play in yaml.safe_load(path.read_text())]
    for name, play in plays:
        if "ansible.builtin.import_playbook" not in play:
            begins = {"role": "atena.aws.environment", **({"environment_verifies_account": False} if name in READING else {})}
            assert play["roles"][0] == begins and "pre_tasks" not in play, name


def test_the_requirements_files_say_the_same():
    wanted = (CHECKOUT / "meta/requirements.txt").read_text()
    assert f"boto3>={requirements.SDK}\nbotocore>={requirements.SDK}\n" in wanted
    assert f"py{requirements.PYTHON.replace('.', '')}" in (CHECKOUT / "pyproject.toml").read_text()


# --- That they come before anything else ------------------------------------------------------------------------------
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_is_made_where_it_is_looked(path):
    text = path.read_text()
    made_with = re.findall(r"\b(\w*Module)\(\n? *argument_spec", text)
    if name_of(path) in NOT_OF_AWS:
        assert made_with == ["AnsibleModule"] and re.search(r"\n    \)\n    requirements\.refuse_old_python\(module\)\n", text)
    else:
        assert made_with == ["AwsModule"]


def _at_import(tree):
    """All that runs when a file is imported: not what functions hold or only mypy looks at, and no annotations."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.AnnAssign):
            yield from _at_import(ast.Tuple([node.target, *([node.value] if node.value else [])]))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            defaults = node.args.defaults + [default for default in node.args.kw_defaults if default is not None]
            for inner in defaults + (getattr(node, "decorator_list", [])):
                yield inner
                yield from _at_import(inner)
        else:
            yield node
            yield from _at_import(node)


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: name_of(path).removesuffix(".py"))
def test_a_python_before_ours_can_import_it(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 10))
    names = set()
    for node in _at_import(tree):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Attribute):
            names.add(ast.unparse(node))
    assert not names & (NEW_IN_311 | {"tomllib"})
    if path.relative_to(CHECKOUT / "plugins").parts[0] in ("modules", "module_utils"):
        unions = [ast.unparse(node) for node in _at_import(tree) if isinstance(node, ast.BinOp) and ast.unparse(node).endswith("| None")]
        assert (names & NEW_IN_310, unions) == (set(), [])
    # Types are not run then, which an older Python could not.
    assert "__future__.annotations" in names or not any(_has_types(node) for node in ast.walk(tree))


def _has_types(node):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return node.returns is not None or any(isinstance(inner, ast.arg) and inner.annotation is not None for inner in ast.walk(node.args))
    return isinstance(node, ast.AnnAssign)


def test_what_records_a_refusal_works_with_a_python_before_ours():
    for path in ("callback/result_file.py", "plugin_utils/result_file.py"):
        assert "datetime.UTC" not in (CHECKOUT / "plugins" / path).read_text().replace("# datetime.UTC", "")
    assert result_file.stamp(datetime.datetime(2027, 1, 10, 3, 15, tzinfo=result_file.UTC)) == "2027-01-10T03:15:00Z"


# --- amazon.aws -------------------------------------------------------------------------------------------------------
def _used_of_the_module(tree):
    for node in ast.walk(tree):
        # Only names and attributes are written so; to write out all that stands before a dot takes most of the time.
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name | ast.Attribute)
            and ast.unparse(node.value) in ("module", "self.module", "self._module")
        ):
            yield node.attr


def test_no_more_is_used_of_the_module_than_amazon_aws_9_has():
    used = {attribute for path in PLUGINS if name_of(path) not in NOT_OF_AWS for attribute in _used_of_the_module(ast.parse(path.read_text()))}
    assert {"params", "exit_json", "region"} <= used <= AMAZON_AWS_9


def test_the_installed_amazon_aws_has_all_of_that(made):
    # Asked of the class or of the instance itself: a later version hands on whatever it is asked for.
    module = made()
    assert {name for name in AMAZON_AWS_9 if name not in dir(AnsibleAWSModule) and name not in vars(module)} == set()


def test_nothing_else_of_amazon_aws_is_imported():
    found = {
        f"{node.module.removeprefix('ansible_collections.amazon.aws.plugins.module_utils.')}.{name.name}"
        for path in PLUGINS
        if "amazon" in path.read_text()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ansible_collections.amazon")
        for name in node.names
    }
    assert found == IMPORTED_FROM_AMAZON_AWS


def test_a_command_is_found_or_not(tmp_path):
    (tmp_path / "terraform").write_text("#!/bin/sh\n")
    assert terraform_cli.executable_path(str(tmp_path / "terraform")) is None
    (tmp_path / "terraform").chmod(0o755)
    assert terraform_cli.executable_path(str(tmp_path / "terraform")) == str(tmp_path / "terraform")
    assert terraform_cli.executable_path("no-such-command-anywhere") is None
