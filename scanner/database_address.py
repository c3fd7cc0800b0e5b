"""Valid locations of the history: a file or a URL; text that resembles a DSN is rejected. Pure."""

from typing import Final

from scanner.schemas import DATABASE_ADDRESS, DATABASE_FILE, LINE, is_whole

PLACE: Final = (
    r"(?!(?:env|file):$)(?![\s\S]*?://[\s\S]*:[\s\S]*@)"
    rf"(?!(?=[\s\S]*://)[\s\S]*[pP][aA][sS][sS][wW][oO][rR][dD]=)"
    rf"(?={LINE}$)(?:env:[A-Za-z_][A-Za-z0-9_]*|file:{DATABASE_FILE}|(?!env:|file:){DATABASE_ADDRESS})"
)
"""A location in the settings file: without a password as `holds_password` finds one."""


class UnfitError(ValueError):
    """An invalid value of a setting: a sentence without its subject, and advice."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


def check_database_address(text: str, *, is_file: bool = False) -> None:
    """Raise UnfitError, without any part of the text, if it is neither a file nor a URL."""
    if is_whole(DATABASE_FILE if is_file else DATABASE_ADDRESS, text):
        return
    raise UnfitError(
        "is neither a file nor a valid postgresql:// URL (not shown: it may contain a password)",
        "Use a file, or postgresql://user:password@host:port/database; in user and password write"
        " @ as %40, / as %2F, ? as %3F, # as %23 and % as %25.",
    )
