"""What a forked command's process can be made to do before the command begins."""

import os
import signal
from datetime import timedelta
from importlib import import_module
from itertools import count
from typing import Any

from sqlalchemy import Engine, event


def die_before_statement(number: int) -> None:
    """Kill this process before the `number`-th statement that it sends its database."""
    numbers = count(1)

    @event.listens_for(Engine, "before_cursor_execute")
    def _die(*_given: Any) -> None:
        if next(numbers) == number:
            os.kill(os.getpid(), signal.SIGKILL)


def be_later(minutes: int) -> None:
    """Let revocations be so many minutes later."""
    names = vars(import_module("scanner.cli.revoking"))
    now = names["now"]
    names["now"] = lambda: now() + timedelta(minutes=minutes)
