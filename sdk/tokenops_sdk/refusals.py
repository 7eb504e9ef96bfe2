"""Why a client refuses a bundle. Each keeps the bundle that it has and says so."""


class BundleRefused(Exception):
    """The bundle must not be used; the message says why in a sentence."""


class WrongSignature(BundleRefused):
    """The bytes, or the token, are not what the key signed, or are signed in another way than TokenOps does."""


class UnknownKey(WrongSignature):
    """Signed with a key that the given JWKS does not hold: fetch the JWKS again once, then refuse."""


class WrongAudience(BundleRefused):
    """Meant for another organisation or installation."""


class UnknownSchema(BundleRefused):
    """A document of a kind that this version of the SDK does not read."""


class OlderRevision(BundleRefused):
    """Older than one seen before: a replay, or a server that was restored from a backup without a new epoch."""


class NotFresh(BundleRefused):
    """The freshness token has ended, or vouches for another bundle. Follow the fail mode."""
