"""An invalid field drops only that field, an unusable record only that record."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.inventory import Unknown
from scanner.openai_api.pages import BucketPage, Page, parse_one, parse_page
from scanner.openai_api.salvage import MalformedBodyError
from scanner.openai_api.translate import Flaws, is_lost, to_event, to_project_key, to_user
from scanner.openai_api.wire import WireAuditEvent, WireProjectKey, WireUser

OWNER = {"type": "user", "user": {"id": "user-1", "name": "Ada", "email": "a@example.com"}}
KEY: dict[str, Any] = {
    "id": "key_1",
    "name": "a key",
    "redacted_value": "sk-proj-ab...yz",
    "created_at": 1_700_000_000,
    "last_used_at": 1_700_000_100,
    "expires_at": None,
    "owner_project_access": "active",
    "owner": OWNER,
}
NOT_DATES: tuple[object, ...] = (
    0,
    -1,
    1,
    1_700_000_000_000,
    10**400,
    1.5,
    1e400,
    "2026-01-01",
    "",
    True,
    [],
    {},
    [[]],
)
NOT_TEXTS: tuple[object, ...] = (0, 1.5, True, [], {}, {"a": {"b": []}}, "x" * 100_000)


def parsed(*records: object) -> Page[WireProjectKey]:
    body = json.dumps({"data": records, "has_more": False}).encode()
    return parse_page(body, Page[WireProjectKey])


def key(**fields: object) -> Any:
    page = parsed({**KEY, "id": "key_0"}, KEY | fields, {**KEY, "id": "key_2"})
    assert [wire.id for wire in page.data] == ["key_0", "key_1", "key_2"]
    assert not page.invalid.get("key_0")
    assert not page.invalid.get("key_2")
    return to_project_key(page.data[1], "proj_1", Flaws(page.invalid.get("key_1", {}), "there"))


@pytest.mark.parametrize("value", [*NOT_DATES, None])
def test_a_creation_that_is_not_a_date_is_unknown(value: object) -> None:
    assert isinstance(key(created_at=value).created_at, Unknown)


@pytest.mark.parametrize("field", ["last_used_at", "expires_at"])
@pytest.mark.parametrize("value", NOT_DATES)
def test_another_date_that_is_not_one_is_unknown(field: str, value: object) -> None:
    unknown = getattr(key(**{field: value}), field)
    assert isinstance(unknown, Unknown)
    assert (field in unknown.reason, unknown.where) == (True, "there")


@pytest.mark.parametrize("value", NOT_TEXTS)
def test_a_name_that_is_not_text_is_unknown(value: object) -> None:
    found = key(name=value)
    assert (found.name, [name for name, _ in found.invalid]) == (None, ["name"])


@pytest.mark.parametrize("owner", [None, [], 5, "x", {}, {"type": 5}, {"type": "user", "user": 5}])
def test_an_owner_that_is_not_valid_is_unknown(owner: object) -> None:
    assert isinstance(key(owner=owner).owner.id, Unknown)


def test_text_that_utf8_cannot_encode_is_replaced() -> None:
    body = json.dumps({"data": [KEY | {"name": "party \ud83d"}]}).encode()
    (wire,) = parse_page(body, Page[WireProjectKey]).data
    assert wire.name == "party \ufffd"
    (wire,) = parse_page(body.replace(b"\\ud83d", b"\xff"), Page[WireProjectKey]).data
    assert wire.name == "party \ufffd"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_drops_only_its_field(opening: str, closing: str) -> None:
    deep = opening * 50_000 + "1" + closing * 50_000
    body = json.dumps({"data": [KEY, {**KEY, "id": "key_2", "name": "DEEP"}]})
    page = parse_page(body.replace('"DEEP"', deep).encode(), Page[WireProjectKey])
    assert [(wire.id, wire.name) for wire in page.data] == [("key_1", "a key"), ("key_2", None)]


@pytest.mark.parametrize("body", [b"", b"{", b'{"data": [', b"[" * 5_000, b"<html>"])
def test_a_body_that_is_cut_off_can_be_requested_again(body: bytes) -> None:
    with pytest.raises(MalformedBodyError) as raised:
        parse_page(body, Page[WireProjectKey])
    assert raised.value.is_torn


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists) | st.binary())
def test_no_body_raises_anything_else(body: object) -> None:
    raw = body if isinstance(body, bytes) else json.dumps({"data": body}).encode()
    try:
        parse_page(raw, Page[WireProjectKey])
    except MalformedBodyError:
        return


def test_the_results_of_a_bucket_are_records_of_their_own() -> None:
    results = [{"api_key_id": 5}, {"api_key_id": "key_1", "num_model_requests": -1}, "x"]
    results.append({"api_key_id": "key_2", "num_model_requests": 3})
    days = [{"start_time": 1_700_000_000, "results": results}, {"start_time": "today"}]
    page = parse_page(json.dumps({"data": days, "has_more": False}).encode(), BucketPage)
    ((bucket,), lost) = page.data, page.lost
    assert [row.api_key_id for row in bucket.results] == [None, "key_1", None, "key_2"]
    assert (list(page.invalid[bucket.id]), lost) == (["results.1.num_model_requests"], 3)


def test_one_object_is_read_as_a_page_is() -> None:
    record = parse_one(json.dumps(KEY | {"created_at": 0}).encode(), WireProjectKey)
    assert (record.item.id, list(record.invalid)) == ("key_1", ["created_at"])
    with pytest.raises(MalformedBodyError, match="slow down"):
        parse_one(b'{"error": {"message": "slow down"}}', WireProjectKey)


@pytest.mark.parametrize(
    ("details", "is_known"),
    [
        ({"enabled": True, "banned": False, "banned_at": 0}, True),
        ({"enabled": True, "banned_at": 0}, False),
        ({"enabled": True, "banned": "no"}, False),
        ({"enabled": False, "banned": "no"}, True),
        ({"enabled": "yes"}, False),
        ("x", False),
    ],
)
def test_a_user_is_enabled_by_valid_fields_alone(details: object, is_known: bool) -> None:  # noqa: FBT001
    record = parse_one(json.dumps({"id": "user-1", "user": details}).encode(), WireUser)
    user = to_user(record.item, Flaws(record.invalid))
    assert isinstance(user.enabled, bool) is is_known


@pytest.mark.parametrize(
    ("changes", "lost", "scopes"),
    [
        ({}, False, ("a",)),
        ({"effective_at": 0}, False, ("a",)),
        ({"type": 5}, True, None),
        ({"api_key.updated": "x"}, True, None),
        ({"api_key.updated": {"id": 5}}, True, None),
        ({"api_key.updated": {"id": "key_1", "changes_requested": {"scopes": ["a", 5]}}}, False, 0),
        ({"api_key.updated": {"id": "key_1", "changes_requested": 5}}, False, 0),
    ],
)
def test_an_audit_event_with_an_invalid_field(
    changes: dict[str, Any],
    lost: bool,  # noqa: FBT001
    scopes: object,
) -> None:
    event = {"id": "audit_1", "type": "api_key.updated", "effective_at": 1_700_000_000}
    event["api_key.updated"] = {"id": "key_1", "changes_requested": {"scopes": ["a"]}}
    record = parse_one(json.dumps(event | changes).encode(), WireAuditEvent)
    flaws = Flaws(record.invalid)
    found = to_event(record.item, flaws)
    assert is_lost(record.item, flaws) is lost
    if scopes == 0:
        assert found is not None
        assert isinstance(found.scopes, Unknown)
    else:
        assert (found.scopes if found else None) == scopes
