"""Errors of asking a model. Each message is a sentence for whoever asked.

AnsweringError
├── ModelFolderError      (ValueError)    the folder holds no model that can be asked
├── TooManyWaitingError   (RuntimeError)  the queue is full
└── ClosedError           (RuntimeError)  no further question is taken
"""

from __future__ import annotations


class AnsweringError(Exception):
    """Base of all errors of this package."""

    user_message = True


class ModelFolderError(AnsweringError, ValueError):
    """The folder holds no model that can be asked."""


class TooManyWaitingError(AnsweringError, RuntimeError):
    """The queue is full."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ClosedError(AnsweringError, RuntimeError):
    """No further question is taken."""
