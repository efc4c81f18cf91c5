"""Records: what a component found, as one JSON file in the folder of its artifact, with one way to read and write it.

A record is a frozen pydantic model. Its file names the number of its format, so that a reader who is older than the
writer says so instead of misreading it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

FORMAT_KEY = "format"
SHOWN_PROBLEMS = 3


class RecordError(ValueError):
    """A record's file cannot be read.

    Attributes:
        path: the file.
        problem: what is wrong with it, to follow its path.
    """

    user_message = True

    def __init__(self, rule: str, path: str, problem: str, *, way_out: str) -> None:
        super().__init__(f"{rule} Received: {path} {problem}. {way_out}")
        self.path = path
        self.problem = problem


class RecordPart(BaseModel):
    """A part of a record; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Record(BaseModel):
    """The findings of one component.

    Attributes:
        FILE: the file's name in the artifact's folder.
        FORMAT: the number of the format; a change that older readers would misread adds one. A file without a number
            has format 1.
        IS_PUBLISHED: whether the file is published as it is; then it has no number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    FILE: ClassVar[str]
    FORMAT: ClassVar[int] = 1
    IS_PUBLISHED: ClassVar[bool] = False

    @classmethod
    def path(cls, folder: str | Path) -> str:
        """Returns where the record lies in an artifact's folder, which may be an address such as ``gs://…``."""
        return f"{str(folder).rstrip('/')}/{cls.FILE}"

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Returns the record in `folder`.

        Raises:
            OSError: If there is none.
            RecordError: If it is damaged, or a newer version of this project wrote it.
        """
        path = cls.path(folder)
        return cls.parse(_read_text(path), path=path)

    @classmethod
    def find(cls, folder: str | Path) -> Self | None:
        """Returns the record in `folder`; None if there is none.

        Raises:
            RecordError: As :meth:`read`.
        """
        return cls.read(folder) if _exists(cls.path(folder)) else None

    @classmethod
    def parse(cls, text: str, *, path: str) -> Self:
        """Returns the record in the text of its file.

        Args:
            text: what the file holds.
            path: of the file, for the messages.

        Raises:
            RecordError: As :meth:`read`.
        """
        content = _parse_object(text, path=path)
        _check_format(content.pop(FORMAT_KEY, 1), path=path, known=cls.FORMAT)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            rule = f"A {cls.FILE} must hold what a {cls.__name__} has."
            problem = f"does not hold what a {cls.__name__} has: {_problems(error)}"
            raise RecordError(rule, path, problem, way_out="Run the pipeline again, which writes it anew.") from error

    def write(self, folder: str | Path) -> None:
        """Writes the record into `folder`, which is made if it is not there."""
        _write_text(self.path(folder), self.render())

    def render(self) -> str:
        """Returns the text of the file."""
        number = {} if self.IS_PUBLISHED else {FORMAT_KEY: self.FORMAT}
        return json.dumps(number | self.content(), indent=2, ensure_ascii=False) + "\n"

    def content(self) -> dict[str, Any]:
        """Returns the fields as plain data."""
        return self.model_dump()


def _parse_object(text: str, *, path: str) -> dict[str, Any]:
    rule, way_out = "A record must be a JSON object.", "Run the pipeline again, which writes it anew."
    try:
        content = json.loads(text)
    except ValueError as error:
        raise RecordError(rule, path, f"is not readable as JSON: {error}", way_out=way_out) from error
    if not isinstance(content, dict):
        problem = f"holds no JSON object, but a {type(content).__name__}"
        raise RecordError(rule, path, problem, way_out=way_out)
    return content


def _check_format(number: object, *, path: str, known: int) -> None:
    if isinstance(number, int) and 1 <= number <= known:
        return
    raise RecordError(
        f"A record must have a format that this version knows, 1 to {known}.",
        path,
        f"has format {number!r}",
        way_out="Read it with the version of the project that wrote it, or a newer one.",
    )


def _problems(error: ValidationError) -> str:
    found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    more = [f"and {len(found) - SHOWN_PROBLEMS} more"] if len(found) > SHOWN_PROBLEMS else []
    return "; ".join([*found[:SHOWN_PROBLEMS], *more])


def _is_remote(path: str) -> bool:
    return "://" in path


def _exists(path: str) -> bool:
    return _remote_files().exists(path) if _is_remote(path) else Path(path).is_file()


def _read_text(path: str) -> str:
    if not _is_remote(path):
        return Path(path).read_text(encoding="utf-8")
    with _remote_files().GFile(path, "r") as file:
        return str(file.read())


def _write_text(path: str, text: str) -> None:
    if not _is_remote(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
        return
    with _remote_files().GFile(path, "w") as file:
        file.write(text)


def _remote_files() -> Any:
    import tensorflow as tf  # reads other file systems; local ones need no TensorFlow

    return tf.io.gfile
