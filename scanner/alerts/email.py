"""The sink of mail: a short summary in text and HTML, the report attached."""

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from scanner.alerts.text import in_lines
from scanner.alerts.wording import (
    SHAPES,
    by_rule,
    details,
    headline,
    named,
    plain,
    scanned,
    verdict,
)
from scanner.announcement import NEWS, Announcement, Delivery, PartState, Route, Topic
from scanner.bundled import bundled
from scanner.errors import AlertError, AlertUncertain
from scanner.ports import Log
from scanner.secret import Secret, redact

_PART: Final = "mail"
_TIMEOUT: Final = 60
_SHOWN: Final = 20
_HELP: Final = "Check KEYVIGIL_SMTP_URL; the next scan tells what is left."


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in: always over TLS, but on loopback. `user` "" does not log in."""

    host: str
    port: int
    user: str
    password: Secret
    is_tls_from_start: bool
    is_loopback: bool
    sender: str


class EmailSink:
    """Implements AlertSink for the addresses of one route, separated by commas."""

    def __init__(self, route: Route, server: MailServer, *, report: str) -> None:
        """Take the route, its mail server, and a link to the report's page, or ""."""
        self._route, self._server, self._report = route, server, report

    def __call__(self, delivery: Delivery, log: Log, report: bytes | None) -> None:
        """Send the mail, unless it is known to have been taken."""
        part = log.part(_PART)
        if part is not None and part.state is PartState.SENT:
            return
        mail = self._mail(delivery, report if self._route.attach else None)
        log.begin(_PART)
        refused = self._explained(lambda: self._hand_in(mail))
        log.done(_PART, refused=", ".join(refused))
        if refused:
            raise AlertError(f"The mail server refused {', '.join(refused)}.", help=_HELP)

    def _mail(self, delivery: Delivery, report: bytes | None) -> EmailMessage:
        announcement = delivery.draft.announcement
        mail = EmailMessage()
        mail["Subject"] = f"[KeyVigil] {headline(announcement)}"
        mail["From"] = self._server.sender
        mail["To"] = delivery.draft.target
        mail["Date"] = format_datetime(delivery.made_at)
        mail["Message-ID"] = f"<{delivery.id}@keyvigil>"  # the same mail again is known by it
        mail["Auto-Submitted"] = "auto-generated"
        link = ["", f"Report: {self._report}"] if self._report else []
        mail.set_content("\n".join([*in_lines(announcement, _SHOWN), *link]) + "\n")
        mail.add_alternative(_html(announcement, self._report), subtype="html")
        if report is not None:
            name = f"keyvigil-{announcement.scan_id}.html"
            mail.add_attachment(report, maintype="text", subtype="html", filename=name)
        return mail

    def _hand_in(self, mail: EmailMessage) -> dict[str, tuple[int, bytes]]:
        """Hand the mail in; return which addresses were refused, if others were not."""
        server = self._server
        context = ssl.create_default_context()
        if server.is_tls_from_start:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=_TIMEOUT, context=context
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT)
        with smtp:
            if not server.is_tls_from_start and not server.is_loopback:
                smtp.starttls(context=context)
            if server.user:
                smtp.login(server.user, server.password.reveal())
            return smtp.send_message(mail)

    def _explained(
        self, hand_in: Callable[[], dict[str, tuple[int, bytes]]]
    ) -> dict[str, tuple[int, bytes]]:
        try:
            return hand_in()
        except smtplib.SMTPServerDisconnected as error:
            raise AlertUncertain(
                f"The mail server hung up ({self._shown(error)}), so that nobody knows whether it"
                " took the mail.",
                help="The next scan sends it again, under the same Message-ID.",
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            raise AlertError(f"The mail was not taken: {self._shown(error)}.", help=_HELP) from None

    def _shown(self, error: Exception) -> str:
        return self._server.password.mask(redact(str(error) or type(error).__name__))


def _html(announcement: Announcement, report: str) -> str:
    """Render the summary; a template that escapes whatever strangers wrote."""
    kinds = (("", NEWS), ("Still open", (Topic.REMINDER,)), ("Resolved", (Topic.RESOLVED,)))
    sections = []
    for heading, topics in kinds:
        items = announcement.of(*topics)[:_SHOWN]
        count = sum(announcement.counts.get(topic, 0) for topic in topics)
        if count:
            sections.append((heading, count, list(by_rule(items)), count - len(items)))
    return _template().render(
        headline=headline(announcement),
        verdict=verdict(announcement),
        scanned=scanned(announcement),
        announcement=announcement,
        sections=sections,
        shapes=SHAPES,
        report=report,
        details=details,
        named=named,
        plain=plain,
    )


@cache
def _template() -> Template:
    def load(name: str) -> str:
        return (bundled("reports") / name).read_text(encoding="utf-8")

    environment = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("alert.html.j2")
