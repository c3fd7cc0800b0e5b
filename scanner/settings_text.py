"""The files that `keyvigil init` writes, made from the declaration of the settings. Pure.

In these files `# Text` is an explanation, and `#setting: value` takes effect once uncommented.
"""

from collections.abc import Iterator
from textwrap import wrap
from typing import Any, Final

from scanner.setting import Setting, spelled
from scanner.settings_table import ORGANIZATION, POLICIES, SECTIONS, SETTINGS

POLICY_FILE: Final = "my-policy.yaml"
SCHEMA_FILE: Final = "keyvigil.schema.json"
_WIDTH: Final = 98

_HEAD: Final = f"""\
# yaml-language-server: $schema={SCHEMA_FILE}
# The settings of KeyVigil. A flag overrides the environment, which overrides this file, which
# overrides the default; keyvigil config show --origin shows the source of each setting. Paths are
# relative to this file's folder. Do not put a secret here: the admin key is in OPENAI_ADMIN_KEY, or
# in the source that an entry of organizations names.

# {POLICIES.help}
policies: [{POLICY_FILE}]
"""
_STORE: Final = """\
# For an address with a password use url_env: NAME or url_file: PATH instead of url.
"""
_ORGANIZATIONS: Final = """\
# The organizations to scan, each with a name and its own history. Default: the organization of
# OPENAI_ADMIN_KEY. The admin key comes from a variable, a file, or a program that prints only the
# key, on one line (a list of the program and its arguments; it runs without a shell). An
# organization can have its own policies, outputs and base_url.
#organizations:
#  - name: production
#    key_env: PRODUCTION_ADMIN_KEY
#  - name: research
#    key_file: /run/secrets/research-admin-key
#    policies: [baseline]
#    base_url: https://eu.api.openai.com/v1
#  - name: labs
#    key_command: [vault, kv, get, -field=admin_key, secret/openai/labs]
#    outputs: { html: 'out/labs/{date}.html' }
"""
_ALERTS: Final = """\
# Where alerts about changes go. Tokens and addresses of webhooks are in the environment:
# KEYVIGIL_SLACK_TOKEN, KEYVIGIL_SMTP_URL; the route of a webhook names its variable.
#alerts:
#  report: https://reports.example.com/keyvigil/{scan_id}.html
#  routes:
#    - name: security
#      slack: "#security"
#      severity: medium
#      attach: true
#    - name: owners
#      slack_owners: "#security"
#      reminder: 7d
#    - name: siem
#      webhook: KEYVIGIL_WEBHOOK_URL
#    - name: mail
#      email: [security@example.com]
"""
_REVOCATION: Final = """\
# Revocation and its limits. mode: off; plan only reports the keys to revoke; enforce revokes them.
#revocation:
#  mode: plan
#  max_keys: 5
#  max_percent: 1
#  min_age: 7d
#  recent_use: 24h
#  expire_in: 7d
#  stop_file: keyvigil.stop
#  protect:
#    keys: [key_abc123]
#    projects: ["*-prod"]
#    owners: ["ci-*"]
#  admin_keys: [key_def456]
"""
_SCHEDULE: Final = """\
# When keyvigil serve scans: a cron expression in a time zone. jitter is the longest random delay;
# a scan ends after timeout.
#schedule:
#  cron: "30 2 * * *"
#  time_zone: UTC
#  jitter: 10m
#  timeout: 6h
"""
_POLICY: Final = """\
# Your own policy: the baseline with your changes.
# keyvigil policies validate FILE reports mistakes; policies explain WORD describes facts and rules.
policy: my-policy
description: The key hygiene that we require.
extends: baseline
rules:
  - id: key-too-old
    title: Keys must be replaced within 60 days
    violated_when: { age: { over: 60d } }
"""


def settings_text() -> str:
    """Return keyvigil.yaml with every setting; optional ones are commented out."""
    top = [one for one in SETTINGS if one.name and "." not in one.name]
    rest = [one for one in top if one not in (POLICIES, ORGANIZATION)]
    parts = [_HEAD, *("\n".join(_lines(one, "")) + "\n" for one in (ORGANIZATION, *rest))]
    for name, settings in SECTIONS.items():
        lines = [f"#{name}:"]
        for one in settings:
            lines += _lines(one, "  ")
        parts.append((_STORE if name == "store" else "") + "\n".join(lines) + "\n")
    return "\n".join([*parts, _ORGANIZATIONS, _ALERTS, _REVOCATION, _SCHEDULE])


def policy_text() -> str:
    """Return the policy file that `keyvigil init` writes beside it."""
    return _POLICY


def _lines(setting: Setting[Any], indent: str) -> Iterator[str]:
    words = f"{setting.help} Default: {setting.otherwise}."
    yield from (f"# {line}" for line in wrap(words, _WIDTH, break_on_hyphens=False))
    value = setting.example or spelled(setting.default)
    yield f"#{indent}{setting.name.rpartition('.')[2]}: {value}"
