"""Names of revisions: `v20261121-225207`, the UTC date and time of publication.

While its commit is being made, a revision is called `v20261121-225207-unfinished`, so that a branch with a
revision's name is whole from its first moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

MAIN = "main"
_FORMAT = "v%Y%m%d-%H%M%S"
_NAME = re.compile(r"v\d{8}-\d{6}")
_UNFINISHED = "-unfinished"


def revision_at(moment: datetime) -> str:
    """Returns the revision published at `moment`, which must know its time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"A revision is named by UTC: the moment needs a time zone. Received: {moment!r}")
    return moment.astimezone(UTC).strftime(_FORMAT)


def moment_of(revision: str) -> datetime | None:
    """Returns the moment that names `revision`; None for a name that is no moment."""
    try:
        return datetime.strptime(revision, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def dated_revisions(branches: Iterable[str]) -> list[str]:
    """Returns those branches that are dated revisions, oldest first."""
    return sorted(name for name in branches if _NAME.fullmatch(name))


def unfinished_branch(revision: str) -> str:
    """Returns the branch on which `revision` is made."""
    return revision + _UNFINISHED


def unfinished_revisions(branches: Iterable[str]) -> list[str]:
    """Returns the revisions that are being made, or were when their publisher died; oldest first."""
    return dated_revisions(name.removesuffix(_UNFINISHED) for name in branches if name.endswith(_UNFINISHED))
