"""Names that come from a client: checked here, once, before anything touches the disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hub.errors import InvalidPathError, InvalidRequestError

KINDS: Final = ("models", "datasets", "spaces")
DEFAULT_NAMESPACE: Final = "local"
MAX_PATH_BYTES: Final = 1024
MAX_SEGMENT_BYTES: Final = 255
MAX_REF_BYTES: Final = 80  # quoted, a byte takes up to three characters of a 255-character file name

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_-])?")
_RESERVED_NAMESPACES = frozenset({"api", "models", "datasets", "spaces", "lfs"})
_REF_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\%]|\.\.|@\{|//")
_COMMIT_OID = re.compile(r"[0-9a-f]{40}")
_SHORT_OID = re.compile(r"[0-9a-f]{7,40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True, order=True)
class RepoId:
    """One repository: kind (`models`, `datasets`, `spaces`), namespace and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def type(self) -> str:
        """Returns what the client calls the kind: `model`, `dataset`, `space`."""
        return self.kind[:-1]

    @property
    def url_path(self) -> str:
        """Returns the path of its page: `/local/gpt2`, `/spaces/local/chat`."""
        return f"/{self}" if self.kind == "models" else f"/{self.kind}/{self}"


def repo_id(kind: str, namespace: str, name: str) -> RepoId:
    """Returns the checked identifier of a repository; the client's `model` and the path's `models` are both taken."""
    kind = kind if kind.endswith("s") else f"{kind}s"
    if kind not in KINDS:
        raise InvalidRequestError(f"A repository is a model, a dataset or a space. Received: type={kind!r}")
    for part in (namespace, name):
        forbidden = "--" in part or ".." in part or part.endswith((".git", ".ipynb"))
        if forbidden or not _NAME.fullmatch(part):
            raise InvalidRequestError(
                "A repository id is namespace/name, each of letters, digits, '-', '_' and '.', without '--'"
                f" or '..' and not ending in '.git'. Received: {namespace}/{name!r}"
            )
    if namespace in _RESERVED_NAMESPACES:
        raise InvalidRequestError(f"The namespace {namespace!r} is one of the Hub's own addresses.")
    return RepoId(kind, namespace, name)


def file_path(path: object) -> str:
    """Returns the checked path of a file inside a repository: relative, without `..`, `.git` or control characters."""
    if not isinstance(path, str) or not path:
        raise InvalidPathError(f"A file needs a path. Received: path={path!r}")
    _check_utf8(path, InvalidPathError)
    segments = path.split("/")
    if any(segment in ("", ".", "..") or segment.lower() == ".git" for segment in segments):
        raise InvalidPathError(
            f"A file's path is relative, without empty, '.', '..' or '.git' parts. Received: path={path!r}"
        )
    if _CONTROL.search(path):
        raise InvalidPathError(f"A file's path has no control characters. Received: path={path!r}")
    if len(path.encode()) > MAX_PATH_BYTES or any(len(s.encode()) > MAX_SEGMENT_BYTES for s in segments):
        raise InvalidPathError(f"A file's path has at most {MAX_PATH_BYTES} bytes. Received: {len(path)}")
    return path


def ref_name(name: object) -> str:
    """Returns the checked name of a branch or tag, after git's own rules."""
    if not isinstance(name, str) or not name:
        raise InvalidRequestError(f"A branch or tag needs a name. Received: {name!r}")
    _check_utf8(name, InvalidRequestError)
    segments = name.split("/")
    bad_segment = any(s == "" or s.startswith((".", "-")) or s.endswith((".lock", ".")) for s in segments)
    if bad_segment or _REF_FORBIDDEN.search(name) or len(name.encode()) > MAX_REF_BYTES:
        raise InvalidRequestError(
            f"A branch or tag follows git's rules in at most {MAX_REF_BYTES} bytes. Received: {name!r}"
        )
    if _COMMIT_OID.fullmatch(name):
        raise InvalidRequestError(f"A branch or tag name must not look like a commit id. Received: {name!r}")
    return name


def is_short_oid(text: str) -> bool:
    """Returns whether `text` can be a commit id, shortened to no fewer than seven digits."""
    return bool(_SHORT_OID.fullmatch(text))


def sha256_digest(text: object) -> str:
    """Returns the checked sha256 in lower-case hexadecimal."""
    if not isinstance(text, str) or not _SHA256.fullmatch(text):
        raise InvalidRequestError(f"A sha256 has 64 lower-case hexadecimal digits. Received: {text!r}")
    return text


def xet_hash(text: object) -> str:
    """Returns the checked hash of a xorb, in lower-case hexadecimal."""
    if not isinstance(text, str) or not _SHA256.fullmatch(text):
        raise InvalidRequestError(f"A xorb's hash has 64 lower-case hexadecimal digits. Received: {text!r}")
    return text


def _check_utf8(text: str, error_class: type[InvalidRequestError]) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise error_class(f"A name must be valid Unicode. Received: {text!r}") from error
