"""Fields of Slack's responses; an invalid field raises AlertUncertain.

An invalid record in a list is skipped.
"""

from collections.abc import Mapping
from typing import Any

from slack_sdk.web import SlackResponse

from scanner.alerts.slack_transport import UNEXPECTED
from scanner.errors import AlertUncertain


def word(value: object, most: int = 100) -> str:
    """Return a text that can be a Slack error code or id, "" for anything else."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        return ""
    return value if len(value) <= most else ""


def texts_in(value: object) -> list[str]:
    """Return the texts of a list, none of anything else."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def object_in(answer: SlackResponse, name: str) -> Mapping[str, Any]:
    """Return the object of that name."""
    found = answer.get(name)
    if not isinstance(found, dict):
        raise uncertain(UNEXPECTED)
    return found


def objects_in(answer: SlackResponse, name: str) -> list[Mapping[str, Any]]:
    """Return the objects in the list of that name."""
    found = answer.get(name)
    if not isinstance(found, list):
        raise uncertain(UNEXPECTED)
    return [one for one in found if isinstance(one, dict)]


def id_of(found: Mapping[str, Any]) -> str:
    """Return the id of an object."""
    text = word(found.get("id"))
    if not text:
        raise uncertain(UNEXPECTED)
    return text


def next_cursor(page: SlackResponse) -> str:
    """Return where the next page of a listing begins, "" after the last."""
    metadata = page.get("response_metadata")
    cursor = metadata.get("next_cursor") if isinstance(metadata, dict) else metadata
    if cursor is None or cursor == "":
        return ""
    text = word(cursor, 2_000)
    if not text or not isinstance(metadata, dict):
        raise uncertain(UNEXPECTED)
    return text


def uncertain(why: str) -> AlertUncertain:
    """Return the error of a request that may have been carried out."""
    return AlertUncertain(
        f"Slack returned no valid response ({why}). The message may or may not have arrived.",
        help="The next scan searches for the message, and sends it if it is not found.",
    )
