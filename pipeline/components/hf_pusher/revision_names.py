"""Names of revisions: `v20261121-225207`, the UTC date and time of publication."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

_NAME = re.compile(r"v\d{8}-\d{6}")


def revision_at(moment: datetime) -> str:
    """The revision published at `moment`, which must know its time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"A revision is named by UTC: the moment needs a time zone. Received: {moment!r}")
    return moment.astimezone(UTC).strftime("v%Y%m%d-%H%M%S")


def dated_revisions(branches: Iterable[str]) -> list[str]:
    """Those branches that are dated revisions, oldest first."""
    return sorted(name for name in branches if _NAME.fullmatch(name))
