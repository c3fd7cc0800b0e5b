"""Variables without a counterpart among the settings: secrets, and overrides of the file."""

from dataclasses import dataclass
from typing import Final

from scanner.settings_table import SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable that is not a setting of the file."""

    name: str
    help: str
    is_secret: bool = True


VARIABLES: Final = (
    Variable(name="OPENAI_ADMIN_KEY", help="The admin key, unless the file lists organizations."),
    Variable(name="KEYVIGIL_SLACK_TOKEN", help="The bot token of the Slack app."),
    Variable(
        name="KEYVIGIL_SLACK_CHANNEL", help="The channel, without a settings file.", is_secret=False
    ),
    Variable(name="KEYVIGIL_SLACK_WEBHOOK", help="An incoming webhook of Slack."),
    Variable(
        name="KEYVIGIL_SLACK_API_URL",
        help="The address of Slack's API, such as GovSlack's.",
        is_secret=False,
    ),
    Variable(name="KEYVIGIL_WEBHOOK_URL", help="The address of a custom webhook."),
    Variable(name="KEYVIGIL_WEBHOOK_SECRET", help="The secret that signs requests to it."),
    Variable(name="KEYVIGIL_SMTP_URL", help="The mail server."),
    Variable(name="KEYVIGIL_MAIL_FROM", help="The sender of mail.", is_secret=False),
    Variable(
        name="KEYVIGIL_MAIL_TO",
        help="The recipients of mail, without a settings file.",
        is_secret=False,
    ),
    Variable(
        name="KEYVIGIL_REVOCATION", help="`off` overrides the settings file.", is_secret=False
    ),
    Variable(name="KEYVIGIL_CONFIG", help="The settings file, as `--config`.", is_secret=False),
    Variable(
        name="KEYVIGIL_PING_URL", help="The address to ping when a scan starts, ends or fails."
    ),
    Variable(
        name="KEYVIGIL_LOG_FORMAT",
        help="The format of messages, as `--log-format`.",
        is_secret=False,
    ),
    Variable(
        name="KEYVIGIL_CRON", help="The schedule of `keyvigil serve`, as `--cron`.", is_secret=False
    ),
    Variable(
        name="KEYVIGIL_TIME_ZONE",
        help="The time zone of the schedule, as `--time-zone`.",
        is_secret=False,
    ),
    Variable(
        name="KEYVIGIL_LISTEN",
        help="The address of `keyvigil serve`, as `--listen`.",
        is_secret=False,
    ),
    Variable(
        name="KEYVIGIL_REPORTS",
        help="The folder of the reports it serves, as `--reports`.",
        is_secret=False,
    ),
    Variable(
        name="KEYVIGIL_REPORTS_TOKEN",
        help="The token for reports and metrics; 16 characters or more.",
    ),
    Variable(
        name="KEYVIGIL_ALLOW_HOST",
        help="Host names that metrics requests may use without a token, as `--allow-host`.",
        is_secret=False,
    ),
    Variable(name="KEYVIGIL_DEBUG", help="`1` prints the traceback of a bug.", is_secret=False),
)
NAMES: Final = tuple(
    name
    for name in (*(one.variable for one in SETTINGS), *(one.name for one in VARIABLES))
    if name.startswith("KEYVIGIL_")
)
