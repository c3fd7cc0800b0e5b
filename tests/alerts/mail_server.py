"""A real mail server on loopback, for the real smtplib to talk to."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """A mail, who handed it in and for whom; `tls` if over TLS, `user` if logged in."""

    mail: EmailMessage
    sender: str
    recipients: tuple[str, ...]
    tls: bool
    user: str | None


class Post:
    """aiosmtpd's handler. What it answers otherwise than with 250 stands in its fields."""

    def __init__(self, user: str = "", password: str = "") -> None:
        self.arrived: list[Arrived] = []
        self.commands: list[str] = []
        self.refused: dict[str, str] = {}
        self.login_refusal = "535 5.7.8 No such user or password"
        self.data_answers: list[str] = []
        self.hangs_up_after_data = False
        self.quit_answer = "221 Bye"
        self._account = (user, password)

    def authenticate(self, *arguments: Any) -> AuthResult:
        """Judge user and password."""
        login = arguments[-1]
        given = (login.login.decode(), login.password.decode())
        self.commands.append("AUTH")
        if given == self._account:
            return AuthResult(success=True, auth_data=given[0])
        return AuthResult(success=False, handled=False, message=self.login_refusal)

    async def handle_MAIL(self, _server: Any, session: Any, envelope: Any, *what: Any) -> str:  # noqa: N802
        """Take a sender, of those who have to log in only after they did."""
        self.commands.append("MAIL")
        if self._account[0] and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = what[0]
        return "250 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, *what: Any) -> str:  # noqa: N802
        """Take a recipient, or refuse it."""
        if what[0] in self.refused:
            return self.refused[what[0]]
        envelope.rcpt_tos.append(what[0])
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take the mail."""
        self.commands.append("DATA")
        answer = self.data_answers.pop(0) if self.data_answers else "250 OK"
        if answer.startswith("250"):
            mail = message_from_bytes(envelope.content, policy=default)
            assert isinstance(mail, EmailMessage)
            self.arrived.append(
                Arrived(
                    mail=mail,
                    sender=envelope.mail_from,
                    recipients=tuple(envelope.rcpt_tos),
                    tls=server.transport.get_extra_info("ssl_object") is not None,
                    user=session.auth_data,
                )
            )
        if self.hangs_up_after_data:
            server.transport.abort()
        return answer

    async def handle_QUIT(self, *_: Any) -> str:  # noqa: N802
        """Say good-bye."""
        return self.quit_answer


@contextmanager
def serving_mail(
    post: Post, *, starttls: Path | None = None, tls: Path | None = None, size: int | None = None
) -> Iterator[int]:
    """Serve while the context lasts; yields the port. A certificate's file switches TLS on."""
    loop = asyncio.new_event_loop()
    options: dict[str, Any] = {
        "hostname": "mail.example.com",
        "loop": loop,
        "tls_context": _context(starttls),
        "authenticator": post.authenticate,
        "auth_require_tls": False,
        "data_size_limit": size,
        "enable_SMTPUTF8": True,
    }
    listener = socket.create_server((HOST, 0))
    opening = loop.create_server(lambda: SMTP(post, **options), sock=listener, ssl=_context(tls))
    server = loop.run_until_complete(opening)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    """Close the door, and show out who is still there."""
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # connections close


def _context(certificate: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
