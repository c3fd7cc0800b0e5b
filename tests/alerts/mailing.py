"""A sink of mail for a server on this machine, and what it sends."""

from dataclasses import replace
from email.message import EmailMessage
from typing import Any

from scanner.alerts.email import EmailSink, MailServer
from scanner.announcement import Route, Sink
from scanner.secret import Secret
from tests.alerts.mail_server import HOST
from tests.alerts.making import a_delivery

USER, PASSWORD = "robot", "correct horse"
ROUTE = Route(name="the-route", sink=Sink.EMAIL, to="ada@example.com, bob@example.com", attach=True)
DELIVERY = a_delivery(sink=Sink.EMAIL, target=ROUTE.to)
REPORT = b"<!DOCTYPE html><title>\xe2\x97\x86 report</title>"


def a_sink(port: int, *, report: str = "", attach: bool = True, **changes: Any) -> EmailSink:
    server = MailServer(
        host=HOST,
        port=port,
        user="",
        password=Secret(""),
        is_tls_from_start=False,
        is_loopback=True,
        sender="KeyVigil <keyvigil@example.com>",
    )
    route = replace(ROUTE, attach=attach)
    return EmailSink(route, replace(server, **changes), report=report)


def login(password: str = PASSWORD) -> dict[str, Any]:
    return {"user": USER, "password": Secret(password)}


def parts(mail: EmailMessage) -> tuple[str, str]:
    """The text and the HTML of a mail, its lines ended as in Python."""
    bodies = (mail.get_body((kind,)) for kind in ("plain", "html"))
    text, page = (body.get_content().replace("\r\n", "\n") if body else "" for body in bodies)
    return text, page
