"""Alerts about revocations that were made, failed or are uncertain. Pure."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence

from scanner.announcement import MOST_ITEMS, Announcement, Draft, Item, Route, Sink, Topic
from scanner.receipt import Act, Result
from scanner.result import ScanResult
from scanner.revocation import Method
from scanner.routing import passes_intent


def drafts_of_acts(
    result: ScanResult, receipts: Container[str], routes: Iterable[Route], entry: int
) -> tuple[Draft, ...]:
    """Return the alerts for each route about these receipts; `entry` is the newest journal entry.

    Owners are notified of their own keys; other routes also of failed and uncertain actions.
    """
    done = result.revocation.acts if result.revocation else ()
    acts = tuple(act for act in done if act.intent.receipt in receipts)
    return tuple(draft for route in routes for draft in _of_route(result, acts, route, entry))


def _of_route(result: ScanResult, acts: Sequence[Act], route: Route, entry: int) -> Iterator[Draft]:
    notices = tuple(_notices(acts))
    items = [
        _item(act, result) for act in acts if went_well(act) and passes_intent(act.intent, route)
    ]
    if route.sink is not Sink.SLACK_OWNERS:
        if items or notices:
            yield Draft(route.name, route.sink, "", _announced(result, items, notices, entry))
        return
    of_owner: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        of_owner[item.owner_email.casefold()].append(item)
    for owner, own in sorted(of_owner.items()):
        yield Draft(route.name, route.sink, owner, _announced(result, own, (), entry))


def _announced(
    result: ScanResult, items: Sequence[Item], notices: tuple[str, ...], entry: int
) -> Announcement:
    totals = result.totals()
    return Announcement(
        scan_id=result.id,
        organization=result.organization or "OpenAI organization",
        at=result.started_at,
        policies=result.policies,
        keys=result.keys,
        keys_violating=totals.keys_violating,
        by_severity=totals.by_severity,
        counts=dict(Counter(item.topic for item in items)),
        items=tuple(items[:MOST_ITEMS]),
        notices=notices,
        entry=entry,
    )


def went_well(act: Act) -> bool:
    """Whether the action is known to be done."""
    return act.outcome is not None and act.outcome.result is Result.DONE


def is_done(act: Act) -> bool:
    """Whether the action is a revocation that is known to be done."""
    return went_well(act) and not act.intent.undoes


def _item(act: Act, result: ScanResult) -> Item:
    intent = act.intent
    titles = {tally.rule.id: tally.rule.defect for tally in result.rules}
    return Item(
        fingerprint=intent.fingerprint,
        topic=Topic.REVOKED,
        severity=intent.severity,
        before=None,
        rule=intent.rule,
        title=titles.get(intent.rule, intent.rule),
        fix="",
        evidence=intent.evidence,
        key_id=intent.key_id,
        key_name=intent.key_name,
        redacted_value=intent.redacted_value,
        project=intent.project,
        owner=intent.owner,
        owner_email=intent.owner_email,
        since=intent.at,
        resolution=in_words(act),
    )


def in_words(act: Act) -> str:
    """Return the result of an action as text: `expires on 2026-12-01 (receipt 2026...)`."""
    intent, outcome = act
    receipt = f"receipt {intent.receipt}"
    if outcome is None:
        return f"requested, outcome not known yet ({receipt})"
    if outcome.result is not Result.DONE:
        return f"{outcome.result.value}: {outcome.note} ({receipt})"
    until = f"{outcome.expires_at:%Y-%m-%d}" if outcome.expires_at else "an unknown date"
    if intent.undoes:
        back = f", expires on {until}" if intent.method is Method.EXPIRE else ""
        return f"undone{back} ({receipt})"
    if intent.method is Method.EXPIRE:
        return f"expires on {until} ({receipt})"
    return f"{intent.method.words} ({receipt})"


def _notices(acts: Iterable[Act]) -> Iterator[str]:
    """Yield a line for each action that was refused, failed or is uncertain."""
    for act in acts:
        if not went_well(act):
            name = act.intent.key_name or act.intent.key_id
            yield f"{name} in {act.intent.project or 'the organization'}: {in_words(act)}"
