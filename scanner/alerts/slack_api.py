"""Slack's Web API through slack-sdk: retries, rate limits and error messages.

The SDK retries after a reset connection, which could post a message twice. Here, requests that may
have been carried out are not repeated.
"""

import http.client
import logging
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from scanner.alerts.slack_answers import (
    id_of,
    next_cursor,
    object_in,
    objects_in,
    texts_in,
    uncertain,
    word,
)
from scanner.alerts.slack_transport import API, UNEXPECTED, SlackWebClient
from scanner.alerts.wording import plain
from scanner.errors import AlertError
from scanner.secret import Secret, redact

SILENT: Final = logging.getLogger("keyvigil.slack_sdk")
"""The SDK logs responses; the relevant parts are in our errors."""
SILENT.setLevel(logging.CRITICAL + 1)
_TIMEOUT: Final = 30
_MOST_WAITED: Final = 300.0
"""Maximum total wait of one delivery because of rate limits, in seconds."""
_PACE: Final = 1.0
_MAX_PAGES: Final = 500
"""Pages of one listing: 100,000 channels, or 50,000 messages."""
_MOST_LISTED: Final = 600.0
"""Maximum time of one listing, in seconds."""
REDIRECTED: Final = "redirected"
"""KeyVigil's code for a redirect, which is never followed."""
_MOST_DETAILS: Final = 300
_Method = Callable[..., SlackResponse]
_LATER: Final = "The next scan sends the alert again."
_MENDS: Final = {
    "not_authed": "Set KEYVIGIL_SLACK_TOKEN to the app's bot token (xoxb-...).",
    "invalid_auth": "Copy the app's bot token to KEYVIGIL_SLACK_TOKEN again.",
    "token_revoked": "Reinstall the Slack app and set KEYVIGIL_SLACK_TOKEN to its new bot token.",
    "token_expired": "Reinstall the Slack app and set KEYVIGIL_SLACK_TOKEN to its new bot token.",
    "account_inactive": "Reinstall the Slack app: the token's user or workspace is disabled.",
    "channel_not_found": "Check the channel's name. To a private channel, /invite @KeyVigil.",
    "not_in_channel": "Invite the app to the channel: /invite @KeyVigil.",
    "is_archived": "Choose a channel that is not archived.",
    "restricted_action": "Contact the workspace owners: a setting blocks posts by the app.",
}
_UNSURE: Final = frozenset(
    {"internal_error", "fatal_error", "request_timeout", "service_unavailable", UNEXPECTED}
)
"""After these errors, the request may have been carried out, as Slack documents."""
REFUSED_BLOCKS: Final = frozenset(
    {"invalid_blocks", "msg_blocks_too_long", "invalid_blocks_format"}
)


class SlackRefused(AlertError):  # noqa: N818 - names the service
    """Slack rejected a request; `reason` is the error code of its response."""

    def __init__(self, message: str, *, reason: str, help: str | None) -> None:  # noqa: A002 - as its base
        super().__init__(message, help=help)
        self.reason = reason


NOBODY: Final = frozenset(
    {"users_not_found", "user_not_found", "user_disabled", "user_not_visible", "cannot_dm_bot"}
)
"""Slack's error codes for people who cannot receive direct messages."""


class SlackApi:
    """Calls with one token, at most one message a second to each channel.

    Raise SlackRefused if a request was not carried out, AlertUncertain if it may have been.
    """

    def __init__(
        self,
        token: Secret,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        base_url: str = API,
    ) -> None:
        """`clock` is monotonic, in seconds."""
        self._client = SlackWebClient(
            token=token.reveal(),
            base_url=base_url,
            timeout=_TIMEOUT,
            retry_handlers=[],
            logger=SILENT,
        )
        self._token = token
        self._clock, self._sleep = clock, sleep
        self._ids: dict[str, str] = {}
        self._direct: dict[str, str | None] = {}
        self._posted: dict[str, float] = {}
        self._waited = 0.0

    def begin(self) -> None:
        """Reset the total wait; called at the start of each delivery."""
        self._waited = 0.0

    def post(self, channel: str, **message: Any) -> tuple[str, str]:  # noqa: ANN401 - Slack's own
        """Post one message; return the channel's id and the message's `ts`."""
        place = self._ids.get(channel, channel)
        due = self._posted.get(place, float("-inf")) + _PACE
        if due > self._clock():
            self._sleep(due - self._clock())
        try:
            answer = self._call(
                self._client.chat_postMessage,
                channel=channel,
                unfurl_links=False,
                unfurl_media=False,
                parse="none",
                **message,
            )
        finally:
            self._posted[place] = self._clock()
        channel_id, ts = word(answer["channel"]), word(answer["ts"])
        if not channel_id or not ts:
            raise uncertain(UNEXPECTED)
        self._ids[channel] = channel_id
        self._posted[channel_id] = self._posted[place]
        return channel_id, ts

    def update(self, channel: str, ts: str, **message: Any) -> None:  # noqa: ANN401 - Slack's own
        """Replace a message; idempotent."""
        self._call(self._client.chat_update, channel=channel, ts=ts, parse="none", **message)

    def upload(self, channel: str, thread: str, name: str, content: bytes) -> None:
        """Share a file in a thread."""
        try:
            self._call(
                self._client.files_upload_v2,
                channel=channel,
                thread_ts=thread,
                filename=name,
                title=name,
                content=content,
            )
        except (AttributeError, LookupError, TypeError, ValueError):  # the SDK checks no types
            raise uncertain(UNEXPECTED) from None

    def history(
        self, channel: str, since: float, thread: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return a channel's or a thread's messages since a moment, with their metadata."""
        where: dict[str, Any] = {"channel": channel, "oldest": f"{since:.6f}"}
        method: Callable[..., SlackResponse] = self._client.conversations_history
        if thread is not None:
            method = self._client.conversations_replies
            where["ts"] = thread
        pages = self._pages(method, include_all_metadata=True, **where)
        return [message for page in pages for message in objects_in(page, "messages")]

    def channel_id(self, name: str) -> str | None:
        """Return the id of a channel by its name; None if it is not visible to the app."""
        if name not in self._ids:
            found = self.channel(name)
            if found is None:
                return None
            self._ids[name] = id_of(found)
        return self._ids[name]

    def channel(self, place: str) -> Mapping[str, Any] | None:
        """Return Slack's record of a channel; None if it is not visible to the app.

        Public and private ones are listed separately: the app may have only one of the scopes.
        """
        if not place.startswith("#"):
            answer = self._call(self._client.conversations_info, channel=place)
            return object_in(answer, "channel")
        refusal: SlackRefused | None = None
        for kind in ("public_channel", "private_channel"):
            try:
                for channel in self._channels(kind):
                    if channel.get("name") == place.removeprefix("#"):
                        return channel
            except SlackRefused as error:
                refusal = error
        if refusal is not None:
            raise refusal
        return None

    def _channels(self, kind: str) -> Iterator[Mapping[str, Any]]:
        method = self._client.conversations_list
        for page in self._pages(method, types=kind, exclude_archived=True, limit=200):
            yield from objects_in(page, "channels")

    def _pages(self, method: _Method, **arguments: Any) -> Iterator[SlackResponse]:  # noqa: ANN401 - Slack's own
        """Yield the pages of a listing; raise SlackRefused after _MAX_PAGES or _MOST_LISTED."""
        cursor, ends_at = "", self._clock() + _MOST_LISTED
        for _ in range(_MAX_PAGES):
            page = self._call(method, cursor=cursor, **arguments)
            yield page
            cursor = next_cursor(page)
            if not cursor:
                return
            if self._clock() > ends_at:
                said = f"A listing from Slack took longer than {_MOST_LISTED:.0f} seconds"
                raise self._refused(said, code="too_slow")
        said = f"A listing from Slack has more than {_MAX_PAGES} pages"
        raise self._refused(said, code="too_many_pages")

    def direct_channel(self, address: str) -> str | None:
        """Return the direct message channel of the user with that address; None if not found."""
        if address not in self._direct:
            self._direct[address] = self._open_direct(address)
        return self._direct[address]

    def _open_direct(self, address: str) -> str | None:
        try:
            found = self._call(self._client.users_lookupByEmail, email=address)
            user = id_of(object_in(found, "user"))
            answer = self._call(self._client.conversations_open, users=user)
        except SlackRefused as error:
            if error.reason in NOBODY:
                return None
            raise
        return id_of(object_in(answer, "channel"))

    def scopes(self) -> frozenset[str]:
        """Return the scopes of the token."""
        answer = self._call(self._client.auth_test)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        scopes = headers.get("x-oauth-scopes", "").replace(" ", "")
        return frozenset(filter(None, scopes.split(",")))

    def _call(self, method: _Method, **arguments: Any) -> SlackResponse:  # noqa: ANN401 - Slack's own
        while True:
            try:
                return method(**arguments)
            except SlackApiError as error:
                wait = self._wait_after(error)
                if wait is None:
                    raise self._meaning(error) from None
                self._sleep(wait)
            except SlackClientError as error:
                said = f"Slack did not accept the file: {error}"
                raise self._refused(said, code="upload") from None
            except urllib.error.URLError as error:  # while connecting or sending: it was not sent
                raise self._refused(
                    f"Slack cannot be reached: {error.reason}",
                    code="unreachable",
                    help=f"Check the network and HTTPS_PROXY. {_LATER}",
                ) from None
            except (OSError, http.client.HTTPException) as error:
                why = self._token.mask(redact(str(error))) or type(error).__name__
                raise uncertain(why) from None

    def _wait_after(self, error: SlackApiError) -> float | None:
        """Return the wait that Slack requests, in seconds; None if it exceeds the total."""
        if error.response.status_code != http.client.TOO_MANY_REQUESTS:
            return None
        try:
            wait = max(float(error.response.headers.get("Retry-After", _PACE)), _PACE)
        except ValueError:
            wait = _PACE
        self._waited += wait
        return wait if self._waited <= _MOST_WAITED else None

    def _meaning(self, error: SlackApiError) -> AlertError:
        """Return the error for a response that is not a success."""
        answer: Any = error.response
        body = answer.data if isinstance(answer.data, dict) else {}
        code = word(body.get("error")) or UNEXPECTED
        if answer.status_code == http.client.TOO_MANY_REQUESTS:
            said = f"Slack still limits the rate after {_MOST_WAITED:.0f} seconds"
            return self._refused(said, code="ratelimited", help=_LATER)
        if http.client.MULTIPLE_CHOICES <= answer.status_code < http.client.BAD_REQUEST:
            return self._refused(
                f"Slack returned a redirect ({answer.status_code}), which is not followed",
                code=REDIRECTED,
                help="Check KEYVIGIL_SLACK_API_URL, and whether a proxy requires a login.",
            )
        if answer.status_code >= http.client.INTERNAL_SERVER_ERROR or code in _UNSURE:
            why = code if answer.status_code == http.client.OK else ""
            return uncertain(why or f"status {answer.status_code}")
        reasons = texts_in(body.get("errors"))
        details = f" ({plain('; '.join(reasons), _MOST_DETAILS)})" if reasons else ""
        mend = _MENDS.get(code)
        if code == "missing_scope":
            needed = word(body.get("needed")) or "that is missing"
            mend = f"Add the scope {needed} to the app (OAuth & Permissions) and reinstall it."
        said = f"Slack rejected the request: {code}{details}"
        return self._refused(said, code=code, help=mend)

    def _refused(self, said: str, *, code: str, help: str | None = None) -> SlackRefused:  # noqa: A002 - as errors have it
        return SlackRefused(f"{self._token.mask(redact(said))}.", reason=code, help=help)
