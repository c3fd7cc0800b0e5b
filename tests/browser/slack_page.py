"""A message of Slack's as a page: what its blocks say, near enough to how Slack shows it."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

_STYLE: Final = """
body { margin: 0; padding: 20px 24px; width: 760px; background: #fff; color: #1d1c1d;
  font: 15px/1.47 Lato, "Helvetica Neue", Arial, sans-serif; box-sizing: border-box }
article { display: grid; grid-template-columns: 36px 1fr; column-gap: 10px }
.avatar { width: 36px; height: 36px; border-radius: 6px; background: #1f2937; color: #fff;
  display: grid; place-items: center; font-weight: 700 }
.who { font-weight: 900 } .app { font-size: 10px; background: #ebeaeb; border-radius: 2px;
  padding: 1px 3px; margin: 0 6px; color: #616061 } .at { font-size: 12px; color: #616061 }
h1 { font-size: 18px; margin: 4px 0 6px; font-weight: 900 }
p { margin: 6px 0 2px } ul { margin: 0; padding-left: 22px }
code { color: #e01e5a; background: #f7f7f8; border: 1px solid #ddd; border-radius: 3px;
  padding: 1px 3px; font-size: 12px } .thread { color: #1264a3; font-size: 13px; margin-top: 8px }
"""
_TAGS: Final = {"bold": "strong", "italic": "em", "strike": "s", "code": "code"}


def page(message: Mapping[str, Any], replies: int) -> str:
    """Return the page of a message with so many replies."""
    thread = f'<p class="thread">{replies} replies</p>' if replies else ""
    return (
        f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style><article>'
        '<div class="avatar">K</div><div><span class="who">KeyVigil</span>'
        '<span class="app">APP</span><span class="at">02:00</span>'
        f"{''.join(map(_block, message['blocks']))}{thread}</div></article>"
    )


def _block(block: Mapping[str, Any]) -> str:
    if block["type"] == "header":
        return f"<h1>{escape(block['text']['text'])}</h1>"
    return "".join(map(_part, block["elements"]))


def _part(part: Mapping[str, Any]) -> str:
    if part["type"] == "rich_text_list":
        items = (_inline(one["elements"]) for one in part["elements"])
        return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
    return f"<p>{_inline(part['elements'])}</p>"


def _inline(elements: Iterable[Mapping[str, Any]]) -> str:
    return "".join(map(_text, elements))


def _text(element: Mapping[str, Any]) -> str:
    shown = escape(element.get("text", ""))
    for style in element.get("style", {}):
        shown = f"<{_TAGS[style]}>{shown}</{_TAGS[style]}>"
    return shown
