from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.openai_api.retry import Backoff, asked_wait, should_retry, told_time

NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 599])
def test_these_statuses_are_retried(status: int) -> None:
    assert should_retry(status, {})
    assert not should_retry(status, {"x-should-retry": "false"})


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 422])
def test_other_statuses_are_retried_only_on_request_of_the_api(status: int) -> None:
    assert not should_retry(status, {})
    assert should_retry(status, {"x-should-retry": "true"})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 01 Jul 2026 03:00:20 GMT"}, 20.0),
        ({"retry-after": "Wed, 01 Jul 2026 02:00:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 01 Jul 2026 03:00:20"}, None),
        ({"retry-after": "7\x1f"}, 7.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "9" * 400}, None),
    ],
)
def test_the_wait_that_the_api_requests(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers, NOW) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_can_break_the_reading(milliseconds: str, after: str) -> None:
    wait = asked_wait({"retry-after-ms": milliseconds, "retry-after": after}, NOW)
    assert wait is None or wait >= 0


def test_a_requested_wait_is_kept_up_to_a_minute() -> None:
    assert Backoff().wait(0, 7.0, 0.9) == 7.0
    assert Backoff().wait(0, 3600.0, 0.9) == 60.0


@given(st.integers(0, 60), st.floats(0, 1, exclude_max=True))
def test_other_waits_are_fully_jittered_below_a_ceiling_that_doubles(
    attempt: int, jitter: float
) -> None:
    assert Backoff().wait(attempt, None, jitter) == min(0.5 * 2**attempt, 8.0) * jitter


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("Wed, 01 Jul 2026 03:00:00 GMT", NOW),
        ("Wednesday, 01-Jul-26 03:00:00 GMT", NOW),
        ("Wed, 01 Jul 2026 05:00:00 +0200", NOW),
        ("Wed, 01 Jul 2026 03:00:00", None),
        ("Wed, 01 Jul 2026 03:00:00 +99999999999999999999", None),
        ("Wed, 01 Jul 2026 03:00:00 GMT, Wed, 01 Jul 2026 03:00:00 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_the_time_of_a_response_is_that_of_its_date_header(
    date: str, time: datetime | None
) -> None:
    assert told_time({"date": date}) == time


@given(date=st.text())
def test_no_date_can_break_the_reading(date: str) -> None:
    time = told_time({"date": date})
    assert time is None or time.tzinfo
