"""Errors of a source, or of the folder that its rows are to go to."""

from __future__ import annotations


class SourceError(ValueError):
    """A source that cannot be fetched or read, that does not hold what it should, or that cannot be written out."""

    user_message = True
