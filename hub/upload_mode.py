"""Chooses the files that are stored as large files, or not at all: by the repository's own rules, size and a glance
at the content."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pathspec import GitIgnoreSpec

MAX_REGULAR_BYTES: Final = 5 * 1024 * 1024

_LFS_SUFFIXES: Final = (
    "7z", "arrow", "avro", "bin", "bz2", "ckpt", "ftz", "gguf", "gz", "h5", "joblib", "keras", "lfs.*",
    "mlmodel", "model", "msgpack", "npy", "npz", "onnx", "ot", "parquet", "pb", "pickle", "pkl", "pt",
    "pth", "rar", "safetensors", "tar.*", "tar", "tflite", "tgz", "wasm", "xz", "zip", "zst",
)  # fmt: skip
_LFS_PATTERNS: Final = (*(f"*.{suffix}" for suffix in _LFS_SUFFIXES), "*tfevents*")

# What a new repository begins with.
GIT_ATTRIBUTES: Final = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _LFS_PATTERNS
).encode()


def upload_mode(path: str, size: int, sample: bytes, *, attributes: str) -> str:
    """Returns `lfs` or `regular`, for a file of `size` bytes that begins with `sample`.

    Args:
        path: of the file.
        size: bytes.
        sample: the file's first bytes.
        attributes: the repository's `.gitattributes`.
    """
    if size == 0:
        return "regular"
    if size > MAX_REGULAR_BYTES or _spec(_lfs_patterns(attributes)).match_file(path):
        return "lfs"
    return "lfs" if _is_binary(sample) else "regular"


def is_ignored(path: str, *, ignore: str) -> bool:
    """Returns whether `ignore`, the text of a `.gitignore` at the root, leaves the file out."""
    return _spec(tuple(ignore.splitlines())).match_file(path)


@lru_cache(maxsize=8)
def _spec(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(patterns)


@lru_cache(maxsize=8)
def _lfs_patterns(attributes: str) -> tuple[str, ...]:
    """Returns the patterns of large files, in the order in which later ones overrule earlier ones."""
    lines = [line.split() for line in attributes.splitlines() if not line.lstrip().startswith("#")]
    chosen = [(words[0], "filter=lfs" in words[1:]) for words in lines if any("filter" in word for word in words[1:])]
    return tuple(pattern if is_large else f"!{pattern}" for pattern, is_large in chosen)


def _is_binary(sample: bytes) -> bool:
    if b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        # A character may be cut at the sample's end.
        return error.start < len(sample) - 3
    return False
