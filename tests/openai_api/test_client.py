import asyncio
import inspect
import logging
from collections.abc import Callable

import httpx2
import pytest

from scanner import errors
from scanner.errors import (
    ApiError,
    ApiFailed,
    ApiForbidden,
    ApiMalformed,
    ApiNotFound,
    ApiRejected,
    ApiUnreachable,
    UsageError,
)
from scanner.openai_api.client import AdminClient, Answer
from scanner.openai_api.failures import unreachable
from scanner.openai_api.pace import Pace
from scanner.openai_api.pages import Page, parse_page
from scanner.openai_api.retry import Backoff
from scanner.openai_api.wire import WireProject
from scanner.sandbox.server import serving
from scanner.secret import Secret
from tests.openai_api.scripted import KEY, Asked, Reply, Script, Waits, in_turn, scripted
from tests.support.prose import Prose

PATH = "/organization/projects"


def get(make_client: Callable[[], AdminClient], path: str = PATH) -> Answer[bytes]:
    async def ask() -> Answer[bytes]:
        async with make_client() as client:
            return await client.get(path, {"limit": 100}, lambda body: body)

    return asyncio.run(ask())


def get_page(make_client: Callable[[], AdminClient]) -> None:
    async def ask() -> None:
        async with make_client() as client:
            await client.get(PATH, {}, lambda body: parse_page(body, Page[WireProject]))

    asyncio.run(ask())


def error_body(message: str) -> dict[str, dict[str, str]]:
    return {"error": {"message": message, "type": "invalid_request_error"}}


def test_a_request_carries_the_key_and_the_parameters() -> None:
    with scripted(in_turn(Reply(headers={"x-request-id": "req_9"}))) as (script, client, _):
        answer = get(client)
    (asked,) = script.asked
    assert asked.path == f"/v1{PATH}"
    assert asked.query == {"limit": ["100"]}
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert answer.request_id == "req_9"


@pytest.mark.parametrize(
    ("status", "message", "error", "hint"),
    [
        (401, "Incorrect API key provided.", ApiRejected, "OPENAI_ADMIN_KEY"),
        (401, "Missing scopes: api.management.read", ApiForbidden, "api.management.read"),
        (403, "Missing scopes: api.management.read", ApiForbidden, "api.management.read"),
        (403, "You are not allowed.", ApiForbidden, "owner"),
        (404, "Invalid URL", ApiNotFound, "OPENAI_BASE_URL"),
        (400, "Project is archived.", ApiFailed, "status.openai.com"),
    ],
)
def test_an_error_status_raises_an_error_with_help(
    status: int, message: str, error: type[ApiError], hint: str, prose: Prose
) -> None:
    reply = Reply(status=status, body=error_body(message), headers={"x-request-id": "req_7"})
    with scripted(in_turn(reply)) as (script, client, _), pytest.raises(error) as caught:
        get(client)
    assert str(caught.value).startswith(f"GET {PATH} ")
    assert str(caught.value).endswith(f" {status}: {message}")
    assert hint in (caught.value.help or "")
    prose(f"{caught.value}\n{caught.value.help}")
    assert caught.value.request_id == "req_7"
    assert len(script.asked) == 1


def test_the_parts_of_a_key_in_an_error_are_masked() -> None:
    message = "Incorrect API key provided: sk-admin***rong. You can find yours elsewhere."
    reply = Reply(status=401, body=error_body(message))
    with scripted(in_turn(reply)) as (_, client, _), pytest.raises(ApiRejected) as caught:
        get(client)
    assert "sk-***. You can" in str(caught.value)
    assert "rong" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/organization/usage/completions", "api.usage.read"),
        ("/organization/costs", "api.usage.read"),
        ("/organization/audit_logs", "api.audit_logs.read"),
        ("/organization/projects/proj_1/service_accounts", "api.management.read"),
    ],
)
def test_the_help_names_the_scope_of_the_endpoint(path: str, scope: str) -> None:
    reply = Reply(status=403, body=error_body("You have insufficient scopes."))
    with scripted(in_turn(reply)) as (_, client, _), pytest.raises(ApiForbidden) as caught:
        get(client, path)
    assert f" {scope}." in (caught.value.help or "")


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_a_temporary_failure_is_retried(status: int) -> None:
    with scripted(in_turn(Reply(status=status, body=b"busy"), Reply())) as (script, client, waits):
        get(client)
    assert len(script.asked) == 2
    assert len(waits.seconds) == 1


def test_a_permanent_failure_is_raised_after_five_retries() -> None:
    reply = Reply(status=502, body=error_body("overloaded"), headers={"retry-after-ms": "20"})
    with scripted(in_turn(reply)) as (script, client, waits), pytest.raises(ApiFailed) as caught:
        get(client)
    assert str(caught.value).endswith(" 502: overloaded")
    assert len(script.asked) == 6
    assert waits.seconds == [0.02] * 5


@pytest.mark.parametrize("status", [429, 503])
def test_an_overload_delays_all_requests_and_halves_the_parallel_limit(status: int) -> None:
    busy = Reply(status=status, headers={"retry-after-ms": "30"})
    paces: list[Pace] = []

    def client() -> AdminClient:
        paces.append(Pace(32, clock=waits.clock, sleep=waits))
        return AdminClient(Secret(KEY), base_url=url, pace=paces[0])

    script, waits = Script(in_turn(busy, Reply())), Waits()
    with serving(script) as url:
        get(client)
    assert paces[0].limit == 32 // 4 // 2 + 4  # halved from 8; the next response was a success
    assert 0.02 < max(waits.seconds) < 0.04


def test_a_truncated_body_is_retried_a_limited_number_of_times() -> None:
    torn = Reply(body=b'{"data": [')
    with scripted(in_turn(torn, Reply())) as (script, client, _):
        get_page(client)
    assert len(script.asked) == 2
    with (
        scripted(in_turn(torn)) as (script, client, _),
        pytest.raises(ApiMalformed),
    ):
        get_page(client)
    assert len(script.asked) == 6


def test_a_timeout_is_reported_as_a_timeout(prose: Prose) -> None:
    error = unreachable(TimeoutError(), f"GET {PATH}", "https://127.0.0.1/v1")
    assert str(error).startswith("https://127.0.0.1/v1 ")
    assert "(TimeoutError)" in str(error)
    prose(f"{error}\n{error.help}")


def test_after_the_deadline_no_request_is_sent(prose: Prose) -> None:
    script = Script(in_turn(Reply()))
    with serving(script) as url, pytest.raises(ApiFailed) as caught:
        get(lambda: AdminClient(Secret(KEY), base_url=url, pace=Pace(1, deadline=0)))
    assert script.asked == []
    assert "--deadline" in (caught.value.help or "")
    prose(f"{caught.value}\n{caught.value.help}")


def test_html_from_a_proxy_is_a_malformed_response(prose: Prose) -> None:
    html = Reply(body=b"<html>Sign in</html>", headers={"content-type": "text/html; charset=x"})
    with scripted(in_turn(html)) as (_, client, _waits), pytest.raises(ApiMalformed) as caught:
        get(client)
    assert str(caught.value).startswith(f"GET {PATH} ")
    assert " text/html " in str(caught.value)
    assert "proxy" in (caught.value.help or "")
    prose(f"{caught.value}\n{caught.value.help}")


def test_the_help_for_a_403_of_a_proxy_names_the_proxy() -> None:
    html = Reply(status=403, body=b"<html>Blocked</html>")
    with scripted(in_turn(html)) as (_, client, _waits), pytest.raises(ApiFailed) as caught:
        get(client)
    assert "proxy" in (caught.value.help or "")


def test_the_key_is_not_sent_to_the_target_of_a_redirect() -> None:
    def away(asked: Asked) -> Reply:
        return Reply(status=302, headers={"location": f"http://{asked.headers['host']}/elsewhere"})

    with scripted(away) as (script, client, _), pytest.raises(ApiFailed, match=r" 302$"):
        get(client)
    assert len(script.asked) == 1


def test_a_message_of_the_api_is_escaped_and_redacted() -> None:
    reply = Reply(status=400, body=error_body(f"\x1b[31m{KEY}" + "x" * 1000))
    with scripted(in_turn(reply)) as (_, client, _waits), pytest.raises(ApiFailed) as caught:
        get(client)
    assert "\x1b" not in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_key_itself_is_masked_even_in_an_unusual_format() -> None:
    odd = "sk-admin-ab"
    reply = Reply(status=400, body=error_body(f"no such key: {odd}"))
    with serving(Script(in_turn(reply))) as url, pytest.raises(ApiFailed) as caught:
        get(lambda: AdminClient(Secret(odd), base_url=url, pace=Pace(1)))
    assert str(caught.value).endswith("no such key: ***")


def test_plain_http_on_loopback_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(in_turn(Reply()))
    with serving(script) as url:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
        get(lambda: AdminClient(Secret(KEY), base_url=url, pace=Pace(1)))
    assert len(script.asked) == 1


def test_a_retry_after_with_an_impossible_date_is_ignored() -> None:
    busy = Reply(status=429, headers={"retry-after": f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"})
    with scripted(in_turn(busy, Reply())) as (script, client, _):
        get(client)
    assert len(script.asked) == 2


@pytest.mark.parametrize("body", [b"[]", b'{"error": {"message": 3}}', b"", b"<html>", b"{}", b"1"])
def test_an_error_body_without_text_has_no_message(body: bytes) -> None:
    with (
        scripted(in_turn(Reply(status=400, body=body))) as (_, client, _waits),
        pytest.raises(ApiFailed, match=f"^GET {PATH} [a-z]+ 400$"),
    ):
        get(client)


SCOPES = "Missing scopes: api.management.read."


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": SCOPES}},
        {"error": SCOPES},
        {"error": [SCOPES]},
        {"error": {"code": "x", "error": {"message": SCOPES}}},
        {"error": "Forbidden", "message": SCOPES},
        {"message": SCOPES},
        {"detail": SCOPES},
        {"detail": [{"msg": SCOPES, "loc": ["body"]}]},
        {"errors": [{"message": SCOPES}]},
        {"message": f"{'x' * 400} {SCOPES}"},
        [SCOPES],
        SCOPES,
        SCOPES.encode(),
        f'\ufeff{{"error": "{SCOPES}"}}'.encode(),
        f'{{"error": "half \\ud83d {SCOPES}"}}'.encode(),
    ],
)
def test_an_error_body_of_every_form_keeps_its_message(body: object, status: int) -> None:
    with (
        scripted(in_turn(Reply(status=status, body=body))) as (_, client, _waits),
        pytest.raises(ApiForbidden) as raised,
    ):
        get(client)
    assert "api.management.read" in (raised.value.help or "")
    assert "x" * 200 in str(raised.value) or "Missing scopes" in str(raised.value)


SCOPES = "Missing scopes: api.management.read."


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"message": "slow down"}}, ApiFailed),
        ({"data": {"error": {"message": "slow down"}}}, ApiFailed),
        ({"data": [], "has_more": False, "error": {"message": "slow down"}}, ApiFailed),
        ({"error": "slow down: " + SCOPES}, ApiForbidden),
    ],
)
def test_an_error_in_a_successful_response_keeps_its_message_and_is_not_repeated(
    body: object, kind: type[ApiError]
) -> None:
    with (
        scripted(in_turn(Reply(body=body))) as (script, client, _waits),
        pytest.raises(kind, match="slow down"),
    ):
        get_page(client)
    assert len(script.asked) == 1


@pytest.mark.parametrize("status", [200, 400, 403, 404])
@pytest.mark.parametrize(
    "body",
    [
        {"errors": {"0": SCOPES}},
        {"Message": SCOPES},
        {"title": SCOPES, "status": 403},
        {"error": {"description": SCOPES}},
        {"error": {"code": SCOPES}},
        {"error": {"message": {"en": SCOPES}}},
        {"fault": {"faultstring": SCOPES, "detail": {"errorcode": "policy"}}},
        {"response": {"error": {"message": SCOPES}}},
    ],
)
def test_a_message_is_found_wherever_an_error_body_has_it(body: object, status: int) -> None:
    with (
        scripted(in_turn(Reply(status=status, body=body))) as (_, client, _waits),
        pytest.raises(ApiForbidden, match="Missing scopes") as raised,
    ):
        get_page(client)
    assert "api.management.read" in (raised.value.help or "")


def test_an_unreachable_host_is_reported_with_the_reason() -> None:
    async def no_wait(_seconds: float) -> None:
        return

    def client() -> AdminClient:
        return AdminClient(
            Secret(KEY),
            base_url="http://127.0.0.1:9/v1",
            pace=Pace(1, sleep=no_wait),
            backoff=Backoff(tries=2),
        )

    with pytest.raises(ApiUnreachable) as caught:
        get(client)
    assert str(caught.value).startswith("http://127.0.0.1:9/v1 ")
    assert str(caught.value).endswith(": Connection refused")


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("HTTPS_PROXY", "foo://bar:baz", "HTTPS_PROXY"),
        ("SSL_CERT_FILE", "/nowhere/x.pem", "proxy or TLS settings"),
    ],
)
def test_an_invalid_environment_variable_is_reported(
    variable: str, value: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=named):
        AdminClient(Secret(KEY), base_url="https://127.0.0.1:9/v1", pace=Pace(1))


def test_the_key_is_in_no_log_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with scripted(in_turn(Reply())) as (_, client, _waits):
        get(client)
    assert caplog.records
    assert KEY not in caplog.text


def test_every_error_of_the_http_library_is_one_of_ours() -> None:
    """What `get` catches covers every exception a request can raise."""
    known = (httpx2.RequestError, httpx2.HTTPStatusError, httpx2.InvalidURL, httpx2.StreamError)
    apart = {"CookieConflict", "HTTPError", "SSEError", "HTTPXDeprecationWarning"}
    for name, kind in vars(httpx2).items():
        if inspect.isclass(kind) and issubclass(kind, Exception) and name not in apart:
            assert issubclass(kind, known), name


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.KeyVigilError):
            assert name in (errors.__doc__ or "")
