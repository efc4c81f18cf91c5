"""The run's log file, and which log records and warnings reach the terminal.

Everything from INFO up goes to the file. The terminal gets warnings and errors, less those that `QUIET`
names: a user cannot act on them, and what a user cannot act on hides what they can.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import PipelineError
from pipeline.local.failure import is_disk_full

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Quiet(NamedTuple):
    """Records that stay in the file."""

    logger: str
    message: str
    reason: str


QUIET = (
    Quiet(r"py\.warnings", r".*(Deprecation|Future|Syntax|Import|Resource)Warning", "addressed to programmers"),
    Quiet(
        r"py\.warnings",
        r".*validating metadata in README\.md:\n- \"license\" is not given",
        "HFPusher says so in words of its own, with the way out",
    ),
    Quiet(r"absl", r"ArtifactQuery\.property_predicate is not supported", "TFX about its own metadata queries"),
    Quiet(
        r"absl",
        r"Examples artifact does not have payload_format",
        "and tf.train.Example, its guess, is right",
    ),
    Quiet(r"tensorflow", r"From .* tf_record_iterator .* is deprecated", "TFMA about its own reading"),
    Quiet(
        r"absl|tensorflow|tf_keras.*|keras.*",
        r"SavedModel saved prior to TF 2\.5 detected when loading Keras model",
        "TFMA tries Keras' loader first; ours is a plain SavedModel",
    ),
    Quiet(
        r"tensorflow",
        r"\d+ out of the last \d+ calls to .* triggered tf\.function retracing",
        "each of Tuner's trials has a model of its own",
    ),
    Quiet(r"absl", r"mlmd client \w+: ", "the error itself is shown, once and without its SQL"),
    Quiet(r"absl", r"Execution \d+ failed", "the error itself is shown, once and readably"),
)


class LogFileError(PipelineError):
    """The log file cannot be written."""


def is_shown(record: logging.LogRecord) -> bool:
    """Returns whether a record of level WARNING or above reaches the terminal."""
    message = record.getMessage()
    return not any(
        re.fullmatch(quiet.logger, record.name) and re.match(quiet.message, message, re.DOTALL) for quiet in QUIET
    )


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """While active, Python's logging and warnings go to `path` and, where a user should see them, to the
    terminal; handlers that show them there in their own way, such as those of TFX's command line, rest meanwhile."""
    root = logging.getLogger()
    level = root.level
    file = _file_handler(path)
    terminal = _TerminalHandler(logging.WARNING)
    terminal.addFilter(is_shown)
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    handlers = [file, terminal]
    others = [handler for handler in root.handlers if getattr(handler, "stream", None) in (sys.stderr, sys.stdout)]
    for handler in others:
        root.removeHandler(handler)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    _let_absl_pass()
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        for handler in others:
            root.addHandler(handler)


class _TerminalHandler(logging.Handler):
    """Writes to whatever `sys.stderr` is at the moment: it is replaced while noise is filtered."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


class _LogFile(logging.FileHandler):
    """A log that a full disk does not turn into a second failure: the run's own message tells of the disk."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if not is_disk_full(sys.exc_info()[1]):
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            if not is_disk_full(error):
                raise


def _file_handler(path: Path) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, encoding="utf-8")
    except OSError as error:
        raise LogFileError(
            f"The log file must be writable. Received: {path}, {error.strerror}. Choose another --output-dir."
        ) from error
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


def _let_absl_pass() -> None:
    """TFX logs through absl, which by itself drops what is below WARNING."""
    import absl.logging

    absl.logging.set_verbosity(absl.logging.INFO)
