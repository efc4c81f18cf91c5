"""A file that says whose each token is; it holds their sha256, never the tokens themselves.

[[token]]
sha256 = "ab12…"            # printf %s "$TOKEN" | sha256sum
name = "anna"
role = "read"               # "none" (a valid token without rights), "read" or "write"
namespaces = ["anna"]       # where the role holds; left out: everywhere
private = ["secret"]        # namespaces where new repositories are private unless told otherwise
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

from hub.access import ROLES, Authenticate, Identity
from hub.errors import TokenFileError
from hub.names import sha256_digest


def read_tokens(file: Path) -> Authenticate:
    """Returns the function that finds the account of a token, after `file`.

    Raises:
        TokenFileError: the file cannot be read or says something else.
    """
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get("token")
        identities = dict(_identity(entry) for entry in entries) if isinstance(entries, list) else None
    except (OSError, ValueError) as error:
        raise TokenFileError(f"The file of tokens must be readable TOML. Received: {file} ({error}).") from error
    if not identities:
        raise TokenFileError(f"The file of tokens has a [[token]] for each token. Received: {file} without one.")
    return lambda token: identities.get(hashlib.sha256(token.encode(errors="replace")).hexdigest())


def _identity(entry: Any) -> tuple[str, Identity]:
    if not isinstance(entry, dict) or set(entry) - {"sha256", "name", "role", "namespaces", "private"}:
        raise ValueError("a token has sha256, name, role, namespaces and private")
    name, role, namespaces = entry.get("name"), entry.get("role"), entry.get("namespaces")
    private = entry.get("private", [])
    if not isinstance(name, str) or role not in ROLES:
        raise ValueError(f"a token has a name, and one of the roles {', '.join(ROLES)}")
    if not (namespaces is None or _names(namespaces)) or not _names(private):
        raise ValueError("namespaces and private are lists of names")
    return sha256_digest(entry.get("sha256")), Identity(
        name, role, None if namespaces is None else frozenset(namespaces), frozenset(private)
    )


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
