"""All mistakes of all policies in one go, each at its own place."""

from datetime import date
from pathlib import Path

import pytest

from scanner.errors import PolicyError, UsageError
from scanner.policy_files import check_policies, may_be_policy, shipped_policies

TODAY = date(2026, 7, 1)
RULE = (
    "  - {{ id: {id}, title: t, severity: low, violated_when: {when}, why: w, fix: f,"
    " examples: {{ {examples} }} }}\n"
)


def policy(folder: Path, name: str, rules: str, more: str = "") -> str:
    path = folder / f"{name}.yaml"
    path.write_text(f"policy: {name}\nrules:\n{rules}{more}")
    return str(path)


def rule(id_: str, when: str = "{ used: true }", examples: str = "") -> str:
    return RULE.format(id=id_, when=when, examples=examples)


def exception(rule_id: str, expires: str) -> str:
    return (
        f"exceptions:\n  - {{ rule: {rule_id}, when: {{ key.id: a }}, reason: r, owner: o,"
        f" expires: {expires} }}\n"
    )


def places(folder: Path, names: list[str], *, tries_examples: bool = True) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        check_policies(names, TODAY, tries_examples=tries_examples)
    found = caught.value.problems
    assert list(found) == sorted(set(found))
    return [f"{one.file}:{one.line}:{one.column}".replace(f"{folder}/", "") for one in found]


def test_every_kind_of_mistake_of_every_file_is_reported(tmp_path: Path) -> None:
    never = "{ age: { over: 10d, under: 5d } }"
    wrong = "violating: [{ used: false }]"
    files = [
        policy(tmp_path, "z", rule("a", examples=wrong), exception("a", "2026-06-30")),
        policy(tmp_path, "m", rule("b", never) + rule("c", "{ usd: 1 }") + rule("d", "{}", wrong)),
        policy(tmp_path, "a", rule("e", examples=wrong) + "  - { id: f }\n"),
        str(tmp_path / "gone.yaml"),
        policy(tmp_path, "right", rule("g"), exception("g", "2026-07-01")),
        "nonsuch",
    ]
    expected = [
        *("a.yaml:3:127", "a.yaml:4:5", "a.yaml:4:5", "a.yaml:4:5", "a.yaml:4:5", "a.yaml:4:5"),
        "gone.yaml:1:1",
        *("m.yaml:3:5", "m.yaml:4:58", "m.yaml:5:56"),
        *("z.yaml:3:127", "z.yaml:5:5"),
        "nonsuch:1:1",
    ]
    found = places(tmp_path, files)
    assert [one.rpartition(":")[0] for one in found] == [one.rpartition(":")[0] for one in expected]
    validated = places(tmp_path, files, tries_examples=False)
    assert set(found) - set(validated) == {one for one in found if ":3:1" in one}


def test_a_rule_or_an_exception_with_a_mistake_brings_no_other(tmp_path: Path) -> None:
    """What could not be read is not called expired, unknown or failing."""
    text = exception("c", "2026-02-30") + exception("c", "2030-01-01").partition("\n")[2]
    broken = rule("c", "{ usd: 1 }", "violating: [{ used: false }]")
    file = policy(tmp_path, "m", broken, text)
    assert [one.rpartition(":")[0] for one in places(tmp_path, [file])] == ["m.yaml:3", "m.yaml:5"]


def test_what_is_inherited_is_reported_once_and_where_it_is_written(tmp_path: Path) -> None:
    never = "{ key.kind: admin, project.name: x }"
    base = policy(
        tmp_path,
        "base",
        rule("a", examples="violating: [{ used: false }]") + rule("b", never),
        exception("a", "2026-06-30"),
    )
    heirs = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for heir in heirs:
        heir.write_text(f"policy: {heir.stem}\nextends: base.yaml\n")
    found = places(tmp_path, [*map(str, heirs), base])
    assert [one.rpartition(":")[0] for one in found] == [
        "base.yaml:3",
        "base.yaml:4",
        "base.yaml:6",
    ]
    heirs[0].write_text(
        "policy: one\nextends: base.yaml\nrules:\n  - { id: a, disabled: true, reason: r }\n"
        "  - { id: b, violated_when: { used: true } }\n"
    )
    assert places(tmp_path, [str(heirs[0])]) == ["base.yaml:6:5"], "only what is still in force"


def test_one_name_that_is_no_policy_keeps_its_advice() -> None:
    with pytest.raises(UsageError) as caught:
        check_policies(["baseline", "basline"], TODAY)
    assert not isinstance(caught.value, PolicyError)
    assert caught.value.help


def test_what_ships_has_no_mistake_of_any_kind() -> None:
    names = shipped_policies()
    checked = check_policies(names, TODAY, tries_examples=True)
    assert tuple(one.name for one in checked) == names


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        ("policy: mine\nrules: []\n", True),
        ("# c\n---\ndescription: d\n'policy': mine\n", True),
        ("{ policy: mine, extends: baseline }", True),
        ("policy:\n", True),
        ("policy: mine\nrules: [\n", True),
        ("policy: a\n---\npolicy: b\n", True),
        ("", False),
        ("[]", False),
        ("policies: [baseline]\n", False),
        ("policy: { Version: 2012-10-17 }\n", False),
        ("policy:\n  - name: x\n", False),
        ("spec:\n  policy: mine\n", False),
        ("apiVersion: kyverno.io/v1\nkind: ClusterPolicy\n---\nkind: Policy\n", False),
        ("a: {{ .Values.policy }}\n", False),
        ("na\u00efve: caf\u00e9\n", False),
    ],
)
def test_a_policy_is_told_from_other_yaml_by_its_top_level(
    tmp_path: Path, content: str, *, is_one: bool
) -> None:
    file = tmp_path / "f.yaml"
    for encoding in ("utf-8", "utf-8-sig", "latin-1"):
        file.write_bytes(content.encode(encoding))
        assert may_be_policy(str(file)) == is_one


def test_a_file_that_cannot_be_read_is_not_skipped(tmp_path: Path) -> None:
    assert may_be_policy(str(tmp_path / "gone.yaml"))
    assert may_be_policy("nonsuch")
