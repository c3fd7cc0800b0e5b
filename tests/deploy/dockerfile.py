"""The Dockerfile, read as far as ours goes: its steps can be carried out without an engine."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent.parent.parent / "deploy" / "docker" / "Dockerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction: its word, and the rest on one line."""

    word: str
    rest: str


def stages() -> list[list[Step]]:
    """Return the steps of each stage, without what stands before the first."""
    found: list[list[Step]] = []
    for step in steps(FILE.read_text()):
        if step.word == "FROM":
            found.append([])
        if found:
            found[-1].append(step)
    return found


def steps(text: str) -> Iterator[Step]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, rest = line.split(maxsplit=1)
        yield Step(word=word, rest=rest)


def environment(stage: list[Step]) -> dict[str, str]:
    """Return what a stage's ENV says; PATH as it is put before what is there."""
    said: dict[str, str] = {}
    for step in stage:
        if step.word == "ENV":
            said |= dict(re.findall(r"(\w+)=(\S+)", step.rest))
    return said


def exec_form(stage: list[Step], word: str) -> list[str]:
    """Return the words of ENTRYPOINT or CMD; raise ValueError if a shell would have to read it."""
    (step,) = (step for step in stage if step.word == word)
    words: list[str] = json.loads(step.rest)
    return words
