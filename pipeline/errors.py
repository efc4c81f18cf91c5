"""Errors whose message is meant for the user.

Every class below, and every class elsewhere with the attribute ``user_message = True``, is shown by its
message alone; the traceback goes to the log file.

    RuntimeError
    └── PipelineError          something the user can put right
        ├── PreflightError     found before anything ran
        ├── RunLockedError     another run holds the output folder
        └── NodeNotRunError    TFX left a component out
"""

from __future__ import annotations

from collections.abc import Sequence

from publishing.errors import numbered


class PipelineError(RuntimeError):
    """Something the user can put right."""

    user_message = True


class PreflightError(PipelineError):
    """Problems found before anything ran."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(numbered("The run was not started", problems))
        self.problems = tuple(problems)


class RunLockedError(PipelineError):
    """Another run holds the output folder."""


class NodeNotRunError(PipelineError):
    """TFX decided not to run a component, so everything behind it would be stale."""
