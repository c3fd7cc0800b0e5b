"""keyvigil.yaml: read with the care of a policy, every mistake at its place."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from scanner.announcement import Route, Sink
from scanner.durations import parse_duration
from scanner.errors import PolicyError, SettingsError, UsageError
from scanner.finding import Severity
from scanner.policy.document import Items, Node, Scalar, read_document
from scanner.policy.problems import Problems, did_you_mean

DEFAULT_FILE: Final = "keyvigil.yaml"
_BYTES: Final = 1_000_000
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_GROUP: Final = re.compile(r"S[A-Z0-9]{6,}")
_CHANNEL: Final = re.compile(r"#[^\s#@<>]+|[CG][A-Z0-9]{6,}")
_SINKS: Final = {
    "slack": Sink.SLACK,
    "slack_owners": Sink.SLACK_OWNERS,
    "slack_webhook": Sink.SLACK_WEBHOOK,
    "webhook": Sink.WEBHOOK,
    "email": Sink.EMAIL,
}
_FILTERS: Final = ("projects", "rules", "owners")
_OPTIONS: Final = ("severity", *_FILTERS, "mention", "attach", "quiet", "reminder")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """What the file says. A route to a webhook names the variable that holds its address."""

    routes: tuple[Route, ...] = ()
    report: str = ""


def read_settings_file(path: Path) -> FileSettings:
    """Read the file; raise SettingsError with every mistake, UsageError if it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES + 1)
        if len(content) > _BYTES:
            raise UsageError(f"The settings {path} are larger than {_BYTES:,} bytes.")
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"The settings {path} cannot be read: {error.strerror}.",
            help="Check the path in --config or KEYVIGIL_CONFIG.",
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"The settings {path} are no UTF-8 text.") from None
    try:
        return parse_settings(text, str(path))
    except PolicyError as error:
        raise SettingsError(error.problems) from None


def parse_settings(text: str, file: str) -> FileSettings:
    """Read the settings; raise PolicyError with every mistake."""
    root, of_its_keys = read_document(text, file)
    problems = Problems(file)
    problems.include(of_its_keys)
    alerts = problems.fields(root, "the file", required=("alerts",), optional=()).get("alerts")
    routes: tuple[Route, ...] = ()
    report = ""
    if alerts is not None:
        fields = problems.fields(alerts, "'alerts'", required=("routes",), optional=("report",))
        routes = tuple(_routes(fields.get("routes"), problems))
        report = _report(fields.get("report"), problems)
    problems.raise_if_any()
    return FileSettings(routes=routes, report=report)


def _report(node: Node | None, problems: Problems) -> str:
    address = problems.text(node, "'report'")
    if node is not None and address and not address.startswith("https://"):
        problems.add(node, "'report' is the address of the page, https://..., for a link to it")
    return address


def _routes(node: Node | None, problems: Problems) -> list[Route]:
    if node is None:
        return []
    if not isinstance(node, Items) or not node.items:
        problems.add(node, "'routes' takes a list with at least one route in it")
        return []
    routes: list[Route] = []
    for item in node.items:
        route = _route(item, problems)
        if route is None:
            continue
        if route.name in {one.name for one in routes}:
            problems.add(item, f"there are two routes '{route.name}'")
        routes.append(route)
    return routes


def _route(node: Node, problems: Problems) -> Route | None:
    fields = problems.fields(node, "a route", required=("name",), optional=(*_SINKS, *_OPTIONS))
    name = problems.prose(fields.get("name"), "'name'")
    sinks = [word for word in _SINKS if word in fields]
    if len(sinks) != 1:
        problems.add(node, f"a route leads to one of {', '.join(_SINKS)}")
        return None
    sink = _SINKS[sinks[0]]
    options: dict[str, Any] = {
        word: _texts(fields[word], f"'{word}'", problems) for word in _FILTERS if word in fields
    }
    options |= _choices(fields, sink, problems)
    to = _destination(fields[sinks[0]], sinks[0], sink, problems)
    return Route(name=name, sink=sink, to=to, **options)


def _destination(node: Node, word: str, sink: Sink, problems: Problems) -> str:
    """Return a channel, addresses separated by commas, or the variable that holds the address."""
    if sink is Sink.EMAIL:
        addresses = _texts(node, f"'{word}'", problems)
        for address in addresses:
            if "@" not in address or any(mark in address for mark in ", \n<>"):
                problems.add(node, f"'{address}' is no e-mail address")
        return ", ".join(addresses)
    text = problems.text(node, f"'{word}'")
    if sink in (Sink.SLACK, Sink.SLACK_OWNERS):
        if text and not _CHANNEL.fullmatch(text):
            problems.add(node, f"'{word}' names a channel, such as \"#security\" or C0123456789")
    elif text and not _VARIABLE.fullmatch(text):
        problems.add(
            node,
            f"'{word}' names the environment variable that holds the address, which is a secret;"
            " write KEYVIGIL_WEBHOOK_URL and set that",
        )
    return text


def _choices(fields: Mapping[str, Node], sink: Sink, problems: Problems) -> dict[str, Any]:
    """Return the options of one word each."""
    readers: dict[str, Callable[[Node, Problems], Any]] = {
        "severity": _severity,
        "quiet": _quiet,
        "reminder": _reminder,
        "mention": _mention,
        "attach": _attach,
    }
    if "attach" in fields and sink in (Sink.SLACK_WEBHOOK, Sink.WEBHOOK):
        problems.add(fields["attach"], "a webhook takes no files: 'attach' is for slack and email")
    return {word: read(fields[word], problems) for word, read in readers.items() if word in fields}


def _quiet(node: Node, problems: Problems) -> bool:
    return _one_of(node, "'quiet'", ("silent", "summary"), problems) != "summary"


def _attach(node: Node, problems: Problems) -> bool:
    return _one_of(node, "'attach'", ("true", "false"), problems) == "true"


def _mention(node: Node, problems: Problems) -> str:
    group = problems.text(node, "'mention'")
    if group and not _GROUP.fullmatch(group):
        problems.add(node, "'mention' is a user group's id, such as S0123456789")
    return group


def _severity(node: Node, problems: Problems) -> Severity:
    word = _one_of(node, "'severity'", tuple(Severity), problems)
    return Severity(word) if word else Severity.INFO


def _reminder(node: Node, problems: Problems) -> timedelta | None:
    if isinstance(node, Scalar) and node.text == "never":
        return None
    duration = parse_duration(node.text) if isinstance(node, Scalar) else None
    if duration is None or duration < timedelta(days=1):
        problems.add(node, "'reminder' is how often, a day at least, such as 14d, or never")
    return duration


def _one_of(node: Node, what: str, words: tuple[str, ...], problems: Problems) -> str:
    text = node.text if isinstance(node, Scalar) else ""
    if text in words:
        return text
    problems.add(node, f"{what} is never '{text}'{did_you_mean(text, words)}")
    return ""


def _texts(node: Node, what: str, problems: Problems) -> tuple[str, ...]:
    """Return a list of texts; one alone is a list of one."""
    nodes = node.items if isinstance(node, Items) else (node,)
    if not nodes:
        problems.add(node, f"{what} is empty: list something or remove it")
    return tuple(problems.text(item, f"an entry of {what}") for item in nodes)
