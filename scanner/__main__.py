"""The entry point of `keyvigil` and `python -m scanner`; signals stop it even while it loads."""

import signal
import sys
from types import FrameType
from typing import Final, NoReturn

_HANGUP: Final = getattr(signal, "SIGHUP", None)  # absent on Windows
"""Sent when the terminal closes; handled like SIGTERM. The daemon replaces the handler."""


def main() -> None:
    """Load the command line and run it; when stopped by a signal, exit with 128 + its number."""
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        told.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:
        signal.signal(_HANGUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        from scanner.cli.app import main as run  # noqa: PLC0415 - loading takes long enough to stop

        run()
    except BaseException:
        # A stop can surface as another exception; the exit code still reports the signal.
        if told:
            sys.exit(128 + told[0])
        raise


if __name__ == "__main__":
    main()
