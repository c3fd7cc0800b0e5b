"""Cron expressions: their meaning, and every mistake with its position."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.cron import CronError, parse_cron
from tests.support.prose import Prose

MONDAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 7"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@Annually", "0 0 1 jan *"),
        ("@hourly", "0 * * * *"),
        ("30 2 * * sun", "30 2 * * 0"),
        ("30 2 * * SUN", "30 2 * * 7"),
        ("30 2 * * 5-7", "30 2 * * 0,5,6"),
        ("30 2 * * fri-sun", "30 2 * * 5-7"),
        ("30 2 * * sun-tue", "30 2 * * 0-2"),
        ("30 2 * * sun-sun", "30 2 * * 0"),
        ("30 2 ? * mon-fri", "30 2 * * 1-5"),
        ("30 2 * Mar-may,DEC *", "30 2 * 3,4,5,12 *"),
        ("0-40/20 */6 1-31/10 * *", "0,20,40 0,6,12,18 1,11,21,31 * *"),
        ("  30\t2  * * *\n", "30 2 * * *"),
        ("*/60 */24 * * *", "0 0 * * *"),
    ],
)
def test_two_ways_to_say_one_schedule(text: str, same: str) -> None:
    one, other = parse_cron(text), parse_cron(same)
    fields = ("minutes", "hours", "days", "months", "weekdays")
    assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 0 13 * fri", [6, 13, 20, 27]),  # both restricted: either
        ("0 0 13 * *", [13]),
        ("0 0 * * fri", [6, 13, 20, 27]),
        ("0 0 */2 * mon", [9, 23]),  # begins with a star: both
        ("0 0 1,15 * */2", [1, 15]),
        ("0 0 1-31 * mon", list(range(1, 32))),
    ],
)
def test_a_day_is_one_of_the_month_or_of_the_week_if_both_are_restricted(
    text: str, days: list[int]
) -> None:
    march = [date(2026, 3, day) for day in range(1, 32)]
    assert [day.day for day in march if parse_cron(text).has_day(day)] == days


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("30 2 * *", 9),
        ("0 30 2 * * *", 12),
        ("60 2 * * *", 1),
        ("30 24 * * *", 4),
        ("30 2 0 * *", 6),
        ("30 2 * 13 *", 8),
        ("30 2 * * 8", 10),
        ("30 2 * * mon-fry", 14),
        ("30 2 * jam *", 8),
        ("30 two * * *", 4),
        ("30 2 * * xyz", 10),
        ("30 1,,2 * * *", 6),
        ("30 5-2 * * *", 4),
        ("30 2 * * 5-0", 10),
        ("5/15 * * * *", 2),
        ("*/0 * * * *", 3),
        ("*/90 * * * *", 3),
        ("1,*/90 * * * *", 5),
        ("? 2 * * *", 1),
        ("0 0 L * *", 5),
        ("0 0 * * mon#2", 9),
        ("0 0 15W * *", 5),
        ("*5 2 * * *", 1),
        ("-5 2 * * *", 1),
        ("\u0663 2 * * *", 1),
        ("0 0 30 2 *", 5),
        ("0 0 31 4,6,9,11 *", 5),
        ("@nightly", 1),
        ("@every 1h", 1),
        (" @reboot", 2),
        ("CRON_TZ=UTC 0 0 * * *", 1),
    ],
)
def test_a_mistake_is_reported_at_its_character(text: str, position: int, prose: Prose) -> None:
    with pytest.raises(CronError) as caught:
        parse_cron(text)
    assert caught.value.position == position
    prose(str(caught.value))


@given(st.text(alphabet="0123456789*?/-,@# LWmonfrijadecTZ=\t", max_size=20) | st.text(max_size=20))
def test_any_text_is_a_schedule_or_a_mistake_within_it(text: str) -> None:
    try:
        cron = parse_cron(text)
    except CronError as error:
        assert 1 <= error.position <= len(text) + 1  # noqa: PT017 - most texts are mistakes
    else:
        assert cron.minutes <= set(range(60))
        assert cron.weekdays <= set(range(7))


def test_the_29th_of_february_does_come() -> None:
    cron = parse_cron("0 0 29 2 *")
    assert cron.has_day(date(2028, 2, 29))
    assert not cron.has_day(date(2027, 3, 1))
    assert not cron.has_day(MONDAY)
