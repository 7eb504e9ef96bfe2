"""JSON Web Signatures as TokenOps makes them: Ed25519 under the name EdDSA, and nothing else.

joserfc ships EdDSA with a warning at each use, because the name stands for Ed448 too (RFC 9864), and stops at 128,000
bytes of payload. Here the curve is pinned, which is what the warning is about, and the size is ours.
"""

from joserfc.errors import InvalidKeyCurveError
from joserfc.jwa import EdDSAAlgorithm
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry

ALGORITHM = "EdDSA"
ALGORITHMS = [ALGORITHM]
BUNDLE_TYPE = "tokenops-bundle"
FRESHNESS_TYPE = "tokenops-freshness"
MAX_BUNDLE_BYTES = 64 * 2**20


class Ed25519(EdDSAAlgorithm):
    """EdDSA on the one curve."""

    security_warning = ""

    def check_key(self, key: OKPKey) -> None:
        super().check_key(key)
        if key.curve_name != "Ed25519":
            raise InvalidKeyCurveError("a TokenOps key is an Ed25519 key")


class Registry(JWSRegistry):
    """Knows one algorithm, so that no header can name another."""

    algorithms = {ALGORITHM: Ed25519()}
    recommended = ALGORITHMS
    max_payload_length = MAX_BUNDLE_BYTES


REGISTRY = Registry(algorithms=ALGORITHMS)
