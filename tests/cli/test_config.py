"""`keyvigil config` and `init`: what every setting is, and by whom."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scanner.cli.app import app
from scanner.errors import SettingsError, UsageError
from scanner.setting import Setting
from scanner.settings_table import SETTINGS
from scanner.variables import VARIABLES
from tests.support.prose import Prose

SAMPLES = {
    "policy": ("strict", "soc2", "[owasp-nhi]"),
    "output": ("html=a", "json=b", "{ csv: c }"),
    "combined": ("html=a", "json=b", "{ html: c }"),
    "fail_on": ("high", "low", "medium"),
    "collect": ("all", "all", "all"),
    "skip": ("costs", "usage", "audit_logs"),
    "deadline": ("1", "2", "3"),
    "redact_emails": ("", "1", "true"),
    "snapshot": ("a", "b", "c"),
    "metrics_textfile": ("a.prom", "b.prom", "c.prom"),
    "parallel": ("2", "3", "4"),
    "organization": ("A", "B", "gamma"),
    "store": ("a.db", "b.db", "c.db"),
    "keep": ("1d", "2d", "3d"),
    "keep_snapshots": ("1", "2", "3"),
    "lease": ("1", "2", "3"),
    "base_url": ("https://a.example/v1", "https://b.example/v1", "https://c.example/v1"),
    "proxy": ("http://a", "http://b", "http://c"),
    "ca_bundle": ("a.pem", "b.pem", "c.pem"),
    "timeout": ("1", "2", "3"),
    "concurrency": ("1", "2", "3"),
}
"""By parameter: as a flag, in the environment and in the file."""
A_ORG = "{ name: a, key_env: A }"
B_ORG = "{ name: b, key_env: B }"
REFUSING = [
    one
    for one in SETTINGS
    if not one.kind.is_switch and one.parameter not in {"policy", "store", "organization"}
]
"""Those that not any text can be; of a switch typer itself refuses it."""
ALL = pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: one.parameter)


@dataclass(frozen=True, kw_only=True)
class Shown:
    value: str
    origin: str


def show(*arguments: str) -> dict[str, Shown]:
    ran = CliRunner().invoke(app, ["config", "show", "--json", *arguments])
    if ran.exception and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    assert ran.exit_code == 0, ran.output
    rows = json.loads(ran.stdout)["settings"]
    return {row["name"]: Shown(value=row["value"], origin=row["origin"]) for row in rows}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_BASE_URL")


def in_file(setting: Setting[object]) -> str:
    section, dot, word = setting.name.rpartition(".")
    sample = SAMPLES[setting.parameter][2]
    return f"{section}: {{ {word}: {sample} }}" if dot else f"{word}: {sample}"


def plain(sample: str) -> str:
    """Return what is shown of a sample of the file."""
    return sample.strip("[]{} ").replace(": ", "=")


def test_there_is_a_sample_of_every_setting() -> None:
    assert set(SAMPLES) == {one.parameter for one in SETTINGS}
    assert len({one.variable for one in SETTINGS}) == len(SETTINGS)


@ALL
def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(
    setting: Setting[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step at a time; the other settings stay the same."""
    flag, environment, sample = SAMPLES[setting.parameter]
    name = setting.name or setting.parameter
    default = show()
    assert default[name] == Shown(value=setting.otherwise, origin="default")
    if setting.name:
        text = in_file(setting)
        Path("keyvigil.yaml").write_text(text)
        column = len(text.split(": ")[0]) + 3
        if "." in setting.name:
            column = text.index("{ ") + text[text.index("{ ") :].index(": ") + 3
        said = show()
        assert said[name] == Shown(value=plain(sample), origin=f"keyvigil.yaml:1:{column}")
        assert {**said, name: default[name]} == default
    monkeypatch.setenv(setting.variable, environment)
    value = "true" if setting.kind.is_switch else environment
    assert show()[name] == Shown(value=value, origin=setting.variable)
    given = [f"--no-{setting.flag[2:]}"] if setting.kind.is_switch else [setting.flag, flag]
    flagged = Shown(value=flag or "false", origin=setting.flag)
    assert show(*given)[name] == flagged


@pytest.mark.parametrize("setting", REFUSING, ids=lambda one: one.parameter)
def test_what_cannot_be_is_refused_by_the_name_that_said_it(
    setting: Setting[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = "nonsuch" if setting.kind.is_many else "{nonsuch}"
    if setting.parameter == "ca_bundle":
        bad = " "
    with pytest.raises(UsageError, match=f"^{setting.flag} "):
        show(setting.flag, bad)
    monkeypatch.setenv(setting.variable, bad)
    with pytest.raises(UsageError, match=f"^{setting.variable} "):
        show()


@pytest.mark.parametrize("command", ["report", "scan --from x", "config show"])
def test_a_switch_is_true_or_false(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYVIGIL_REDACT_EMAILS", "maybe")
    with pytest.raises(UsageError, match=r"^KEYVIGIL_REDACT_EMAILS .*true or false\.$"):
        run(*command.split())


@pytest.mark.parametrize(
    "command",
    ["history", "history prune", "report", "diff a b", "alerts preview", "revoke plan", "scan"],
)
def test_every_command_that_takes_an_option_gets_it_the_same_way(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = command.split()
    group, rest = (words[:1], words[1:]) if words[-1] == "prune" else (words, [])
    if command == "scan":
        rest = ["--from", "latest"]
    more = rest if command == "scan" else []  # a scan of tonight shows its mistakes itself

    def looked_for(*given: str) -> str:
        with pytest.raises(UsageError, match="history") as caught:
            run(*group, *given, *rest)
        return Path(str(caught.value).split()[-1].rstrip(".")).name

    Path("keyvigil.yaml").write_text("store: { url: file.db }\n")
    assert looked_for() == "file.db"
    monkeypatch.setenv("KEYVIGIL_STORE", "variable.db")
    assert looked_for() == "variable.db"
    assert looked_for("--store", "flag.db") == "flag.db"
    Path("keyvigil.yaml").write_text("store: { palce: file.db }\n")
    with pytest.raises(SettingsError, match="unknown key 'palce'"):
        run(*words, *more)
    Path("keyvigil.yaml").unlink()
    monkeypatch.setenv("KEYVIGIL_STOER", "x")
    with pytest.raises(UsageError, match="KEYVIGIL_STOER "):
        run(*words, *more)


def test_secrets_are_shown_as_set_and_never_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in VARIABLES:
        if one.is_secret:
            monkeypatch.setenv(one.name, "hunter2")
    monkeypatch.setenv("KEYVIGIL_STORE", "postgresql://u:hunter2@db/k?password=hunter2")
    monkeypatch.setenv("KEYVIGIL_PROXY", "http://u:hunter2@proxy")
    monkeypatch.setenv("KEYVIGIL_SLACK_API_URL", "https://u:hunter2@slack.example.com/api/")
    Path("keyvigil.yaml").write_text(
        "organizations:\n- { name: a, key_env: A_KEY }\n- { name: b, key_env: B_KEY }\n"
        "- { name: c, key_command: [vault, hunter2] }\n"
    )
    monkeypatch.setenv("A_KEY", "hunter2")
    shown = show()
    assert "hunter2" not in repr(shown)
    assert shown["OPENAI_ADMIN_KEY"] == Shown(value="***", origin="OPENAI_ADMIN_KEY")
    assert shown["store.url"].value == "postgresql://***@db/k?***"
    assert shown["http.proxy"].value == "http://***@proxy"
    assert shown["KEYVIGIL_SLACK_API_URL"].value == "https://***@slack.example.com/api/"
    assert shown["organizations.a.key"].value == "A_KEY (set)"
    assert shown["organizations.b.key"].value == "B_KEY (not set)"
    assert shown["organizations.c.key"].value == "the command 'vault'"


def test_the_bounds_and_the_switch_that_beats_them(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("keyvigil.yaml").write_text("revocation: { mode: plan, protect: { keys: [key_1] } }\n")
    assert show()["revocation.protect.keys"] == Shown(value="key_1", origin="keyvigil.yaml:1:13")
    monkeypatch.setenv("KEYVIGIL_REVOCATION", "off")
    assert show()["revocation.mode"] == Shown(value="off", origin="KEYVIGIL_REVOCATION")


def test_a_place_that_stands_elsewhere_is_told_to_be_set_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("keyvigil.yaml").write_text("store: { url_env: DB }\n")
    assert show()["store.url"] == Shown(value="env:DB (not set)", origin="keyvigil.yaml:1:19")
    monkeypatch.setenv("DB", "hunter2")
    assert show()["store.url"].value == "env:DB (set)"


def run(*arguments: str) -> str:
    ran = CliRunner().invoke(app, list(arguments))
    if ran.exception and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return ran.stdout


def test_validate_takes_the_file_as_an_option_too() -> None:
    Path("other.yaml").write_text("fail_on: high\n")
    told = "other.yaml: valid, 1 setting\n"
    assert run("config", "validate", "--config", "other.yaml") == told
    assert run("config", "validate", "other.yaml") == told


def test_init_writes_valid_files_and_prints_the_next_commands(prose: Prose) -> None:
    printed = run("init", "etc")
    for name in ("keyvigil.yaml", "my-policy.yaml", "keyvigil.schema.json"):
        assert f"Wrote etc/{name}\n" in printed
    for command in ("config show --origin", "doctor", "scan"):
        assert f"keyvigil {command} --config etc/keyvigil.yaml\n" in printed
    prose(printed)
    assert [path.stat().st_mode & 0o777 for path in Path("etc").iterdir()] == [0o600] * 3
    assert run("config", "validate", "etc/keyvigil.yaml") == (
        "etc/keyvigil.yaml: valid, 1 setting\n"
    )
    assert json.loads(Path("etc/keyvigil.schema.json").read_text()) == json.loads(
        run("config", "schema")
    )


def test_init_overwrites_nothing_unless_it_is_forced() -> None:
    Path("my-policy.yaml").write_text("mine")
    with pytest.raises(UsageError, match=r"^my-policy\.yaml already exists\.$"):
        run("init")
    assert [path.name for path in Path().iterdir()] == ["my-policy.yaml"]
    run("init", "--force")
    assert "extends: baseline" in Path("my-policy.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fail_on: hihg", r"k\.yaml:1:10: 'fail_on' .*'hihg'"),
        ("policies: [basline]", "There is no policy 'basline'; did you mean 'baseline'"),
        ("policies: [own.yaml]", "The policy own.yaml cannot be read"),
        (
            f"{{ outputs: {{ html: a }}, organizations: [{A_ORG}, {B_ORG}] }}",
            "The organizations a and b .* to a",
        ),
    ],
)
def test_validate_reports_the_mistake(text: str, message: str) -> None:
    Path("k.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        run("config", "validate", "k.yaml")


def test_validate_needs_a_file() -> None:
    with pytest.raises(UsageError, match=r"^No keyvigil\.yaml "):
        run("config", "validate")
