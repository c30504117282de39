"""ansible-playbook without the second of imports that it begins with: a process that has them forks for each run, and what forks is ansible-playbook.

As a program it reads one run a line: arguments, directory, environment and where its output goes. The fork has nothing of the runs before it, runs the
same `main` as the installed program, and ends as a program does, with all that is registered for its end. What it cannot show, because the fork comes
after them, are the imports themselves and what Ansible reads while it imports: the configuration file and ANSIBLE_ variables of the constants. So these
are the server's, and a test about them needs the program itself. What every run would read of files that are Ansible's own, the options in its plugins'
documentation and the collections' lists of what has moved, is read here too: it was two thirds of a short run.

Ansible's own modules are forks of the worker that they are of, which has imported what they import: an interpreter of their own would compile all that
anew, for each stat and each copy. Any other module has its own interpreter, and only what Ansible packed for it.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

# A run that hangs is told as such instead of hanging the tests. No outcome depends on it: it is far beyond what a busy machine needs.
HANGS = 600
# A run would import these itself, each run anew.
IMPORTS = [
    "ansible.executor.task_queue_manager",
    "ansible.module_utils.basic",
    "ansible.parsing.yaml.dumper",
    "ansible.playbook.handler_task_include",
    "ansible.plugins.action.assert",
    "ansible.plugins.action.copy",
    "ansible.plugins.action.debug",
    "ansible.plugins.action.fail",
    "ansible.plugins.action.normal",
    "ansible.plugins.action.template",
    "ansible.plugins.callback.default",
    "ansible.plugins.connection.local",
    "ansible.plugins.connection.ssh",
    "ansible.plugins.inventory.script",
    "ansible.plugins.shell.sh",
    "ansible.plugins.strategy.linear",
    "ansible.plugins.vars.host_group_vars",
    "ansible.utils.encrypt",
    "ansible.utils.unicode",
    "ansible.utils.version",
    "boto3",
    "multiprocessing.popen_fork",
    "multiprocessing.shared_memory",
    "multiprocessing.synchronize",
    "tomllib",
    "xml.dom.minidom",
    "zoneinfo",
]


# What Ansible pipes into an interpreter says whose module it is: before ansible-core 2.19 in the second way.
OF_ANSIBLE = re.compile(rb"\b(module_fqn|mod_name)['\"]?\s*[=:]\s*b?['\"]ansible\.modules\.")


class WarmAnsible:
    """The tests' side. environment: all that the runs share; it holds nothing of the caller's own ANSIBLE_ settings."""

    def __init__(self, directory: Path, environment: dict[str, str]):
        self._output, self.environment = directory, environment
        self._server = subprocess.Popen([sys.executable, __file__], cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, arguments: list[str], cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
        out, err = self._output / "stdout", self._output / "stderr"
        asked = {"arguments": arguments, "cwd": str(cwd), "environment": environment, "stdout": str(out), "stderr": str(err)}
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        if not select.select([self._server.stdout], [], [], HANGS)[0]:
            raise TimeoutError(f"ansible-playbook {arguments} did not end within {HANGS} s")
        code = self._server.stdout.readline()
        assert code, f"The process that runs ansible-playbook {arguments} ended with {self._server.wait()}"
        return subprocess.CompletedProcess(arguments, int(code), out.read_text(), err.read_text())

    def end(self) -> None:
        self._server.communicate()


def become(asked: dict) -> None:
    """In the fork: the program, as a shell would have started it."""
    for number, (path, flags) in enumerate(((os.devnull, os.O_RDONLY), (asked["stdout"], os.O_WRONLY), (asked["stderr"], os.O_WRONLY))):
        os.dup2(os.open(path, flags | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.chdir(asked["cwd"])
    os.environ.update(asked["environment"])
    sys.argv = ["ansible-playbook", *asked["arguments"]]


def piped_to_us(command: str) -> dict[str, str] | None:
    """Of a command that gives what is piped to this interpreter and does nothing else: the variables that it sets before."""
    words = shlex.split(command)
    inner = shlex.split(words[2]) if words[:2] == ["/bin/sh", "-c"] and len(words) == 3 else []
    # Older versions of ansible-core have something follow, for terminals' sake.
    if inner[-3:] == ["&&", "sleep", "0"]:
        inner = inner[:-3]
    if inner[-1:] != [sys.executable] or not all("=" in word for word in inner[:-1]):
        return None
    return dict(word.split("=", 1) for word in inner[:-1])


def forked(environment: dict[str, str], program: bytes) -> tuple[int, bytes, bytes]:
    """Runs a program in a fork of this process. Gives its exit code, output and errors."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if not pid:
            code = 1
            try:
                for number, stream in enumerate((os.open(os.devnull, os.O_RDONLY), out.fileno(), err.fileno())):
                    os.dup2(stream, number)
                sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
                os.environ.update(environment)
                sys.argv = ["-"]
                try:
                    exec(compile(program, "<stdin>", "exec"), {"__name__": "__main__"})
                    code = 0
                except SystemExit as end:
                    code = end.code if isinstance(end.code, int) else int(end.code is not None)
                except BaseException:
                    sys.excepthook(*sys.exc_info())
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                # Not the worker's end: what that has registered for it is its own.
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


def fork_modules() -> None:
    from ansible.plugins.connection import local

    by_shell = local.Connection.exec_command

    def exec_command(self, cmd, in_data=None, sudoable=True):
        environment = piped_to_us(cmd) if in_data and OF_ANSIBLE.search(in_data) else None
        if environment is None:
            return by_shell(self, cmd, in_data, sudoable)
        local.display.vvv(f"EXEC {cmd}", host=self._play_context.remote_addr)
        return forked(environment, in_data)

    local.Connection.exec_command = exec_command


def read_ahead() -> None:
    """What is kept is kept by Ansible, as after the first of several playbooks; it looks for plugins anew wherever a run has them beside its own."""
    import ansible
    from ansible.plugins import loader
    from ansible.utils.collection_loader import _collection_finder

    for plugins in (loader.become_loader, loader.callback_loader, loader.connection_loader, loader.inventory_loader, loader.shell_loader):
        list(plugins.all(class_only=True))
    read = _collection_finder._meta_yml_to_dict = functools.cache(_collection_finder._meta_yml_to_dict)
    lists = {"ansible.builtin": Path(ansible.__file__).with_name("config") / "ansible_builtin_runtime.yml"}
    for directory in filter(None, os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)):
        lists |= {".".join(path.parts[-4:-2]): path for path in Path(directory).glob("ansible_collections/*/*/meta/runtime.yml")}
    for collection, path in lists.items():
        read(path.read_bytes(), (collection, "runtime.yml"))


def main() -> None:
    import ansible.cli.playbook
    import ansible.config.manager

    for name in IMPORTS:
        importlib.import_module(name)
    fork_modules()
    read_ahead()
    # What is here now stays as long as the process: no fork need look through it for garbage, and so copy it. Nor does a run live long enough to have much.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # readline and no loop over the file, which reads ahead: a fork must not find another run's line in its buffer.
    while line := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            # Ansible's directory for temporary files is the server's, and the next run's too.
            atexit.unregister(ansible.config.manager.cleanup_tmp_file)
            become(json.loads(line))
            sys.exit(ansible.cli.playbook.main())
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
