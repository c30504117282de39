"""What Terraform started as a provider, in front of the process that does the work: see warm.py."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

SOCKET = "warm.sock"
TAKEN = b"+"
# Nobody is left waiting for a warm process that hangs.
PATIENCE = 5.0


def ask(name: str) -> int | None:
    """The exit code of the provider that the warm process forked; None where there is no such process, and this one has to do the work."""
    connection = connect()
    if connection is None:
        return None
    request = {"name": name, "environment": dict(os.environ), "directory": os.getcwd()}
    try:
        connection.settimeout(PATIENCE)
        socket.send_fds(connection, [b"\n"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode() + b"\n")
        if connection.recv(1) != TAKEN:
            return None
    except OSError:
        connection.close()
        return None
    # Ctrl-C reaches the whole process group; only Terraform may answer it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection.settimeout(None)
    code = connection.recv(1)
    return code[0] if code else 1


def connect() -> socket.socket | None:
    # By way of the directory: a socket's whole path may have some 100 characters.
    directory = os.open(Path(__file__).parent.parent, os.O_RDONLY)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(f"/proc/self/fd/{directory}/{SOCKET}")
    except OSError:
        connection.close()
        return None
    finally:
        os.close(directory)
    return connection
