"""Connections to a mail server whose replies have a maximum size."""

import smtplib
from typing import BinaryIO, Final

MAX_REPLY: Final = 256 * 1024
"""Bytes of one reply; smtplib limits its lines, but not their number."""


class BoundedSMTP(smtplib.SMTP):
    """Disconnects after MAX_REPLY bytes of a reply, as smtplib does after a lost connection."""

    def getreply(self) -> tuple[int, bytes]:
        """Return the code and the text of the next reply."""
        if isinstance(self.file, _Replies):
            self.file.left = MAX_REPLY
        elif self.sock is not None:
            self.file = _Replies(self.sock.makefile("rb"))
        return super().getreply()


class BoundedSMTPoverTLS(BoundedSMTP, smtplib.SMTP_SSL):
    """The same over TLS from the start."""


class _Replies:
    """The file from which smtplib reads lines."""

    def __init__(self, received: BinaryIO) -> None:
        self.left = MAX_REPLY
        self._received = received

    def readline(self, size: int) -> bytes:
        line = self._received.readline(size)
        self.left -= len(line)
        if self.left < 0:
            raise OSError("the reply is too long")
        return line

    def close(self) -> None:
        self._received.close()
