"""The mail sink: a short summary in text and HTML, with the report attached."""

import base64
import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from typing import Final, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from scanner.alerts.mail_connection import BoundedSMTP, BoundedSMTPoverTLS
from scanner.alerts.text import in_lines, named_in_lines
from scanner.alerts.within import OverdueError, within
from scanner.alerts.wording import (
    SHAPES,
    by_rule,
    details,
    headline,
    named,
    page_link,
    plain,
    scanned,
    verdict,
    warnings,
)
from scanner.announcement import BELOW, NEWS, Announcement, Delivery, PartState, Route
from scanner.bundled import bundled
from scanner.errors import AlertError, AlertUncertain
from scanner.ports import Log, Page
from scanner.secret import Secret

_PART: Final = "mail"
_TIMEOUT: Final = 60
_WHOLE: Final = 300.0
"""Seconds for the whole SMTP session."""
_SHOWN: Final = 20
_LINE: Final = 300
_LARGE: Final = frozenset({523, 552})
_TOO_LARGE: Final = "The report is not attached: the mail server rejects mail of that size."
_HELP: Final = "Check KEYVIGIL_SMTP_URL. The next scan sends the alert again."
_CHECK_ROUTE: Final = "Check the addresses in keyvigil.yaml or KEYVIGIL_MAIL_TO."

_Refused = Mapping[str, tuple[int, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The SMTP server: always over TLS, except on loopback. Without `user`, no login."""

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
        """`report` is the URL of the report's page, or ""."""
        self._route, self._server, self._report = route, server, report

    def __call__(self, delivery: Delivery, log: Log, page: Page) -> frozenset[str]:
        """Send the mail, unless it was accepted before; return the findings in it."""
        part = log.part(_PART)
        named = named_in_lines(delivery.draft.announcement, _SHOWN)
        if part is not None and part.state is PartState.SENT:
            return named
        report = page() if self._route.attach else None
        mail = self._mail(delivery, report)
        smaller = None if report is None else self._mail(delivery, None, _TOO_LARGE)
        log.begin(_PART)
        refused = self._explained(lambda: self._hand_in(mail, smaller))
        log.done(_PART, refused=", ".join(refused))
        if refused:
            raise AlertError(
                _refusal(refused), help=f"{_CHECK_ROUTE} The mail was sent to the other addresses."
            )
        return named

    def reach(self) -> None:
        """Connect and log in without sending a mail; raise AlertError if that fails."""

        def come_and_go() -> _Refused:
            smtp = self._connected()
            with suppress(smtplib.SMTPException, OSError):  # the login succeeded
                smtp.quit()
            smtp.close()
            return {}

        self._explained(come_and_go)

    def _mail(self, delivery: Delivery, report: bytes | None, *remarks: str) -> EmailMessage:
        announcement = delivery.draft.announcement
        letter = letter_of(announcement, self._report, remarks)
        mail = EmailMessage()
        mail["Subject"] = letter.subject
        mail["From"] = self._server.sender
        mail["To"] = self._route.to
        mail["Date"] = format_datetime(delivery.made_at)
        mail["Message-ID"] = f"<{delivery.id}@keyvigil>"  # identifies a repeated mail
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(letter.text)
        mail.add_alternative(letter.html, subtype="html")
        if report is not None:
            name = f"keyvigil-{announcement.scan_id}.html"
            mail.add_attachment(report, maintype="text", subtype="html", filename=name)
        return mail

    def _hand_in(self, mail: EmailMessage, smaller: EmailMessage | None) -> _Refused:
        """Send the mail, or the smaller one if it is too large; return the refused recipients."""
        smtp = self._connected()
        try:
            try:
                return _sent(smtp, mail)
            except smtplib.SMTPResponseException as error:
                if error.smtp_code not in _LARGE or smaller is None:
                    raise
            return _sent(smtp, smaller)
        finally:
            with suppress(smtplib.SMTPException, OSError):  # the mail was already accepted
                smtp.quit()
            smtp.close()

    def _connected(self) -> smtplib.SMTP:
        """Connect and log in, over TLS unless the server is on this machine."""
        server = self._server
        context = ssl.create_default_context()
        if server.is_tls_from_start:
            smtp: BoundedSMTP = BoundedSMTPoverTLS(
                server.host, server.port, timeout=_TIMEOUT, context=context
            )
        else:
            smtp = BoundedSMTP(server.host, server.port, timeout=_TIMEOUT)
        try:
            if not server.is_tls_from_start and not server.is_loopback:
                smtp.starttls(context=context)
            if server.user:
                smtp.login(server.user, server.password.reveal())
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _explained(self, hand_in: Callable[[], _Refused]) -> _Refused:
        try:
            return within(_WHOLE, hand_in)
        except OverdueError as error:
            raise AlertUncertain(
                f"The mail server sent {error}. A mail may have been delivered.",
                help="The next scan sends it again, under the same Message-ID.",
            ) from None
        except _HungUp as error:
            raise AlertUncertain(
                f"The mail server closed the connection ({self._shown(error)}). The mail may have"
                " been delivered.",
                help="The next scan sends it again, under the same Message-ID.",
            ) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise AlertError(_refusal(error.recipients), help=_CHECK_ROUTE) from None
        except smtplib.SMTPAuthenticationError as error:
            raise AlertError(
                f"The mail server rejected the login: {self._shown(error)}.",
                help="Check the user and the password in KEYVIGIL_SMTP_URL.",
            ) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise AlertError(f"The mail was not sent: {self._shown(error)}.", help=_HELP) from None

    def _shown(self, error: Exception) -> str:
        """Return the error text; the password is masked, should the server repeat it."""
        text = _words(error)
        user, password = self._server.user, self._server.password.reveal()
        for sent in (password, f"\0{user}\0{password}"):
            encoded = base64.b64encode(sent.encode(errors="replace")).decode()
            text = Secret(encoded).mask(Secret(sent).mask(text)) if password else text
        return plain(text, _LINE).rstrip(".")


class Letter(NamedTuple):
    """The subject and the bodies of a mail."""

    subject: str
    text: str
    html: str


def letter_of(announcement: Announcement, report: str, remarks: Sequence[str] = ()) -> Letter:
    """Return subject and bodies; `report` is the URL of the report's page, or ""."""
    address = page_link(report, announcement)
    more = [*([f"Report: {address}"] if address else []), *remarks]
    lines = [*in_lines(announcement, _SHOWN), *([""] if more else []), *more]
    return Letter(
        subject=f"[KeyVigil] {headline(announcement)}",
        text="\n".join(lines) + "\n",
        html=_html(announcement, address, remarks),
    )


class _HungUp(smtplib.SMTPServerDisconnected):
    """The connection was closed while the mail was being sent."""


def _sent(smtp: smtplib.SMTP, mail: EmailMessage) -> _Refused:
    try:
        return smtp.send_message(mail)
    except smtplib.SMTPServerDisconnected as error:
        raise _HungUp(*error.args) from None


def _words(error: Exception) -> str:
    """Return the server's response, or else the error."""
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    return str(error) or type(error).__name__


def _answer(code: int, said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {text}"


def _refusal(refused: _Refused) -> str:
    """Return the addresses that the server refuses, with its responses."""
    each = "; ".join(f"{address} ({_answer(*answer)})" for address, answer in refused.items())
    return f"The mail server refused {plain(each, _LINE)}."


def _html(announcement: Announcement, report: str, remarks: Sequence[str]) -> str:
    """Render the summary from an autoescaped template."""
    kinds = (("", NEWS), *((heading, (topic,)) for topic, heading in BELOW.items()))
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
        warnings=list(warnings(announcement)),
        sections=sections,
        shapes=SHAPES,
        report=report,
        remarks=remarks,
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
