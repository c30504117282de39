"""A process that has imported and read everything, and forks a provider whenever Terraform starts one.

Terraform starts each provider three times a command, and most of a second goes into imports and descriptions of services each time. `lab up` starts this
process as `python -m offline.warm`. What Terraform starts (front.py) hands over its environment, its directory and its three streams, and stays: when it
is killed, its connection ends, and the provider ends with it. Without a warm process everything works as well, only slower.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import tempfile
import threading
import traceback
from pathlib import Path

from .core import Provider
from .front import SOCKET, TAKEN
from .schema import names
from .server import Servicer, serve

LOOK_SECONDS = 5.0


def main() -> None:
    os.chdir(Path(__file__).resolve().parent.parent)
    servicers = {name: prepared(name) for name in names()}
    # A collection would write into every page that the forks share.
    gc.collect()
    gc.freeze()
    listener = listen()
    own = os.stat(SOCKET).st_ino
    # Nobody waits for what was forked.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            if not is_mine(own):
                return
            continue
        if os.fork() == 0:
            listener.close()
            work(connection, servicers)
        connection.close()


def prepared(name: str) -> Servicer:
    servicer = Servicer(Provider(name))
    servicer.provider.warm()
    servicer.schema  # noqa: B018 - made once, kept by the object
    from cryptography import x509  # noqa: F401 - the certificate that every provider makes for itself

    return servicer


def listen() -> socket.socket:
    Path(SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    listener.bind(SOCKET)
    os.umask(before)
    listener.listen(64)
    listener.settimeout(LOOK_SECONDS)
    return listener


def is_mine(inode: int) -> bool:
    """Not when the lab's directory is gone, or another warm process has taken over."""
    try:
        return os.stat(SOCKET).st_ino == inode
    except OSError:
        return False


def work(connection: socket.socket, servicers: dict[str, Servicer]) -> None:
    """The life of the forked process; it never returns."""
    code = 1
    try:
        connection.settimeout(None)
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        with connection.makefile("rb") as lines:
            request = json.loads(lines.readline())
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["directory"])
        tempfile.tempdir = None
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection.sendall(TAKEN)
        threading.Thread(target=end_with, args=(connection,), daemon=True).start()
        serve(servicers[request["name"]])
        code = 0
    except BaseException:
        traceback.print_exc()
    try:
        connection.sendall(bytes([code]))
    except OSError:
        pass
    os._exit(code)


def end_with(connection: socket.socket) -> None:
    """The front sends nothing more: what comes is its end."""
    connection.recv(1)
    os._exit(1)


if __name__ == "__main__":
    main()
