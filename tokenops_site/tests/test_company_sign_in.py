"""OIDC_* are read whole or not at all, and nonsense stops the process."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from tokenops_site.company_sign_in import read_company_sign_in

WHOLE = {"OIDC_ISSUER": "https://id.example.com/realm/", "OIDC_CLIENT_ID": "tokenops", "OIDC_CLIENT_SECRET": "s"}


@pytest.fixture
def read(monkeypatch):
    def read(**given):
        for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "NAME", "NEW_PEOPLE", "ORIGINS"):
            monkeypatch.delenv(f"OIDC_{name}", raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        return read_company_sign_in()

    return read


def test_none_where_nothing_is_set(read):
    assert read() is None
    assert read(OIDC_ISSUER=" ") is None


def test_whole(read):
    found = read(**WHOLE, OIDC_NAME="Acme", OIDC_NEW_PEOPLE="viewer", OIDC_ORIGINS="https://login.example.com:8443/x")
    assert (found.name, found.issuer, found.new_people) == ("Acme", "https://id.example.com/realm", "viewer")
    assert found.origins == ("https://id.example.com", "https://login.example.com:8443")


@pytest.mark.parametrize("issuer", ["http://localhost:9400", "http://127.0.0.1:9400", "http://[::1]:9400"])
def test_at_home_it_may_do_without_tls(read, issuer):
    assert read(**WHOLE | {"OIDC_ISSUER": issuer}).origins == (issuer,)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"OIDC_ISSUER": "https://id.example.com"}, "OIDC_CLIENT_ID and OIDC_CLIENT_SECRET"),
        ({"OIDC_CLIENT_ID": "tokenops"}, "OIDC_ISSUER"),
        ({"OIDC_NAME": "Acme"}, "OIDC_NAME"),
        ({"OIDC_NEW_PEOPLE": "viewer"}, "OIDC_NEW_PEOPLE"),
        (WHOLE | {"OIDC_NEW_PEOPLE": "administrator"}, "OIDC_NEW_PEOPLE"),
        (WHOLE | {"OIDC_NAME": "x" * 41}, "OIDC_NAME"),
        (WHOLE | {"OIDC_ISSUER": "id.example.com"}, "OIDC_ISSUER"),
        (WHOLE | {"OIDC_ISSUER": "http://id.example.com"}, "OIDC_ISSUER"),
        (WHOLE | {"OIDC_ISSUER": "https://"}, "OIDC_ISSUER"),
        (WHOLE | {"OIDC_ISSUER": "https://me:pw@id.example.com"}, "OIDC_ISSUER"),
        (WHOLE | {"OIDC_ISSUER": "https://id.example.com:999999"}, "OIDC_ISSUER"),
        (WHOLE | {"OIDC_ISSUER": "https://id.example.com; script-src *"}, "OIDC_ISSUER"),
        (WHOLE | {"OIDC_ORIGINS": "*"}, "OIDC_ORIGINS"),
    ],
)
def test_nonsense_is_named(read, given, named):
    with pytest.raises(ImproperlyConfigured, match=named):
        read(**given)
