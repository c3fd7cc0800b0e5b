"""Sources of secrets: readable or not, and never shown."""

import errno
import sys
from pathlib import Path

import pytest

from scanner.errors import CredentialError, KeyVigilError, SecretUnavailable
from scanner.references import Reference, fetch
from scanner.secret import Secret
from tests.support.prose import Prose
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


def test_the_message_of_a_failed_program_is_shown_with_secrets_masked() -> None:
    says = "import sys; print('hunter2-hunter2'); "
    says += f"print('denied \\x1b[31m {KEY} hunter2-hunter2', file=sys.stderr); sys.exit(3)"
    error = refusal(program(says), SecretUnavailable)
    assert str(error).startswith(f"k.yaml:4:18: the command '{sys.executable}' ")
    assert str(error).endswith(r" 3: denied \u{1b}[31m sk-*** ***.")


def test_a_program_that_fails_without_a_message_is_reported(prose: Prose) -> None:
    error = refusal(program("raise SystemExit(1)"), SecretUnavailable)
    prose(f"{error}\n{error.help}", python=sys.executable)


def test_a_program_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    starts = 'sleep 3600 & echo $! > "$1"; wait'
    slow = Reference(command=("/bin/sh", "-c", starts, "sh", str(pids)))
    error = refusal(slow, SecretUnavailable, seconds=3)
    assert " 3 s " in str(error)
    child = int(pids.read_text())
    until(lambda: has_ended(child))


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(
    "code",
    [
        "pass",
        f"print('{KEY}'); print('{KEY}')",
        "import sys; sys.stdout.buffer.write(b'\\xff\\xfe')",
        "print('x' * 30_000)",
        "import itertools; [print(n) for n in itertools.count()]",
    ],
)
def test_a_program_with_any_other_output_is_rejected(code: str, prose: Prose) -> None:
    error = refusal(program(code))
    prose(f"{error}\n{error.help}", python=sys.executable)


def test_a_program_that_is_not_there_is_named() -> None:
    error = refusal(Reference(command=("/nowhere/vault", "read")))
    assert (
        str(error) == "the command '/nowhere/vault' cannot be started: No such file or directory."
    )


def test_a_missing_source_is_named_with_its_place(tmp_path: Path, prose: Prose) -> None:
    assert str(refusal(Reference(variable="A_KEY", at="k.yaml:2:9"))) == (
        "k.yaml:2:9: A_KEY is not set."
    )
    gone = tmp_path / "gone"
    assert str(refusal(Reference(file=gone))) == (
        f"the file {gone} cannot be read: No such file or directory."
    )
    gone.write_bytes(b"\xff")
    prose(str(refusal(Reference(file=gone))))
    prose(str(refusal(Reference(file=Path("a\0b")))))
    prose(str(refusal(Reference(command=("a\0",)))))


@pytest.mark.parametrize("escapes", [False, True])
def test_a_background_process_of_the_program_does_not_delay_its_output(*, escapes: bool) -> None:
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
