"""The section `alerts` of keyvigil.yaml: the routes and the address of the report's page."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from scanner.announcement import Route, Sink
from scanner.durations import parse_duration
from scanner.policy import document
from scanner.policy.document import Items, Node, Scalar, truth
from scanner.policy.problems import Problems
from scanner.schemas import MAIL_ADDRESS, PAGE_ADDRESS, is_whole
from scanner.severity import Severity
from scanner.spelling import did_you_mean

VARIABLE: Final = r"[A-Z_][A-Z0-9_]*"
GROUP: Final = r"S[A-Z0-9]{6,}"
CHANNEL: Final = r"#[^\s#@<>]+|[CG][A-Z0-9]{6,}"
_SINKS: Final = {
    "slack": Sink.SLACK,
    "slack_owners": Sink.SLACK_OWNERS,
    "slack_webhook": Sink.SLACK_WEBHOOK,
    "webhook": Sink.WEBHOOK,
    "email": Sink.EMAIL,
}
_FILTERS: Final = ("projects", "rules", "owners")
_OPTIONS: Final = ("severity", *_FILTERS, "mention", "attach", "quiet", "reminder")
_VARIABLES: Final = {
    Sink.SLACK_WEBHOOK: "KEYVIGIL_SLACK_WEBHOOK",
    Sink.WEBHOOK: "KEYVIGIL_WEBHOOK_URL",
}


def parse_alerts(node: Node, problems: Problems) -> tuple[tuple[Route, ...], str]:
    """Return the routes and the address of the report's page, or ""; note every mistake.

    A route to a webhook names the variable that contains its address.
    """
    fields = problems.fields(node, "'alerts'", required=("routes",), optional=("report",))
    return tuple(_routes(fields.get("routes"), problems)), _report(fields.get("report"), problems)


def _report(node: Node | None, problems: Problems) -> str:
    address = problems.text(node, "'report'")
    if node is not None and address and not is_whole(PAGE_ADDRESS, address):
        problems.add(
            node,
            "'report' must be the https:// address of the report's page; it may contain {scan_id}"
            " and {date}",
        )
    return address


def is_channel(text: str) -> bool:
    """Whether a text is one Slack channel: #name, or an id."""
    return is_whole(CHANNEL, text)


def is_address(text: str) -> bool:
    """Whether a text is exactly one e-mail address."""
    return is_whole(MAIL_ADDRESS, text)


def _routes(node: Node | None, problems: Problems) -> list[Route]:
    if node is None:
        return []
    if not isinstance(node, Items) or not node.items:
        problems.add(node, "'routes' must be a list of at least one route")
        return []
    routes: list[Route] = []
    for item in node.items:
        route = _route(item, problems)
        if route is None:
            continue
        if route.name and route.name in {one.name for one in routes}:
            problems.add(item, f"there are two routes named '{route.name}'")
        routes.append(route)
    return routes


def _route(node: Node, problems: Problems) -> Route | None:
    """Return a route; after a mistake, the part that could be read, or None."""
    fields = problems.fields(node, "a route", required=("name",), optional=(*_SINKS, *_OPTIONS))
    if not isinstance(node, document.Mapping):
        return None
    name = problems.prose(fields.get("name"), "'name'")
    words = [word for word in _SINKS if word in fields]
    if len(words) != 1:
        problems.add(node, f"a route needs exactly one of {', '.join(_SINKS)}")
    options: dict[str, Any] = {
        word: _texts(fields[word], f"'{word}'", problems) for word in _FILTERS if word in fields
    }
    sinks = {_SINKS[word]: _destination(fields[word], word, problems) for word in words}
    options |= _choices(fields, frozenset(sinks), problems)
    return next((Route(name=name, sink=sink, to=to, **options) for sink, to in sinks.items()), None)


def _destination(node: Node, word: str, problems: Problems) -> str:
    """Return a channel, e-mail addresses separated by commas, or the webhook's variable."""
    sink = _SINKS[word]
    if sink is Sink.EMAIL:
        addresses = _texts(node, "'email'", problems)
        for entry, address in zip(_entries(node), addresses, strict=True):
            if address and not is_address(address):
                problems.add(
                    entry, "an entry of 'email' is not a valid address, such as team@example.com"
                )
        return ", ".join(addresses)
    is_for_channel = sink in (Sink.SLACK, Sink.SLACK_OWNERS)
    if is_for_channel and isinstance(node, Scalar) and node.type == "null":
        problems.add(
            node,
            f"'{word}' is empty: put the channel in quotes, as in \"#security\", because # starts"
            " a comment",
        )
        return ""
    text = problems.text(node, f"'{word}'")
    if is_for_channel:
        if text and not is_channel(text):
            problems.add(node, f"'{word}' must be a channel, such as \"#security\" or C0123456789")
    elif text and not is_whole(VARIABLE, text):
        problems.add(
            node,
            f"'{word}' must be the name of the environment variable that contains the address,"
            f" which is a secret: write {_VARIABLES[sink]} and set that variable",
        )
    return text


def _choices(
    fields: Mapping[str, Node], sinks: frozenset[Sink], problems: Problems
) -> dict[str, Any]:
    """Return the options that take a single value."""
    readers: dict[str, Callable[[Node, Problems], Any]] = {
        "severity": _severity,
        "quiet": _quiet,
        "reminder": _reminder,
        "mention": _mention,
        "attach": _attach,
    }
    if "attach" in fields and sinks & {Sink.SLACK_WEBHOOK, Sink.WEBHOOK}:
        problems.add(
            fields["attach"], "a webhook accepts no files: 'attach' is only for slack and email"
        )
    if "mention" in fields and sinks & {Sink.WEBHOOK, Sink.EMAIL}:
        problems.add(
            fields["mention"], "'mention' is only for Slack: it mentions a Slack user group"
        )
    return {word: read(fields[word], problems) for word, read in readers.items() if word in fields}


def _quiet(node: Node, problems: Problems) -> bool:
    return _one_of(node, "'quiet'", ("silent", "summary"), problems) != "summary"


def _attach(node: Node, problems: Problems) -> bool:
    wanted = truth(node)
    if wanted is None:
        problems.add(node, "'attach' must be true or false, without quotes")
    return bool(wanted)


def _mention(node: Node, problems: Problems) -> str:
    group = problems.text(node, "'mention'")
    if group and not is_whole(GROUP, group):
        problems.add(node, "'mention' must be the id of a user group, such as S0123456789")
    return group


def _severity(node: Node, problems: Problems) -> Severity:
    word = _one_of(node, "'severity'", tuple(Severity), problems)
    return Severity(word) if word else Severity.INFO


def _reminder(node: Node, problems: Problems) -> timedelta | None:
    if isinstance(node, Scalar) and node.text == "never":
        return None
    duration = parse_duration(node.text) if isinstance(node, Scalar) else None
    if duration is None or duration < timedelta(days=1):
        problems.add(node, "'reminder' must be an interval of at least 1d, such as 14d, or never")
    return duration


def _one_of(node: Node, what: str, words: tuple[str, ...], problems: Problems) -> str:
    if not isinstance(node, Scalar) or not node.text:
        problems.add(node, f"{what} must be one of {', '.join(words)}")
        return ""
    if node.text not in words:
        problems.add(node, f"{what} does not accept '{node.text}'{did_you_mean(node.text, words)}")
        return ""
    return node.text


def _texts(node: Node, what: str, problems: Problems) -> tuple[str, ...]:
    """Return a list of texts; a single text is a list of one."""
    entries = _entries(node)
    if not entries:
        problems.add(node, f"{what} is empty: add an entry or remove it")
    return tuple(problems.text(entry, f"an entry of {what}") for entry in entries)


def _entries(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Items) else (node,)
