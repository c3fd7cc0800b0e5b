"""Copies of the last valid settings and policies."""

import errno
import os
import re
from pathlib import Path

import pytest

from scanner.copied import copy_of, reading_copies
from scanner.daemon.loading import Files, Loaded, Options
from scanner.errors import OutputError, PolicyError, SettingsError, UsageError
from scanner.policy_files import load_policies
from scanner.settings_file import FileSettings, read_bounds, read_settings_file

POLICY = """\
policy: {name}
{extends}
rules:
  - id: {name}-old
    title: t
    severity: {severity}
    violated_when: {{ age: {{ over: 90d }} }}
    why: w
    fix: f
"""


def policy(path: Path, extends: str = "", severity: str = "high") -> Path:
    path.parent.mkdir(exist_ok=True)
    extended = f"extends: {extends}" if extends else "description: d"
    path.write_text(POLICY.format(name=path.stem, extends=extended, severity=severity))
    return path


def files(folder: Path, *policies: str | Path, config: Path | None = None, **env: str) -> Files:
    private = folder / "private"
    private.mkdir(exist_ok=True)
    options = Options(
        config=config,
        policies=[str(one) for one in policies],
        rest=("--verbose",),
    )
    return Files(options, env, private)


def copies_of(loaded: Loaded) -> Path:
    return Path(loaded.environment["KEYVIGIL_COPIES"])


def test_scans_read_copies_that_do_not_change(tmp_path: Path) -> None:
    config = tmp_path / "k.yaml"
    config.write_text("schedule: { cron: '@weekly' }")
    mine = policy(tmp_path / "mine.yaml", "[shared/base.yaml, ../elsewhere.yaml, baseline]")
    policy(tmp_path / "shared" / "base.yaml", "lower.yaml")
    policy(tmp_path / "shared" / "lower.yaml")
    elsewhere = policy(tmp_path.parent / "elsewhere.yaml")
    loading = files(tmp_path, mine, "admin-keys", config=config)
    loaded = loading.load()
    for path in (config, mine, elsewhere, *(tmp_path / "shared").iterdir()):
        path.write_text("broken: [")
    assert loaded.words == "@weekly in UTC"
    assert loaded.arguments[-1] == "--verbose"
    assert loaded.environment["KEYVIGIL_CONFIG"] == str(config)
    with reading_copies(copies_of(loaded)):
        assert read_settings_file(config).timing.words == "@weekly in UTC"
        first, _ = load_policies([str(mine), "admin-keys"])
    assert {rule.text.id for rule in first.rules} >= {
        "mine-old",
        "base-old",
        "lower-old",
        "elsewhere-old",
        "key-too-old",
    }
    with pytest.raises(SettingsError):
        loading.load()


def test_problems_are_reported_with_the_paths_of_the_originals(tmp_path: Path) -> None:
    mine = policy(tmp_path / "mine.yaml", "base.yaml")
    base = policy(tmp_path / "base.yaml", severity="hihg")
    with pytest.raises(PolicyError) as caught:
        files(tmp_path, mine).load()
    assert str(caught.value).startswith(f"{base}:6:15: ")
    assert "'hihg'" in str(caught.value)
    assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "policies", "named"),
    [
        ("none.yaml", ("baseline",), "none.yaml .*: No such file or directory"),
        (None, ("none.yaml",), "none.yaml .*: No such file or directory"),
        (None, ("basline",), "'basline'.* 'baseline'"),
        (None, ("/dev/zero",), "/dev/zero .* 4,000,000 bytes"),
    ],
)
def test_an_unreadable_file_is_one_usage_error(
    tmp_path: Path, config: str | None, policies: tuple[str, ...], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        files(tmp_path, *policies, config=Path(config) if config else None).load()


def test_the_environment_is_validated_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="KEYVIGIL_SLACK_CHANNEL"):
        files(tmp_path, "baseline", KEYVIGIL_SLACK_CHANNEL="x y").load()
    with pytest.raises(UsageError, match="KEYVIGIL_REVOCATION"):
        files(tmp_path, "baseline", KEYVIGIL_REVOCATION="on").load()
    with pytest.raises(UsageError, match="KEYVIGIL_CRON 'never': character 6: "):
        files(tmp_path, "baseline", KEYVIGIL_CRON="never").load()


def test_added_settings_are_detected_and_not_used_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loading = files(tmp_path, "baseline")
    loaded = loading.load()
    assert loaded.environment["KEYVIGIL_CONFIG"] == str(tmp_path / "keyvigil.yaml")
    (tmp_path / "keyvigil.yaml").write_text("broken: [")
    with reading_copies(copies_of(loaded)):
        assert read_settings_file(Path("keyvigil.yaml")) == FileSettings()
    (tmp_path / "keyvigil.yaml").unlink()
    state = loading.state()
    (tmp_path / "keyvigil.yaml").write_text("schedule: { cron: '@monthly' }")
    assert loading.state() != state
    assert loading.load().words == "@monthly in UTC"


def test_a_change_of_any_file_is_detected_even_of_an_invalid_one(tmp_path: Path) -> None:
    mine, base = tmp_path / "mine.yaml", tmp_path / "base.yaml"
    policy(base)
    loading = files(tmp_path, policy(mine, "base.yaml"))
    loading.load()
    states = [loading.state()]
    base.write_text("broken: [")
    states.append(loading.state())
    with pytest.raises(PolicyError):
        loading.load()
    states.append(loading.state())
    assert states[1] == states[2]
    os.utime(mine, (1, 1))
    states.append(loading.state())
    policy(base)
    states.append(loading.state())
    mine.unlink()
    states.append(loading.state())
    assert len(set(map(str, states))) == 5


def test_old_copies_are_removed_once_they_are_unused(tmp_path: Path) -> None:
    loading = files(tmp_path, policy(tmp_path / "mine.yaml"))
    first, second = loading.load(), loading.load()
    copies = [copy_of(tmp_path / "mine.yaml", copies_of(one)) for one in (first, second)]
    assert [copy.exists() for copy in copies] == [True, True]
    loading.tidy()
    assert [copy.exists() for copy in copies] == [False, True]
    (tmp_path / "mine.yaml").write_text("broken: [")
    with pytest.raises(PolicyError):
        loading.load()
    assert len(list((tmp_path / "private").iterdir())) == 1


def test_policies_of_the_file_and_of_each_organization_are_copied(
    tmp_path: Path,
) -> None:
    config = tmp_path / "k.yaml"
    config.write_text(
        "policies: [./own.yaml]\nstore: { url: history.db }\norganizations:\n"
        "  - { name: a, key_env: A }\n  - { name: b, key_env: B, policies: [deep/other.yaml] }\n"
    )
    own, other = tmp_path / "own.yaml", policy(tmp_path / "deep" / "other.yaml")
    loading = files(tmp_path, config=config)
    with pytest.raises(UsageError, match=re.escape(str(own))):
        loading.load()
    policy(own)
    loaded = loading.load()
    assert loaded.organizations == ("a", "b")
    assert [path.name for path in loaded.textfiles()] == ["scan.a.prom", "scan.b.prom"]
    assert "--policy" not in loaded.arguments
    own.unlink()
    other.unlink()
    with reading_copies(copies_of(loaded)):
        file = read_settings_file(config)
        assert file.said["store"].text == str(tmp_path / "history.db")
        named = [*file.said["policy"].texts, *file.organizations[1].own["policy"].texts]
        assert [one.name for one in load_policies(named)] == ["own", "other"]
        bounds = read_bounds({}, config)
    assert bounds.stop_file == str(tmp_path / "keyvigil.stop")


def test_options_take_precedence_over_policies_and_textfile_of_the_file(
    tmp_path: Path,
) -> None:
    config = tmp_path / "k.yaml"
    config.write_text("policies: [none.yaml]\nmetrics_textfile: 'm-{organization}.prom'\n")
    loaded = files(tmp_path, "baseline", config=config).load()
    assert loaded.arguments == ("--verbose",)
    assert loaded.textfiles() == ()
    (tmp_path / "m-Acme.prom").write_text("")
    assert loaded.textfiles() == (tmp_path / "m-Acme.prom",)


def test_the_default_metrics_file_is_next_to_a_history_file(
    tmp_path: Path,
) -> None:
    config = tmp_path / "k.yaml"
    (tmp_path / "private").mkdir()
    config.write_text("organizations: [{ name: a, key_env: A }, { name: b, key_env: B }]")
    history = tmp_path / "history.db"
    loading = Files(Options(config=config, history=history), {}, tmp_path / "private")
    assert [path.name for path in loading.load().textfiles()] == [
        "history.db.a.prom",
        "history.db.b.prom",
    ]
    config.write_text("metrics_textfile: mine.prom")
    assert loading.load().textfiles() == (tmp_path / "mine.prom",)


def test_a_full_disk_keeps_the_previous_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    mine = policy(tmp_path / "mine.yaml")
    loading = files(tmp_path, mine)
    loaded = loading.load()
    for name in ("os.open", "pathlib.Path.mkdir"):
        with monkeypatch.context() as patched:
            patched.setattr(name, full)
            with pytest.raises(OutputError, match="No space left on device"):
                loading.load()
    with reading_copies(copies_of(loaded)):
        assert [one.name for one in load_policies([str(mine)])] == ["mine"]
