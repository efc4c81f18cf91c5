"""Signatures of whole revisions, in OpenSSF's model-signing format, with a private key of one's own.

The signature covers the name and sha256 of every file but itself (`model.sig`), so that its format's own command
checks a downloaded folder too: `model_signing verify key FOLDER --signature FOLDER/model.sig --public_key KEY.pub.pem`.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from publishing.errors import SigningError
from publishing.files import PlannedFile
from publishing.plan import SIGNATURE_PATH

# What a download leaves in a folder besides the revision's files; git's own files are ignored by the format.
_IGNORED = (SIGNATURE_PATH, ".cache")
_WORDS_AT_MOST = 300


class KeySigner:
    """Signs with an elliptic-curve private key, a PEM file without a password."""

    def __init__(self, private_key: Path) -> None:
        """Takes the key.

        Raises:
          SigningError: there is no such file, it holds no such key, or `model-signing` is not installed.
        """
        self._key = private_key
        self._public_key = _public_key(private_key)
        self._signing = _required("model_signing.signing")

    def sign(self, files: Sequence[PlannedFile]) -> bytes:
        """Returns the contents of `model.sig` for these files."""
        hashing = _required("model_signing.hashing").Config().set_ignored_paths(paths=_IGNORED)
        with _laid_out(files) as folder, tempfile.TemporaryDirectory() as other:
            signature = Path(other) / SIGNATURE_PATH
            config = self._signing.Config().use_elliptic_key_signer(private_key=self._key)
            config.set_hashing_config(hashing).sign(folder, signature)
            return signature.read_bytes()

    def made(self, signature: bytes, files: Sequence[PlannedFile]) -> bool:
        """Returns whether this key made `signature` for just these files."""
        with _laid_out(files) as folder, tempfile.TemporaryDirectory() as other:
            key = Path(other) / "key.pub.pem"
            key.write_bytes(self._public_key)
            (folder / SIGNATURE_PATH).write_bytes(signature)
            return signature_problem(folder, public_key=key) is None


def key_signer(environment: Mapping[str, str], *, variable: str) -> KeySigner:
    """Returns the signer whose key lies where the environment variable says.

    Raises:
      SigningError: it is not set, or nothing can be signed with what it names.
    """
    path = environment.get(variable, "").strip()
    if not path:
        raise SigningError(
            f"A signed publication needs a private key. Received: the environment variable {variable} is empty. "
            f"Set {variable} to the path of a PEM file, or publish unsigned."
        )
    return KeySigner(Path(path))


def signature_problem(folder: Path, *, public_key: Path) -> str | None:
    """Returns what is wrong with the signature of the files in `folder`; None when nothing is.

    Raises:
      SigningError: the public key cannot be read, or `model-signing` is not installed.
    """
    if not public_key.is_file():
        raise SigningError(f"A signature is checked with a public key, a PEM file. Received: no file {public_key}.")
    verifying = _required("model_signing.verifying")
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError(f"A public key is a PEM file of an elliptic curve. Received: {public_key}.") from error
    try:
        verifier.verify(folder, folder / SIGNATURE_PATH)
    except InvalidSignature:
        return "another key made it"
    except (ValueError, KeyError, TypeError) as error:
        return " ".join(str(error).split())[:_WORDS_AT_MOST] or type(error).__name__
    return None


def _public_key(private_key: Path) -> bytes:
    _required("cryptography")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    try:
        key = serialization.load_pem_private_key(private_key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningError(
            f"The private key is a readable PEM file without a password. Received: {private_key} "
            f"({type(error).__name__}). Make one: openssl ecparam -name prime256v1 -genkey -noout -out key.pem"
        ) from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise SigningError(
            f"The private key is one of an elliptic curve. Received: {private_key} with {type(key).__name__}. "
            "Make one: openssl ecparam -name prime256v1 -genkey -noout -out key.pem"
        )
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def _required(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise SigningError(
            f"Signatures need the package model-signing. Received: an environment without {error.name}. "
            "Install it (make setup EXTRAS=signing), or publish and verify without signatures."
        ) from error


@contextmanager
def _laid_out(files: Sequence[PlannedFile]) -> Iterator[Path]:
    """Yields a folder with `files` at their places; large ones are linked, not copied, where the disk allows it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for file in files:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(file.source, bytes):
                target.write_bytes(file.source)
            else:
                _link_or_copy(file.source, target)
        yield folder


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
