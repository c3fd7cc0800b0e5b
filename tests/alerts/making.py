"""A delivery with news of every kind, and a log that remembers what it was told."""

from dataclasses import replace
from typing import Any

from scanner.announce import announcement
from scanner.announcement import Announcement, Delivery, Draft, Part, PartState, Route, Sink
from tests.factories import NOW, a_remembered_result

ID = "0123456789abcdef0123456789abcdef"
HOSTILE = (
    "\x00nul",
    "\ud800lone",
    "a\r\nBcc: eve@example.com\r\n\r\nb",
    "</td></table><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\" style='x' onload=\"alert(1)",
    "<!--",
    "{{ 7*7 }}",
    "\u202egnp\u2028.\n",
    "<!channel> @here",
)


def an_announcement(**changes: Any) -> Announcement:
    """What the remembered result says: something of every kind, a gap, hostile names."""
    route = Route(name="all", sink=Sink.WEBHOOK, to="KEYVIGIL_WEBHOOK_URL")
    whole = announcement(a_remembered_result(), route)
    return replace(whole, **{"scan_id": "20260701T030000Z-0a1b2c3d", **changes})


def a_hostile_announcement(texts: tuple[str, ...] = HOSTILE) -> Announcement:
    """The same, with whatever strangers write wherever they can."""
    said = an_announcement()
    whole = " ".join(texts)
    spoilt = ("project", "owner", "owner_email", "title", "fix", "evidence", "redacted_value")
    everywhere: dict[str, Any] = dict.fromkeys(spoilt, whole)
    items = (
        item._replace(key_name=texts[number % len(texts)], **everywhere)
        for number, item in enumerate(said.items * 2)
    )
    counts = {topic: count * 2 for topic, count in said.counts.items()}
    return replace(
        said, organization=whole, gaps=texts, policies=texts, items=tuple(items), counts=counts
    )


def a_delivery(
    said: Announcement | None = None, *, sink: Sink = Sink.WEBHOOK, target: str = "TARGET"
) -> Delivery:
    """One on its way to a route `the-route`."""
    draft = Draft("the-route", sink, target, said or an_announcement())
    return Delivery(id=ID, made_at=NOW, draft=draft)


class Notes:
    """Implements Log in memory; `told` has what happened in its order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.parts: dict[str, Part] = {}

    def part(self, name: str) -> Part | None:
        return self.parts.get(name)

    def begin(self, name: str, **receipt: str) -> None:
        self._note(name, Part(state=PartState.SENDING, at=NOW, receipt=receipt))

    def done(self, name: str, **receipt: str) -> None:
        self._note(name, Part(state=PartState.SENT, at=NOW, receipt=receipt))

    def earlier_today(self) -> tuple[Delivery, ...]:
        return ()

    def _note(self, name: str, part: Part) -> None:
        self.parts[name] = part
        self.told.append(f"{name} {part.state.value}")


def no_page() -> bytes | None:
    """What the scan's page rests on is kept no more."""
    return None


def everything_in(error: BaseException) -> str:
    """All that an error could show: its words, its help, and those of the errors below it."""
    texts = []
    below: BaseException | None = error
    while below is not None:
        texts += [str(below), repr(below), str(getattr(below, "help", ""))]
        below = below.__cause__ if below.__suppress_context__ else below.__context__
    return "\n".join(texts)


class Sleep:
    """Waits for nothing, and remembers for how long it did not."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
