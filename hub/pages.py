"""Pages for a person with a browser: repositories, revisions, cards and files. Only what is public."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from functools import wraps
from html import escape
from typing import Final
from urllib.parse import quote

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


def index(request: Request) -> Response:
    """Every public repository with its revisions."""
    storage = hub_state(request).storage
    public = [repository for repository in storage.all_repositories() if not repository.settings.private]
    heading = "<header><h1>Local Hub</h1></header>"
    if not public:
        return markup.document("Local Hub", f"{heading}<p>Nothing is published here yet.</p>")
    rows = map(_repository_row, public)
    table = markup.table(("repository", "type", "revisions", "updated"), rows, kind="repositories")
    return markup.document("Local Hub", f"{heading}<section>{table}</section>")


def _or_not_found(view: View) -> View:
    """Returns the view, or one page for all that is not there and all that the visitor may not know of."""

    @wraps(view)
    def found(request: Request) -> Response:
        try:
            return view(request)
        except (EntryNotFoundError, GatedRepoError, RepoNotFoundError, RevisionNotFoundError):
            missing = f"{markup.trail()}<header><h1>Not found</h1></header><p>There is no such page for you.</p>"
            return markup.document("Not found", missing, status=404)

    return found


@_or_not_found
def revision(request: Request) -> Response:
    """One revision: its card and its files."""
    repository, commit = _asked_for(request)
    card = card_text(commit, hub_state(request).storage.blobs)
    total = markup.size(sum(entry.size for entry in commit.files.values()))
    files = markup.table(("file", "size", "sha256", "download"), _file_rows(repository, commit), kind="files")
    body = (
        f"{markup.trail()}<header><h1>{escape(str(repository.id))}</h1>"
        f"<p>{markup.labels([_type(repository), *markup.card_labels(card)])}</p>"
        f"{_revision_list(repository, current=path_part(request, 'revision', DEFAULT_BRANCH))}"
        f"{_commit_line(commit)}"
        f'<nav class="parts">{markup.link("#card", "Card")} {markup.link("#files", "Files")}</nav>'
        f'</header><section id="card">{markup.card(card) if card else "<p>This revision has no card.</p>"}</section>'
        f'<section id="files"><h2>{len(commit.files)} files, {total}</h2>{files}</section>'
    )
    return markup.document(str(repository.id), body)


@_or_not_found
def preview(request: Request) -> Response:
    """One file: its text, or the first part of a long one."""
    repository, commit = _asked_for(request)
    path = request.path_params["path"]
    entry = commit.files.get(path)
    if entry is None:
        raise EntryNotFoundError(f"Entry not found: {path}")
    with hub_state(request).storage.blobs.path(entry.sha256).open("rb") as stream:
        head = stream.read(PREVIEW_BYTES)
    of_revision = markup.link(f"{repository.id.url_path}/tree/{commit.oid}", str(repository.id))
    body = (
        f"{markup.trail(of_revision)}<header><h1>{markup.path(path)}</h1>{_commit_line(commit)}"
        f"<p>{markup.size(entry.size)} · sha256 <code>{entry.sha256}</code></p>"
        f"<p>{_download(repository, commit, path, 'Download')}</p></header>"
        f"<section>{_text_of(head, entry)}</section>"
    )
    return markup.document(f"{path} · {repository.id}", body)


def _asked_for(request: Request) -> tuple[Repository, Commit]:
    repository = readable_repository(request)
    check_gate(request, repository)
    return repository, repository.commit(path_part(request, "revision", DEFAULT_BRANCH))


def _text_of(head: bytes, entry: FileEntry) -> str:
    """Returns the beginning of a file as HTML, or that it is no text."""
    is_cut = len(head) < entry.size
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=not is_cut)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return "<p>This file is no text: download it.</p>"
    remark = f'<p class="muted">The first {markup.size(len(head))} of {markup.size(entry.size)}.</p>' if is_cut else ""
    return f'{remark}<pre class="preview">{escape(text)}</pre>'


def _repository_row(repository: Repository) -> Iterable[str]:
    names = _revision_names(repository)
    links = [_revision_link(repository, name) for name in names[:_REVISIONS_SHOWN]]
    if len(names) > _REVISIONS_SHOWN:
        links.append(f'<span class="muted">and {len(names) - _REVISIONS_SHOWN} more</span>')
    yield markup.link(repository.id.url_path, str(repository.id))
    yield markup.labels([_type(repository)])
    yield f'<span class="refs">{" ".join(links)}</span>'
    yield _moment(repository.commit(DEFAULT_BRANCH))


def _file_rows(repository: Repository, commit: Commit) -> Iterable[Iterable[str]]:
    for path, entry in sorted(commit.files.items(), key=lambda file: ("/" in file[0], file[0])):
        yield (
            _file_name(repository, commit, path, entry),
            markup.size(entry.size),
            f'<code title="{entry.sha256}">{entry.sha256[:12]}</code>',
            _download(repository, commit, path, "Download"),
        )


def _file_name(repository: Repository, commit: Commit, path: str, entry: FileEntry) -> str:
    """Returns a link to the file's text; a large file, kept apart, has none."""
    if entry.lfs:
        return markup.path(path)
    return markup.link(f"{repository.id.url_path}/blob/{commit.oid}/{quote(path)}", path)


def _download(repository: Repository, commit: Commit, path: str, text: str) -> str:
    return markup.link(f"{repository.id.url_path}/resolve/{commit.oid}/{quote(path)}", text, attributes=" download")


def _revision_list(repository: Repository, *, current: str) -> str:
    """Links to all revisions; many of them fold behind the newest."""
    links = [_revision_link(repository, name, is_current=name == current) for name in _revision_names(repository)]
    first, rest = links[:_REVISIONS_SHOWN], links[_REVISIONS_SHOWN:]
    folded = f"<details><summary>{len(rest)} earlier ones</summary>{' '.join(rest)}</details>" if rest else ""
    return f'<div class="refs"><span class="muted">Revisions</span> {" ".join(first)}{folded}</div>'


def _revision_link(repository: Repository, name: str, *, is_current: bool = False) -> str:
    target = f"{repository.id.url_path}/tree/{quote(name, safe='')}"
    return markup.link(target, name, attributes=' aria-current="page"' if is_current else "")


def _revision_names(repository: Repository) -> list[str]:
    """`main` first, then the newest of the dated ones."""
    names = [*repository.refs(BRANCHES), *repository.refs(TAGS)]
    return sorted(names, key=lambda name: (name == DEFAULT_BRANCH, name), reverse=True)


def _commit_line(commit: Commit) -> str:
    return (
        f'<p class="muted">{escape(commit.title)} · {_moment(commit)} · '
        f'commit <code title="{commit.oid}">{commit.oid[:12]}</code></p>'
    )


def _type(repository: Repository) -> str:
    return repository.id.kind[:-1]


def _moment(commit: Commit) -> str:
    moment = escape(commit.created_at[:16].replace("T", " "))
    return f'<time datetime="{escape(commit.created_at)}">{moment} UTC</time>'


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
