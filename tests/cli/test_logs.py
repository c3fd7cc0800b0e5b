"""One event, one line: for people or for programs, hostile text inert, secrets masked."""

import io
import json
import logging
from datetime import UTC, datetime
from typing import Any
from unicodedata import category

from hypothesis import given
from hypothesis import strategies as st

from scanner.cli.log_format import LogFormat
from scanner.cli.logs import FromLibraries, StreamLog
from scanner.daemon.events import Level

AT = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)


def record(name: str, level: int) -> logging.LogRecord:
    return logging.LogRecord(name, level, "", 0, "said", None, None)


def written(log_format: LogFormat, event: str, **fields: Any) -> str:
    stream = io.StringIO()
    StreamLog(log_format, stream, lambda: AT)(Level.WARNING, event, **fields)
    return stream.getvalue()


def test_an_event_is_a_line_of_keys_and_values() -> None:
    line = written(
        LogFormat.CONSOLE,
        "run_ended",
        due=AT,
        code=0,
        note='a "b"=c',
        empty="",
        none=None,
        ok=False,
    )
    assert line == (
        "2026-11-25T02:30:00Z warning run_ended due=2026-11-25T02:30:00Z code=0"
        ' note="a \\"b\\"=c" ok=False\n'
    )


def test_or_a_line_of_json() -> None:
    line = written(LogFormat.JSON, "run_ended", due=AT, code=0, note='a "b"', none=None, ok=False)
    read = json.loads(line)
    assert datetime.fromisoformat(read.pop("ts")).tzinfo == UTC
    assert read == {
        "level": "warning",
        "event": "run_ended",
        "due": "2026-11-25T02:30:00Z",
        "code": 0,
        "note": 'a "b"',
        "ok": False,
    }


@given(st.text())
def test_whatever_a_value_is_it_stays_on_its_line(value: str) -> None:
    for log_format in LogFormat:
        line = written(log_format, "e", value=value)
        assert line.count("\n") == 1
        assert line[:-1].splitlines() == [line[:-1]]
        assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & set(map(category, line[:-1]))


def test_secrets_are_masked() -> None:
    for log_format in LogFormat:
        line = written(log_format, "e", error="sk-admin-abcdefghijklmnop refused")
        assert "abcdefgh" not in line
        assert "sk-***" in line


def test_a_log_that_nobody_reads_any_more_ends_nothing() -> None:
    stream = io.StringIO()
    log = StreamLog(LogFormat.CONSOLE, stream, lambda: AT)
    stream.close()
    log(Level.ERROR, "e")


def test_what_libraries_warn_of_is_an_event_too() -> None:
    stream = io.StringIO()
    handler = FromLibraries(StreamLog(LogFormat.CONSOLE, stream, lambda: AT))
    logger = logging.getLogger("library.of.others")
    logger.addHandler(handler)
    try:
        logger.info("not this")
        logger.warning("%d things\nhappened", 2)
        logger.error("it broke", exc_info=ValueError("why"))
        handler.handle(record("apscheduler.executors.default", logging.WARNING))  # told by us
        handler.handle(record("apscheduler.executors.default", logging.ERROR))
    finally:
        logger.removeHandler(handler)
    first, second, third = (line.split(" ", 1)[1] for line in stream.getvalue().splitlines())
    assert third == "error   library name=apscheduler.executors.default text=said"
    assert first == r'warning library name=library.of.others text="2 things\\u{a}happened"'
    assert second == 'error   library name=library.of.others text="it broke: why"'
