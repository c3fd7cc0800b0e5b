"""Untrusted text, such as the names of keys, made safe to show."""

import re
from typing import Final

# C0, DEL and C1 controls; soft hyphen; zero-width and bidirectional controls; line and paragraph
# separators; byte-order mark; interlinear annotation; lone surrogates; tag characters.
# Zero-width (non-)joiners stay: emoji and several scripts need them.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""Return `text` with control and invisible characters escaped, as in `\u{202e}`."""
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub(lambda match: f"\\u{{{ord(match.group()):x}}}", text)
