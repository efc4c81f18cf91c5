"""Pages for a person with a browser: repositories, revisions, cards and files. Only what is public."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from functools import wraps
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub import markup
from hub.access import check_gate, readable_repository
from hub.descriptions import card_text
from hub.errors import EntryNotFoundError, GatedRepoError, RepoNotFoundError, RevisionNotFoundError
from hub.manifests import Commit, FileEntry
from hub.repository import BRANCHES, DEFAULT_BRANCH, TAGS, Repository
from hub.routes.paths import path_part
from hub.state import hub_state

PREVIEW_BYTES: Final = 256 * 1024
_REVISIONS_SHOWN: Final = 8  # in the list of repositories

View = Callable[[Request], Response]


class Revisions(NamedTuple):
    """Names of a repository's branches and tags: `main` first, then the newest of the dated ones."""

    first: list[str]
    rest: list[str]  # what a page folds, or only counts

    @classmethod
    def of(cls, repository: Repository) -> Revisions:
        names = [*repository.refs(BRANCHES), *repository.refs(TAGS)]
        names.sort(key=lambda name: (name == DEFAULT_BRANCH, name), reverse=True)
        return cls(names[:_REVISIONS_SHOWN], names[_REVISIONS_SHOWN:])


class RepositoryRow(NamedTuple):
    """A repository in the list of all."""

    repository: Repository
    revisions: Revisions
    commit: Commit


def index(request: Request) -> Response:
    """Returns the list of public repositories, each with its revisions."""
    repositories = hub_state(request).storage.all_repositories()
    rows = [_row(repository) for repository in repositories if not repository.settings.private]
    return markup.page("index.html.j2", rows=rows)


def _row(repository: Repository) -> RepositoryRow:
    return RepositoryRow(repository, Revisions.of(repository), repository.commit(DEFAULT_BRANCH))


def _or_not_found(view: View) -> View:
    """Returns the view, or one page for all that is not there and all that the visitor may not know of."""

    @wraps(view)
    def found(request: Request) -> Response:
        try:
            return view(request)
        except (EntryNotFoundError, GatedRepoError, RepoNotFoundError, RevisionNotFoundError):
            return markup.page("not_found.html.j2", status=404)

    return found


@_or_not_found
def revision(request: Request) -> Response:
    """Returns the page of one revision: its card and its files."""
    repository, commit = _asked_for(request)
    card = card_text(commit, hub_state(request).storage.blobs)
    return markup.page(
        "revision.html.j2",
        repository=repository,
        commit=commit,
        current=path_part(request, "revision", DEFAULT_BRANCH),
        revisions=Revisions.of(repository),
        labels=[repository.id.type, *markup.card_labels(card)],
        card=markup.card(card) if card else None,
        files=sorted(commit.files.items(), key=lambda file: ("/" in file[0], file[0])),
        total=sum(entry.size for entry in commit.files.values()),
    )


@_or_not_found
def preview(request: Request) -> Response:
    """Returns the page of one file: its text, or the first part of a long one."""
    repository, commit = _asked_for(request)
    path = request.path_params["path"]
    entry = commit.files.get(path)
    if entry is None:
        raise EntryNotFoundError(f"Entry not found: {path}")
    with hub_state(request).storage.blobs.path(entry.sha256).open("rb") as stream:
        head = stream.read(PREVIEW_BYTES)
    return markup.page(
        "preview.html.j2",
        repository=repository,
        commit=commit,
        path=path,
        entry=entry,
        shown_bytes=len(head),
        text=_text_of(head, entry),
    )


def _asked_for(request: Request) -> tuple[Repository, Commit]:
    repository = readable_repository(request)
    check_gate(request, repository)
    return repository, repository.commit(path_part(request, "revision", DEFAULT_BRANCH))


def _text_of(head: bytes, entry: FileEntry) -> str | None:
    """Returns the beginning of a file as text; None if it is none."""
    is_cut = len(head) < entry.size
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=not is_cut)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


ROUTES = [
    Route("/", index),
    Route("/{namespace}/{name}", revision),
    Route("/{kind}/{namespace}/{name}", revision),
    *(
        Route(prefix + "/{namespace}/{name}/" + part, view)
        for prefix in ("", "/{kind}")
        for part, view in (
            ("tree/{revision}", revision),
            ("commit/{revision}", revision),
            ("blob/{revision}/{path:path}", preview),
        )
    ),
]
