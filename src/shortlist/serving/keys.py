"""Keys that let a request change bundles; only their digests are kept."""

import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request

from shortlist.errors import SettingsError
from shortlist.serving.problems import RefusedError

__all__ = ["read_keys", "require_key"]

MIN_LENGTH = 16
CHALLENGE = ((b"www-authenticate", b'Bearer realm="bundles"'),)


def read_keys(path: Path) -> tuple[bytes, ...]:
    """The SHA-256 digests of the keys in a file: one a line, lines that begin with # are comments.

    Raises `SettingsError` for a file that cannot be read, has no key, or has one of fewer than 16 characters; the text
    names the line and never the key.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The keys in {path} cannot be read: {error}. Name a text file with one key a line."
        ) from error
    digests = []
    for number, line in enumerate(lines, start=1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if len(key) < MIN_LENGTH:
            raise SettingsError(
                f"{path}, line {number}: a key should have at least {MIN_LENGTH} characters, but it has {len(key)}. "
                'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
            )
        digests.append(_digest(key.encode()))
    if not digests:
        raise SettingsError(f"{path} has no key. Write one a line, each of at least {MIN_LENGTH} characters.")
    return tuple(digests)


def require_key(request: Request, digests: Sequence[bytes]) -> None:
    """Raise `RefusedError` unless the request carries one of the keys as `Authorization: Bearer KEY`."""
    if not digests:
        raise RefusedError(
            403,
            "This server changes no bundles, for it has no keys. Write one key a line into a file and start it with "
            "--api-keys FILE.",
        )
    given = [value for name, value in request.scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        raise RefusedError(
            401, "A key was expected, but none came. Send it as: Authorization: Bearer KEY.", headers=CHALLENGE
        )
    scheme, _, key = given[0].partition(b" ")
    digest = _digest(key.strip())
    # Every key is compared, so that the time tells nothing about which one was near.
    matches = [hmac.compare_digest(digest, known) for known in digests]
    if scheme.lower() != b"bearer" or not any(matches):
        raise RefusedError(
            401,
            "The key is none of this server's. Send one from its file as: Authorization: Bearer KEY.",
            headers=CHALLENGE,
        )


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
