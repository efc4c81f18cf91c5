"""Errors of a source, or of the folder that its rows are to go to.

SourceError              the source or the folder is wrong: mend it
└── SourceUnavailable    the source does not answer: run the same command again, which goes on where it was
"""

from __future__ import annotations


class SourceError(ValueError):
    """A source that cannot be fetched or read, that does not hold what it should, or that cannot be written out."""

    user_message = True


class SourceUnavailable(SourceError):  # noqa: N818 - the state of a source, not a mistake
    """A source that may answer later."""
