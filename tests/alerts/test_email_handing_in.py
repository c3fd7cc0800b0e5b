"""How mail is handed in: over TLS and not, taken, refused, and what is not known."""

import base64
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from scanner.alerts.email import EmailSink
from scanner.errors import AlertError, AlertUncertain
from scanner.secret import Secret
from tests.alerts.mail_server import HOST, Post, serving_mail
from tests.alerts.mailing import DELIVERY, PASSWORD, REPORT, USER, a_sink, login, parts
from tests.alerts.making import ID, Notes, everything_in


def refusal(sink: EmailSink, notes: Notes | None = None) -> AlertError:
    notes = notes or Notes()
    with pytest.raises(AlertError) as caught:
        sink(DELIVERY, notes, lambda: REPORT)
    told = everything_in(caught.value)
    for secret in (PASSWORD, f"\0{USER}\0{PASSWORD}"):
        assert secret not in told
        assert base64.b64encode(secret.encode()).decode() not in told
    assert caught.value.help
    return caught.value


@pytest.mark.parametrize("how", ["loopback", "starttls", "tls"])
def test_it_logs_in_plainly_only_on_this_machine_else_over_tls(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    post = Post(USER, PASSWORD)
    files: dict[str, Any] = {} if how == "loopback" else {how: certificate}
    with serving_mail(post, **files) as port:
        a_sink(port, **login(), is_loopback=how == "loopback", is_tls_from_start=how == "tls")(
            DELIVERY, Notes(), lambda: REPORT
        )
    (arrived,) = post.arrived
    assert (arrived.tls, arrived.user) == (how != "loopback", USER)


@pytest.mark.parametrize("how", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_told_and_nothing(
    certificate: Path, how: str
) -> None:
    post, notes = Post(USER, PASSWORD), Notes()
    files: dict[str, Any] = {how: certificate}
    with serving_mail(post, **files) as port:
        settings = {**login(), "is_loopback": False, "is_tls_from_start": how == "tls"}
        error = refusal(a_sink(port, **settings), notes)
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert post.commands == []
    assert notes.told == ["mail sending"]


def test_a_server_elsewhere_without_tls_is_told_nothing() -> None:
    post = Post(USER, PASSWORD)
    with serving_mail(post) as port:
        error = refusal(a_sink(port, **login(), is_loopback=False))
    assert str(error).endswith(": STARTTLS extension not supported by server.")
    assert post.commands == []


@pytest.mark.parametrize(
    "said",
    [
        "535 5.7.8 No such user or password",
        f"535 5.7.8 {PASSWORD} is wrong",
        f"535 {base64.b64encode(f'{chr(0)}{USER}{chr(0)}{PASSWORD}'.encode()).decode()} is wrong",
        f"535 {base64.b64encode(PASSWORD.encode()).decode()} is wrong",
    ],
)
def test_a_wrong_password_is_one_line_whatever_the_server_repeats(said: str) -> None:
    post = Post(USER, "another")
    post.login_refusal = said
    with serving_mail(post) as port:
        error = refusal(a_sink(port, **login()))
    assert ": 535 " in str(error)
    assert error.help == "Check the user and the password in KEYVIGIL_SMTP_URL."
    assert "MAIL" not in post.commands


def test_some_refused_addresses_are_told_and_the_others_have_the_mail() -> None:
    post, notes = Post(), Notes()
    post.refused = {"bob@example.com": "550 5.1.1 \x1b[31mNobody of that name"}
    with serving_mail(post) as port:
        error = refusal(a_sink(port), notes)
        a_sink(port)(DELIVERY, notes, lambda: REPORT)
    said = "bob@example.com (550 5.1.1 \\u{1b}[31mNobody of that name)"
    assert str(error) == f"The mail server refused {said}."
    assert "KEYVIGIL_MAIL_TO" in str(error.help)
    assert [one.recipients for one in post.arrived] == [("ada@example.com",)]
    assert notes.parts["mail"].receipt == {"refused": "bob@example.com"}
    assert notes.told == ["mail sending", "mail sent"]


def test_where_all_addresses_are_refused_nothing_was_taken() -> None:
    post, notes = Post(), Notes()
    post.refused = dict.fromkeys(("ada@example.com", "bob@example.com"), "450 Later")
    with serving_mail(post) as port:
        error = refusal(a_sink(port), notes)
        assert str(error) == (
            "The mail server refused ada@example.com (450 Later); bob@example.com (450 Later)."
        )
        post.refused = {}
        a_sink(port)(DELIVERY, notes, lambda: REPORT)
    assert notes.told == ["mail sending", "mail sending", "mail sent"]


def test_where_the_server_hangs_up_the_same_mail_comes_again() -> None:
    post, notes = Post(), Notes()
    post.hangs_up_after_data = True
    with serving_mail(post) as port:
        error = refusal(a_sink(port), notes)
        assert isinstance(error, AlertUncertain)
        post.hangs_up_after_data = False
        a_sink(port)(DELIVERY, notes, lambda: REPORT)
    assert [one.mail["Message-ID"] for one in post.arrived] == [f"<{ID}@keyvigil>"] * 2


def test_what_was_taken_is_taken_whatever_the_server_says_after() -> None:
    post, notes = Post(), Notes()
    post.quit_answer = "451 Not so fast"
    with serving_mail(post) as port:
        a_sink(port)(DELIVERY, notes, lambda: REPORT)
    assert notes.told == ["mail sending", "mail sent"]


@pytest.mark.parametrize("size", [None, 12_000])
def test_a_report_that_is_too_large_keeps_no_alert_from_arriving(size: int | None) -> None:
    post, notes = Post(), Notes()
    post.data_answers = [] if size else ["552 5.3.4 Too large"]
    with serving_mail(post, size=size) as port:
        a_sink(port)(DELIVERY, notes, lambda: b"x" * 20_000)
    (arrived,) = post.arrived
    assert list(arrived.mail.iter_attachments()) == []
    for shown in parts(arrived.mail):
        assert "The report is not attached: " in shown
    assert notes.told == ["mail sending", "mail sent"]


def test_a_refused_mail_is_told_in_the_servers_words() -> None:
    post = Post()
    post.data_answers = ["554 5.7.1 Looks like \x1b[31mspam\u202e"]
    with serving_mail(post) as port:
        error = refusal(a_sink(port))
    said = "554 5.7.1 Looks like \\u{1b}[31mspam\\u{202e}"
    assert str(error).endswith(f": {said}.")
    assert not isinstance(error, AlertUncertain)


def test_a_server_that_hangs_up_at_the_door_took_nothing() -> None:
    with socket.create_server((HOST, 0)) as listener:

        def close() -> None:
            listener.accept()[0].close()

        closing = threading.Thread(target=close)
        closing.start()
        error = refusal(a_sink(listener.getsockname()[1]))
        closing.join()
    assert str(error).endswith(": Connection unexpectedly closed.")
    assert not isinstance(error, AlertUncertain)


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 9},
        {"host": "no..such.host"},
        {"host": "x" * 70},
        {"password": Secret("pässword")},
    ],
)
def test_what_cannot_be_is_an_error_and_no_bug(changes: dict[str, Any]) -> None:
    with serving_mail(Post(USER, PASSWORD)) as port:
        error = refusal(a_sink(**{"port": port, **login(), **changes}))
    assert "KEYVIGIL_SMTP_URL" in str(error.help)
