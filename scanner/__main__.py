"""The entry point: `keyvigil` and `python -m scanner`; it can be stopped while still loading."""

import signal
import sys
from types import FrameType
from typing import Final, NoReturn

_HANGUP: Final = getattr(signal, "SIGHUP", None)  # which Windows has not
"""The terminal is closed: to be told to stop, as by SIGTERM. The daemon takes it otherwise."""


def main() -> None:
    """Load the command line and run it; told to stop, exit 128 + the signal's number."""
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
        # Whatever a stop led to on its way out, it is told as what it was.
        if told:
            sys.exit(128 + told[0])
        raise


if __name__ == "__main__":
    main()
