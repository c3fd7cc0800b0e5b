"""The entry point: `keyvigil` and `python -m scanner`; it can be stopped while still loading."""

import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> None:
    """Load the command line and run it."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        from scanner.cli.app import main as run  # noqa: PLC0415 - loading takes long enough to stop

        run()
    except KeyboardInterrupt:
        sys.exit(130)


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End as on Ctrl-C: what is half-done is cleaned up on the way out."""
    sys.exit(143)


if __name__ == "__main__":
    main()
