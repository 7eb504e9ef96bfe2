"""Sign-in by the company's own provider (OpenID Connect), as environment variables say it. Pure but for `env`."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from tokenops_site import env

PROVIDER = "company"  # how addresses and social accounts call the one provider there is
NEW_PEOPLE = ("", "viewer", "budget_owner", "approver", "finance", "policy_admin")  # never an administrator by itself
AT_HOME = {"localhost", "127.0.0.1", "[::1]"}  # where an issuer may do without TLS


@dataclass(frozen=True)
class CompanySignIn:
    """The provider: its name on our button, its issuer, our id and secret there.

    `new_people` is the role of somebody whom nobody invited ("": they are refused); `origins` are the sites that the
    sign-in form may lead to, for the content-security policy.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str
    new_people: str
    origins: tuple[str, ...]

    def as_providers(self) -> dict[str, object]:
        """For `SOCIALACCOUNT_PROVIDERS`."""
        app = {
            "provider_id": PROVIDER,
            "name": self.name,
            "client_id": self.client_id,
            "secret": self.client_secret,
            "settings": {"server_url": self.issuer, "email_authentication": True},
        }
        return {"openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True}}


def read_company_sign_in() -> CompanySignIn | None:
    """From OIDC_*; None where none of them is set. ImproperlyConfigured for half of it or for nonsense."""
    issuer, client_id = env.text("OIDC_ISSUER").rstrip("/"), env.text("OIDC_CLIENT_ID")
    secret, name = env.text("OIDC_CLIENT_SECRET"), env.text("OIDC_NAME")
    new_people = env.text("OIDC_NEW_PEOPLE", "", NEW_PEOPLE)
    given = {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": client_id, "OIDC_CLIENT_SECRET": secret}
    if not any(given.values()):
        if name or new_people:
            raise ImproperlyConfigured("OIDC_NAME and OIDC_NEW_PEOPLE mean nothing without OIDC_ISSUER.")
        return None
    missing = [variable for variable, value in given.items() if not value]
    if missing:
        raise ImproperlyConfigured(f"Sign-in by OpenID Connect needs {' and '.join(missing)} as well.")
    if len(name) > 40:
        raise ImproperlyConfigured("OIDC_NAME: write at most 40 letters; it stands on a button.")
    origins = (origin_of("OIDC_ISSUER", issuer), *(origin_of("OIDC_ORIGINS", one) for one in env.words("OIDC_ORIGINS")))
    return CompanySignIn(
        name or "your company’s account", issuer, client_id, secret, new_people, tuple(dict.fromkeys(origins))
    )


def origin_of(variable: str, address: str) -> str:
    """The address's scheme and host; ImproperlyConfigured unless it is https (http on this machine only)."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise ImproperlyConfigured(f"{variable}={address!r}: this is no address.") from None
    at_home = host in {one.strip("[]") for one in AT_HOME}
    if not host or parts.username or not (parts.scheme == "https" or (parts.scheme == "http" and at_home)):
        raise ImproperlyConfigured(f"{variable}={address!r}: write an https:// address (http:// on localhost only).")
    if any(letter.isspace() or letter in ";,'\"" for letter in address):
        raise ImproperlyConfigured(f"{variable}={address!r}: an address has no such letters.")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
