"""Which files are stored as large files: decided by name, size and a glance at the content."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

MAX_REGULAR_BYTES: Final = 5 * 1024 * 1024

_LFS_SUFFIXES: Final = (
    "7z", "arrow", "avro", "bin", "bz2", "ckpt", "ftz", "gguf", "gz", "h5", "joblib", "keras", "lfs.*",
    "mlmodel", "model", "msgpack", "npy", "npz", "onnx", "ot", "parquet", "pb", "pickle", "pkl", "pt",
    "pth", "rar", "safetensors", "tar.*", "tar", "tflite", "tgz", "wasm", "xz", "zip", "zst",
)  # fmt: skip
_LFS_PATTERNS: Final = (*(f"*.{suffix}" for suffix in _LFS_SUFFIXES), "*tfevents*")

GIT_ATTRIBUTES: Final = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _LFS_PATTERNS
).encode()


def upload_mode(path: str, size: int, sample: bytes) -> str:
    """`lfs` or `regular`, for a file of `size` bytes that begins with `sample`."""
    if size == 0:
        return "regular"
    if size > MAX_REGULAR_BYTES or any(PurePosixPath(path).match(pattern) for pattern in _LFS_PATTERNS):
        return "lfs"
    return "lfs" if _is_binary(sample) else "regular"


def _is_binary(sample: bytes) -> bool:
    if b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        # A character may be cut at the sample's end.
        return error.start < len(sample) - 3
    return False
