"""Pages for a person with a browser: repositories, revisions, files and cards. Only what is public."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files as package_files
from urllib.parse import quote

from markdown_it import MarkdownIt
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from hub.access import check_gate, readable_repository
from hub.descriptions import card_text
from hub.errors import GatedRepoError, RepoNotFoundError, RevisionNotFoundError
from hub.front_matter import split_card
from hub.manifests import Commit
from hub.names import RepoId
from hub.repository import BRANCHES, DEFAULT_BRANCH, TAGS, Repository
from hub.routes.paths import path_part
from hub.state import hub_state

_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"}
_STYLE = package_files("hub").joinpath("pages.css")


def index(request: Request) -> Response:
    """Every public repository with its revisions."""
    storage = hub_state(request).storage
    public = [repository for repository in storage.all_repositories() if not repository.settings.private]
    if not public:
        return _page("Local Hub", "<h1>Local Hub</h1><p>Nothing is published here yet.</p>")
    rows = map(_repository_row, public)
    return _page("Local Hub", f"<h1>Local Hub</h1>{_table(('type', 'repository', 'revisions', 'updated'), rows)}")


def revision(request: Request) -> Response:
    """One revision: its files and its card."""
    try:
        repository = readable_repository(request)
        check_gate(request, repository)
        commit = repository.commit(path_part(request, "revision", DEFAULT_BRANCH))
    except (GatedRepoError, RepoNotFoundError, RevisionNotFoundError):
        missing = f"<p>{_link('/', 'Local Hub')}</p><h1>Not found</h1><p>There is no such page for you.</p>"
        return _page("Not found", missing, status=404)
    card = card_text(commit, hub_state(request).storage.blobs)
    body = (
        f"<p>{_link('/', 'Local Hub')}</p><h1>{escape(str(repository.id))}</h1>"
        f"<p>{_revision_links(repository)}</p>"
        f"<p><code>{commit.oid}</code> {escape(commit.title)}, {_moment(commit)}</p>"
        f"{_table(('file', 'bytes', 'sha256'), _file_rows(repository.id, commit))}"
        f"<article>{render_card(card)}</article>"
    )
    return _page(str(repository.id), body)


def render_card(card: str) -> str:
    """A README as HTML; markup inside it is shown as text."""
    metadata, text = split_card(card)
    heading = f"<pre>{escape(metadata)}</pre>" if metadata else ""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return heading + str(markdown.render(text))


def _repository_row(repository: Repository) -> str:
    return (
        f"<tr><td>{escape(repository.id.kind[:-1])}</td>"
        f"<td>{_link(repository.id.url_path, str(repository.id))}</td>"
        f"<td>{_revision_links(repository)}</td><td>{_moment(repository.commit(DEFAULT_BRANCH))}</td></tr>"
    )


def _file_rows(repo_id: RepoId, commit: Commit) -> Iterable[str]:
    for path, entry in sorted(commit.files.items()):
        link = _link(f"{repo_id.url_path}/resolve/{commit.oid}/{quote(path)}", path)
        yield f"<tr><td>{link}</td><td>{entry.size:,}</td><td><code>{entry.sha256[:16]}…</code></td></tr>"


def _revision_links(repository: Repository) -> str:
    names = [*repository.refs(BRANCHES), *repository.refs(TAGS)]
    return " ".join(_link(f"{repository.id.url_path}/tree/{quote(name, safe='')}", name) for name in names)


def _moment(commit: Commit) -> str:
    return escape(commit.created_at[:19].replace("T", " ") + " UTC")


def _link(target: str, text: str) -> str:
    return f'<a href="{escape(target)}">{escape(text)}</a>'


def _table(headings: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _page(title: str, body: str, *, status: int = 200) -> Response:
    style = _STYLE.read_text(encoding="utf-8")
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>'
        f"<body><main>{body}</main></body></html>",
        status_code=status,
        headers=_POLICY,
    )


ROUTES = [
    Route("/", index),
    Route("/{namespace}/{name}", revision),
    Route("/{kind}/{namespace}/{name}", revision),
] + [
    Route(prefix + "/{namespace}/{name}/" + part + "/{revision}", revision)
    for prefix in ("", "/{kind}")
    for part in ("tree", "commit")
]
