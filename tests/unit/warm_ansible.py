"""ansible-playbook without the second of imports that it begins with: a process that has them forks for each run, and what forks is ansible-playbook.

As a program it reads one run a line: arguments, directory, environment and where its output goes. The fork has nothing of the runs before it, runs the
same `main` as the installed program, and ends as a program does, with all that is registered for its end. What it cannot show, because the fork comes
after them, are the imports themselves and what Ansible reads while it imports: the configuration file and ANSIBLE_ variables of the constants. So these
are the server's, and a test about them needs the program itself.
"""

import atexit
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

# A run that hangs is told as such instead of hanging the tests. No outcome depends on it: it is far beyond what a busy machine needs.
HANGS = 600
# A run would import these itself, each run anew.
IMPORTS = [
    "ansible.executor.task_queue_manager",
    "ansible.module_utils.basic",
    "ansible.playbook.handler_task_include",
    "ansible.plugins.callback.default",
    "ansible.plugins.connection.ssh",
    "ansible.plugins.inventory.script",
    "ansible.plugins.shell.sh",
    "ansible.plugins.strategy.linear",
    "multiprocessing.popen_fork",
    "multiprocessing.shared_memory",
    "multiprocessing.synchronize",
    "tomllib",
    "xml.dom.minidom",
]


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


def main() -> None:
    import ansible.cli.playbook
    import ansible.config.manager

    for name in IMPORTS:
        importlib.import_module(name)
    # What is here now stays as long as the process: no fork need look through it for garbage, and so copy it.
    gc.collect()
    gc.freeze()
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
