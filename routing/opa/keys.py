"""The keys that OPA verifies with: P-256, kept beside the Ed25519 keys of the bundle.

Signatures are deterministic (RFC 6979), so that every process makes the same archive of a revision.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from joserfc.jwk import ECKey

from budgets.access.sealing import CannotUnseal, seal, unseal
from routing.models import OpaSigningKey, SigningKey

ALGORITHM = "ES256"
_COORDINATE = 32  # bytes of r and of s


@dataclass(frozen=True, slots=True)
class OpaKey:
    """A private key, ready to sign."""

    kid: str
    private: ec.EllipticCurvePrivateKey

    def sign(self, payload: bytes, kind: str) -> str:
        """A compact JWS over `payload`, with `kind` as its `typ`."""
        header = json.dumps({"alg": ALGORITHM, "kid": self.kid, "typ": kind}, separators=(",", ":")).encode()
        signed = f"{_base64url(header)}.{_base64url(payload)}"
        found = self.private.sign(signed.encode(), ec.ECDSA(SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(found)
        return f"{signed}.{_base64url(r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE))}"


def add_key(beside: SigningKey, secret_key: str) -> OpaSigningKey:
    """Make the key that goes with `beside`, sealed under `secret_key`."""
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = ECKey.import_key(pem)
    kid = key.thumbprint()
    public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": ALGORITHM}
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return OpaSigningKey.objects.create(
        beside=beside, kid=kid, public=public, sealed_private=seal(der, kid, secret_key)
    )


def open_key(kid: str, sealed: bytes, secret_keys: Iterable[str]) -> OpaKey:
    """The private key. Raises CannotUnseal."""
    private = load_der_private_key(unseal(sealed, kid, secret_keys), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise CannotUnseal(f"{kid} holds another kind of key")
    return OpaKey(kid, private)


def public_pem(public: Mapping[str, Any]) -> str:
    """A public JWK in PEM, as OPA's configuration has it."""
    return ECKey.import_key(dict(public)).as_pem(private=False).decode()


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
