"""`keyvigil` in a process of its own that need not load it: a fork of one that has.

Loading takes most of a command's time. `python -m tests.support.forked SOCKET` loads everything
once, then forks for each socket that it is sent; a fork is set up as a new process would be.
"""

import json
import os
import pkgutil
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import TextIO

import scanner.__main__
from scanner.__main__ import main

PACKAGES = ("scanner.cli", "scanner.daemon", "scanner.formats", "scanner.openai_api")
STORE = ("scanner.store.history", "sqlalchemy.dialects.sqlite", "alembic.command")
BY_ENVIRONMENT = "scanner.cli"
"""What reads the environment while it is loaded: each fork loads it again."""
Request = tuple[Sequence[str], str, Mapping[str, str], Sequence[str | int]]
"""Arguments, folder, environment, and what to call first: a module, its function, an argument."""


def load() -> None:
    """Load what commands load when they run."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            import_module(module.name)
    for name in STORE:
        import_module(name)
    for name in [name for name in sys.modules if name.startswith(BY_ENVIRONMENT)]:
        del sys.modules[name]


def serve(door: socket.socket) -> None:
    """Fork for each socket that comes, until none can; return in a process for a command."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, descriptors, _, _ = socket.recv_fds(door, 1, 1)
        if not descriptors:
            sys.exit()
        with socket.socket(fileno=descriptors[0]) as connection:
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                door.close()
                return watch(connection)


def watch(connection: socket.socket) -> None:
    """Fork once more: report the command's process id and its exit code, return in its process."""
    first, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    chunks = [first]
    while chunks[-1]:
        chunks.append(connection.recv(1 << 16))
    request: Request = json.loads(b"".join(chunks))
    pid = os.fork()
    if pid == 0:
        return become(request, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    connection.sendall(f"{pid}\n".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    connection.sendall(f"{code}\n".encode())
    os._exit(0)


def become(request: Request, descriptors: Sequence[int]) -> None:
    """Take over what a new process would have been given."""
    arguments, folder, environment, first = request
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = (
        reopened(number, stream)
        for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr))
    )
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = [scanner.__main__.__file__, *arguments]
    if first:
        module, function, argument = first
        getattr(import_module(str(module)), str(function))(argument)


def reopened(number: int, stream: TextIO) -> TextIOWrapper:
    """Open a standard stream again: what is behind it is of another kind now."""
    assert isinstance(stream, TextIOWrapper)
    return TextIOWrapper(
        open(number, stream.buffer.mode, 0 if stream.write_through else -1, closefd=False),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


if __name__ == "__main__":
    load()
    serve(socket.socket(fileno=int(sys.argv[1])))
    main()
