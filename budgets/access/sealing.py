"""Keep a secret in the database so that a copy of the database alone does not give it away. Pure.

AES-256-GCM under a key derived by HKDF-SHA256 from SECRET_KEY and a random salt. Layout: one byte of version, 16 of
salt, 12 of nonce, then the ciphertext with its tag. `name` is bound to it, so that a sealed secret cannot be moved to
another row.
"""

import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"\x01"
SALT, NONCE = 16, 12


class CannotUnseal(Exception):
    """None of the secret keys opens it: SECRET_KEY was changed without keeping the old one in SECRET_KEY_FALLBACKS."""


def seal(secret: bytes, name: str, secret_key: str) -> bytes:
    """`secret`, encrypted."""
    salt, nonce = os.urandom(SALT), os.urandom(NONCE)
    return VERSION + salt + nonce + _cipher(secret_key, salt).encrypt(nonce, secret, name.encode())


def unseal(sealed: bytes, name: str, secret_keys: Iterable[str]) -> bytes:
    """What was sealed, by the first of `secret_keys` that opens it. Raises CannotUnseal."""
    start = len(VERSION) + SALT
    salt, nonce, rest = sealed[len(VERSION) : start], sealed[start : start + NONCE], sealed[start + NONCE :]
    if sealed.startswith(VERSION):
        for secret_key in secret_keys:
            try:
                return _cipher(secret_key, salt).decrypt(nonce, rest, name.encode())
            except (InvalidTag, ValueError):
                continue
    raise CannotUnseal(f"{name} was sealed under a SECRET_KEY that is neither the present one nor a fallback")


def _cipher(secret_key: str, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"tokenops signing key").derive(secret_key.encode()))
