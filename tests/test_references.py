"""Where a secret stands: found or not, and never shown."""

import errno
import sys
from pathlib import Path

import pytest

from scanner.errors import CredentialError, KeyVigilError, SecretUnavailable
from scanner.references import Reference, fetch
from scanner.secret import Secret
from tests.support.waiting import PATIENCE, until

KEY = "sk-admin-0123456789abcdefghijklmnop"


def program(code: str) -> Reference:
    return Reference(command=(sys.executable, "-c", code), at="k.yaml:4:18")


def refusal(
    reference: Reference, kind: type[KeyVigilError] = CredentialError, *, seconds: float = PATIENCE
) -> KeyVigilError:
    with pytest.raises(kind) as caught:
        fetch(reference, {}, seconds=seconds)
    assert caught.value.help
    assert KEY not in f"{caught.value} {caught.value.help}"
    return caught.value


def test_a_variable_and_a_file_give_it_without_white_space(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"\n {KEY}\n")
    assert fetch(Reference(variable="A"), {"A": f" {KEY} "}) == Secret(KEY)
    assert fetch(Reference(file=file), {}) == Secret(KEY)


def test_a_program_gives_it_on_its_only_line_and_no_shell_reads_its_arguments() -> None:
    assert fetch(program(f"print('{KEY}')"), {}) == Secret(KEY)
    echo = Reference(command=(sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME;ls"))
    assert fetch(echo, {}) == Secret("$HOME;ls")


def test_what_a_program_says_of_its_failure_is_shown_with_secrets_masked() -> None:
    says = "import sys; print('hunter2-hunter2'); "
    says += f"print('denied \\x1b[31m {KEY} hunter2-hunter2', file=sys.stderr); sys.exit(3)"
    error = refusal(program(says), SecretUnavailable)
    said = r"failed with 3: denied \u{1b}[31m sk-*** ***."
    assert str(error) == f"k.yaml:4:18: the command '{sys.executable}' {said}"


def test_a_program_that_says_nothing_of_its_failure_is_said_to() -> None:
    assert "failed with 1 and said nothing" in str(
        refusal(program("raise SystemExit(1)"), SecretUnavailable)
    )


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    starts = 'sleep 3600 & echo $! > "$1"; wait'
    slow = Reference(command=("/bin/sh", "-c", starts, "sh", str(pids)))
    error = refusal(slow, SecretUnavailable, seconds=3)
    assert "gave no key within 3 s, and was stopped" in str(error)
    child = int(pids.read_text())
    until(lambda: has_ended(child))


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("pass", "said no line of text"),
        (f"print('{KEY}'); print('{KEY}')", "said more than one line of text"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\xfe')", "said no line of text"),
        ("print('x' * 30_000)", "said more than 20,000 bytes, and was stopped"),
        ("import itertools; [print(n) for n in itertools.count()]", "said more than 20,000 bytes"),
    ],
)
def test_a_program_that_says_something_else_is_refused(code: str, message: str) -> None:
    assert message in str(refusal(program(code)))


def test_a_program_that_is_not_there_is_named() -> None:
    error = refusal(Reference(command=("/nowhere/vault", "read")))
    assert (
        str(error) == "the command '/nowhere/vault' cannot be started: No such file or directory."
    )


def test_what_is_not_there_is_named_with_its_place(tmp_path: Path) -> None:
    assert str(refusal(Reference(variable="A_KEY", at="k.yaml:2:9"))) == (
        "k.yaml:2:9: A_KEY is not set."
    )
    gone = tmp_path / "gone"
    assert str(refusal(Reference(file=gone))) == (
        f"the file {gone} cannot be read: No such file or directory."
    )
    gone.write_bytes(b"\xff")
    assert "has no line of text" in str(refusal(Reference(file=gone)))
    assert "has no line of text" in str(refusal(Reference(file=Path("a\0b"))))
    assert "cannot be started: it is no program's name" in str(refusal(Reference(command=("a\0",))))


@pytest.mark.parametrize("escapes", [False, True])
def test_what_a_program_leaves_behind_does_not_hold_its_answer_back(*, escapes: bool) -> None:
    code = (
        "import subprocess, sys;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)'],"
        f" start_new_session={escapes}); print('{KEY}')"
    )
    assert fetch(program(code), {}, seconds=60) == Secret(KEY)


def test_a_file_whose_disk_fails_may_be_there_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_given: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "open", failing)
    error = refusal(Reference(file=tmp_path / "key"), SecretUnavailable)
    assert str(error) == f"the file {tmp_path / 'key'} cannot be read: Stale file handle."
