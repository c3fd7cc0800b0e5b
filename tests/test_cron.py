"""Cron expressions: what they mean, and every mistake at its character."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.cron import CronError, parse_cron

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
    ("text", "mistake"),
    [
        ("", "character 1: a schedule has five fields: minute, hour, day of the month, month, day"),
        ("30 2 * *", "character 9: a schedule has five fields"),
        ("0 30 2 * * *", "character 12: '*' is one field too many"),
        ("60 2 * * *", "character 1: the minute 60 is not from 0 to 59"),
        ("30 24 * * *", "character 4: the hour 24 is not from 0 to 23"),
        ("30 2 0 * *", "character 6: the day of the month 0 is not from 1 to 31"),
        ("30 2 * 13 *", "character 8: the month 13 is not from 1 to 12"),
        ("30 2 * * 8", "character 10: the day of the week 8 is not from 0 to 7"),
        ("30 2 * * mon-fry", "character 14: 'fry' is no day of the week; did you mean fri?"),
        ("30 2 * jam *", "character 8: 'jam' is no month; did you mean jan?"),
        ("30 two * * *", "character 4: 'two' is no hour: it takes numbers"),
        ("30 2 * * xyz", "character 10: 'xyz' is no day of the week; known: sun, mon, tue"),
        ("30 1,,2 * * *", "character 6: nothing between two commas is no hour"),
        ("30 5-2 * * *", "character 4: the range 5-2 runs backwards"),
        ("30 2 * * 5-0", "character 10: the range 5-0 runs backwards"),
        ("5/15 * * * *", "character 2: a step needs a range: write 5-59/15, which Kubernetes"),
        ("*/0 * * * *", "character 3: the step 0 is not from 1 to 60"),
        ("*/90 * * * *", "character 3: the step 90 is not from 1 to 60: a step counts within"),
        ("1,*/90 * * * *", "character 5: the step 90"),
        ("? 2 * * *", "character 1: '?' stands for a day only; write * for any minute"),
        ("0 0 L * *", "character 5: 'L' is no day of the month; L, W and # are not part of cron"),
        ("0 0 * * mon#2", "character 9: 'mon#2' is no day of the week; L, W and # are not"),
        ("0 0 15W * *", "character 5: '15W' is no day of the month; L, W and # are not"),
        ("*5 2 * * *", "character 1: '*5' is no minute"),
        ("-5 2 * * *", "character 1: '-5' is no minute"),
        ("\u0663 2 * * *", "character 1: '\u0663' is no minute"),
        ("0 0 30 2 *", "character 5: none of these months has such a day"),
        ("0 0 31 4,6,9,11 *", "character 5: none of these months has such a day"),
        ("@nightly", "character 1: '@nightly' is no schedule; did you mean @"),
        ("@every 1h", "character 1: '@every 1h' is no schedule"),
        (" @reboot", "character 2: '@reboot' is no schedule"),
        ("CRON_TZ=UTC 0 0 * * *", "character 1: the time zone has a place of its own"),
    ],
)
def test_a_mistake_is_told_at_its_character(text: str, mistake: str) -> None:
    with pytest.raises(CronError) as caught:
        parse_cron(text)
    assert str(caught.value).startswith(mistake)
    assert str(caught.value).startswith(f"character {caught.value.position}: ")


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
