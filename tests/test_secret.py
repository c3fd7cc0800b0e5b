import copy
import pickle

import pytest

from scanner.secret import Secret, redact

KEY = "sk-admin-0123456789abcdefghijklmnop"


@pytest.mark.parametrize("render", [str, repr, "{}".format, "%s".__mod__, "{:>40}".format])
def test_a_secret_never_renders(render: object) -> None:
    assert callable(render)
    assert render(Secret(KEY)) == "***"


def test_a_secret_hides_in_containers_and_tracebacks() -> None:
    with pytest.raises(ValueError, match=r"\*\*\*") as caught:
        raise ValueError({"key": Secret(KEY)})
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)


def test_a_secret_cannot_be_serialized() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(KEY))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(KEY))


def test_secrets_compare_by_value_and_only_with_secrets() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret(KEY + "x")
    assert Secret(KEY) != KEY
    assert Secret(KEY).reveal() == KEY


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"the key {KEY}.", "the key sk-***."),
        (f"\x1b[31m{KEY}", "\x1b[31msk-***"),
        ("sk-proj-AbCdEfGhIjKlMnOp_-x", "sk-***"),
        ("token xoxb-1234567890-abcdef", "token xox-***"),
        ("xapp-1-A0123456-789", "xapp-***"),
        ("Authorization: Bearer abcdefghijkl", "Authorization: Bearer ***"),
        (
            "see https://hooks.slack.com/services/T0/B0/xyz now",
            "see https://hooks.slack.com/*** now",
        ),
        ("sk-proj-Ab3d...9xYz", "sk-proj-Ab3d...9xYz"),
        ("risk-assessment-of-something", "risk-assessment-of-something"),
    ],
)
def test_redaction_masks_keys_and_tokens_and_leaves_the_rest(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    ("redacted", "answer"),
    [
        ("sk-admin-Ab3d...9xYz", True),
        ("sk-admin-***9xYz", True),
        ("sk-admin-\u2026", True),
        ("sk-admin-Ab3d...9xYy", False),
        ("sk-admin-Zz3d...9xYz", False),
        ("sk-proj-Ab3d...9xYz", False),
        ("", True),
        ("hidden", True),
    ],
)
def test_a_key_may_be_its_own_as_the_api_shows_it(redacted: str, *, answer: bool) -> None:
    assert Secret("sk-admin-Ab3dEf5h7j9l9xYz").may_be(redacted) is answer
