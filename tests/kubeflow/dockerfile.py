"""Reads a Dockerfile into its stages. As much of the language as this project's own file speaks."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction, continuation lines joined."""

    name: str
    value: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.value)


@dataclass
class Stage:
    """What follows a FROM."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Dockerfile:
    """The arguments before the first FROM, and the stages by name."""

    arguments: dict[str, str]
    stages: dict[str, Stage]

    def lineage(self, name: str) -> list[Stage]:
        """A stage and those that it is built on, the first one first."""
        stage = self.stages[name]
        return [*(self.lineage(stage.base) if stage.base in self.stages else []), stage]

    def image(self, name: str) -> str:
        """The image that a stage starts from in the end, arguments filled in."""
        base = self.lineage(name)[0].base
        return re.sub(r"\$\{(\w+)\}", lambda found: self.arguments[found[1]], base)


def read_dockerfile(path: Path) -> Dockerfile:
    """The file's instructions, by stage."""
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    for instruction in _instructions(path.read_text(encoding="utf-8")):
        if instruction.name == "FROM":
            base, as_, name = instruction.words
            assert as_.upper() == "AS", "every stage has a name"
            stages[name] = Stage(name, base)
        elif not stages:
            assert instruction.name == "ARG", "nothing but ARG stands before FROM"
            name, _, value = instruction.value.partition("=")
            arguments[name] = value
        else:
            list(stages.values())[-1].instructions.append(instruction)
    return Dockerfile(arguments, stages)


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        Instruction(name.upper(), value.strip())
        for name, _, value in (line.partition(" ") for line in joined.splitlines())
    ]
