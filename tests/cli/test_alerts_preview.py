"""`keyvigil alerts preview --json` prints what a scan sent, with the same masking."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.sandbox.server import serving
from tests.alerts.fake_slack.driving import TOKEN, Driven, stage
from tests.alerts.fake_slack.workspace import Message, User
from tests.alerts.receiving import Receiver
from tests.cli.running import keyvigil, sandbox
from tests.revocation.commands import desk

pytestmark = pytest.mark.slow

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
ROUTES = """\
alerts:
  report: https://reports.example.com/{scan_id}.html
  routes:
    - { name: all, slack: "#alerts", mention: S0123456789 }
    - { name: owners, slack_owners: "#inner" }
    - { name: hook, slack_webhook: SLACK_HOOK }
    - { name: siem, webhook: OWN_HOOK }
    - { name: one, webhook: OWN_HOOK, owners: [OWNER] }
    - { name: nothing, slack: "#inner", rules: [no-such-rule] }
"""


@pytest.fixture(scope="module")
def organization() -> Iterator[dict[str, str]]:
    with sandbox("--projects", "4", "--keys-per-project", "25") as settings:
        yield settings


@pytest.fixture(scope="module")
def owners(organization: dict[str, str]) -> list[str]:
    """Return the addresses of the owners of keys with findings."""
    ran = keyvigil("scan", "--output", "json=-", env=organization)
    found = {one["owner"]["email"] for one in json.loads(ran.out)["keys"]}
    return sorted(found - {None})


@pytest.fixture
def slack(owners: list[str]) -> Iterator[Driven]:
    """Return a Slack workspace with all owners except one."""
    users = [User(id=f"U{n}", email=one, name=f"u{n}") for n, one in enumerate(owners[1:])]
    with stage() as play:
        yield play(now=time.time, users=users)


def sent(messages: list[Message]) -> list[dict[str, Any]]:
    return [{"text": one.text, "blocks": list(one.blocks)} for one in messages]


@pytest.mark.parametrize("masks", ["false", "true"])
def test_a_preview_is_what_the_scan_sent(
    organization: dict[str, str], owners: list[str], slack: Driven, tmp_path: Path, masks: str
) -> None:
    """In a channel, its thread, direct messages and webhooks, and for the route of one owner."""
    receiver = Receiver()
    text = f"redact_emails: {masks}\n{ROUTES.replace('OWNER', json.dumps(owners[1]))}"
    (tmp_path / "keyvigil.yaml").write_text(text)
    with serving(receiver) as url:
        own = {
            **organization,
            "KEYVIGIL_STORE": str(tmp_path / "history.db"),
            "KEYVIGIL_SLACK_API_URL": slack.address.api_url,
            "KEYVIGIL_SLACK_TOKEN": TOKEN,
            "SLACK_HOOK": slack.address.webhook_url,
            "OWN_HOOK": url,
            "KEYVIGIL_WEBHOOK_SECRET": SECRET,
            "NO_PROXY": "127.0.0.1",
        }
        assert keyvigil("scan", env=own, cwd=tmp_path).code == 0
    shown = json.loads(keyvigil("alerts", "preview", "--json", env=own, cwd=tmp_path).out)
    of_route: dict[str, list[Any]] = {}
    for one in shown:
        of_route.setdefault(one["route"], []).append(one["sent"])

    messages = slack.fake.messages
    in_channel = [one for one in messages if one.channel == "C1" and one.via == "api"]
    assert len(in_channel) > 2  # the rest is in a thread
    assert of_route["all"] == [sent(in_channel)]
    assert of_route["hook"] == [sent([one for one in messages if one.via == "webhook"])]
    assert of_route["nothing"] == [[]]

    without_address, absent, *present = of_route["owners"]
    direct = [one for one in messages if slack.fake.channels[one.channel].is_im]
    assert sorted(map(str, sent(direct))) == sorted(str(one) for alert in present for one in alert)
    instead = sent([one for one in messages if one.channel == "G1"])
    assert [one for one in instead if one in without_address] == without_address
    assert len(instead) == len(without_address) + len(absent)

    bodies = {json.loads(one.body)["route"]: json.loads(one.body) for one in receiver.received}
    assert [bodies["siem"]] == of_route["siem"]
    assert [bodies["one"]] == of_route["one"]
    assert {one["owner"]["name"] for one in bodies["one"]["findings"]} != set()

    everything = f"{messages} {bodies} {shown}"
    assert [one in everything for one in owners] == [masks == "false"] * len(owners)


def test_what_revoke_apply_sends_is_masked(tmp_path: Path) -> None:
    receiver = Receiver()
    with desk(tmp_path) as own, serving(receiver) as url:
        assert own.run("scan", KEYVIGIL_REVOCATION="off").code == 0
        assert own.run("revoke", "plan", "--output", "plan.json").code == 0
        (tmp_path / "keyvigil.yaml").write_text(
            "redact_emails: true\nrevocation: { mode: enforce, max_percent: 100 }\n"
            "alerts: { routes: [{ name: hook, webhook: HOOK }] }\n"
        )
        extra = {"HOOK": url, "KEYVIGIL_WEBHOOK_SECRET": SECRET}
        ran = own.run("revoke", "apply", "plan.json", "--yes", **extra)
        assert ran.code == 0, ran.err
        address = own.cast.ada.email
    bodies = [one.body.decode() for one in receiver.received]
    assert any('"change": "revoked"' in body for body in bodies)
    assert "***@" in str(bodies)
    assert address not in str(bodies)
