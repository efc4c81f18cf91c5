"""Removes what nothing refers to: contents of deleted branches and repositories, and uploads that no commit followed.

    python -m hub.garbage --storage-dir output/hub --dry-run

It may run while hubs serve the folder. What a commit under way may come to refer to was claimed, and so is younger than
a day; nothing that young is removed. Commits go first, under the lock of their repository: afterwards every commit that
is left has its contents, whatever becomes of branches meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.blobs import STALE_UPLOAD_SECONDS
from hub.errors import RepoNotFoundError, StorageUnusableError
from hub.storage import Storage


@dataclass(frozen=True)
class Removed:
    """Files that were deleted, or would be."""

    commits: int
    contents: int
    size_bytes: int


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if not options.storage_dir.is_dir():
        sys.stderr.write(f"There must be a hub's folder to look through. Received: no folder {options.storage_dir}.\n")
        return 1
    try:
        removed = collect(Storage(options.storage_dir), with_history=options.drop_history, dry_run=options.dry_run)
    except StorageUnusableError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(
        f"{'would be removed' if options.dry_run else 'removed'}: {removed.contents} contents of "
        f"{removed.size_bytes:,} bytes, {removed.commits} commits\n"
    )
    return 0


def collect(
    storage: Storage, *, with_history: bool = False, dry_run: bool = False, clock: Callable[[], float] = time.time
) -> Removed:
    """Removes what is older than a day and to which no branch or tag leads.

    Args:
        storage: of one hub or several.
        with_history: whether older commits of a branch go too, so that only what branches and tags name is left.
        dry_run: whether to remove nothing.
        clock: seconds since the epoch.
    """
    before = clock() - STALE_UPLOAD_SECONDS
    gone, referred = 0, set[str]()
    for repository in storage.all_repositories():
        pruned: set[str] = set()
        with contextlib.suppress(RepoNotFoundError, FileNotFoundError):  # deleted meanwhile
            pruned = repository.prune_commits(before=before, with_history=with_history, dry_run=dry_run)
        gone += len(pruned)
        kept = (commit for commit in repository.commits() if commit.oid not in pruned)
        referred |= {entry.sha256 for commit in kept for entry in commit.files.values()}
    contents, size_bytes = 0, 0
    for sha256, status in storage.blobs.all():
        if sha256 in referred or status.st_mtime >= before:
            continue
        if dry_run or storage.blobs.remove(sha256, unless_since=before):
            contents, size_bytes = contents + 1, size_bytes + status.st_size
    if not dry_run:
        for repository in storage.all_repositories():
            repository.forget_objects(lambda sha256: storage.blobs.size(sha256) is not None)
    return Removed(gone, contents, size_bytes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hub.garbage", description="Remove what no revision refers to.")
    add = parser.add_argument
    add("--storage-dir", type=Path, default=Path("output/hub"), help="folder of the hub (output/hub)")
    add("--drop-history", action="store_true", help="keep only what branches and tags name, not their older commits")
    add("--dry-run", action="store_true", help="say what would go, and remove nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
