"""Nobody changes what they have no right to: every address is posted to signed out, without rights, with a read key.

And no address changes anything when it is only read.
"""

import re
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from budgets.access.keys import make_key
from tests.addresses import addresses
from tests.company import one_of_everything
from tests.people import viewer

pytestmark = [pytest.mark.site, pytest.mark.django_db]

WRITES = re.compile(r"^\W*(INSERT|UPDATE|DELETE|TRUNCATE|COPY|MERGE)\b|\b(INSERT INTO|DELETE FROM|MERGE INTO)\b", re.I)
# A person's own session, and what is no change of the company: which colour a model is drawn in.
OWN = (
    '"django_session"', '"usersessions_', '"tokenops_cache"', "budgets_apikey SET last_used",
    '"auth_user" SET "last_login"', '"usage_modelcolour"',
)  # fmt: skip
REASON = {"reason": "Because.", "confirm": "1", "name": "x", "amount": "1", "note": "x", "kind": "usage"}
# What answers without changing anything, whoever asks: leaving, signing in, what a form would mean.
# Whoever has a role may ask, so there it is only said what is missing.
ASKING = {"approval-new", "api-approvals", "api-decide", "saved-view-new", "mailed-report-new"}
# Everybody has reports by mail of their own; those of others are not there.
OWN_ONLY = {"mailed-report-send", "mailed-report-stop", "mailed-report-resume"}
# The address itself, sent to one person by mail, is the right to it.
BY_LETTER = {"mailed-report-end"}
HARMLESS = {"sign-in", "sign-out", "budget-check", "favicon", "healthz", "readyz", "jwks"}
HARMLESS |= {"account_login", "account_logout", "profile"}  # a profile is everybody's own
# Pages of signing in and of one's own account answer everybody, and change nothing of what is sent here.
OWN_ACCOUNT = ("/sign-in/", "/password/", "/profile/", "/invitation/")


@pytest.fixture(scope="module")
def made(lasting, django_db_blocker):
    with django_db_blocker.unblock():
        return one_of_everything(timezone.now())


@contextmanager
def writes():
    """The statements that change something, but for a person's own session."""
    seen = []

    def watch(execute, sql, params, many, context):
        text = str(sql)
        if WRITES.search(text) and not any(own in text for own in OWN):
            seen.append(text[:120])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield seen


def walk(client, made, methods, allowed, **headers):
    """What is wrong with the answers of `client` to each of the methods on each address."""
    wrong = []
    for name, path in addresses(made):
        if name in HARMLESS | BY_LETTER:
            continue
        for method in methods:
            as_json = path.startswith("/api/")
            body = {"content_type": "application/json"} if as_json or method != "post" else {}
            with writes() as changed:
                answer = getattr(client, method)(path, REASON, **body, headers=headers)
            asks = (name in ASKING and answer.status_code == 422) or (name in OWN_ONLY and answer.status_code == 404)
            away = answer.status_code == 302 and answer["Location"].startswith("/sign-in/")
            is_own = path.startswith(OWN_ACCOUNT) and answer.status_code < 500
            if changed or not (away or asks or is_own or answer.status_code in allowed):
                wrong.append(f"{method} {path}: {answer.status_code} {changed}")
    return wrong


CHANGING = ["post", "put", "patch", "delete"]


def test_nobody_changes_anything_signed_out(made):
    assert walk(Client(), made, CHANGING, {401, 403, 405}) == []


def test_nor_without_the_right(made):
    client = Client()
    client.force_login(viewer())
    wrong = walk(client, made, CHANGING, {401, 403, 405})
    assert not wrong, "\n".join(wrong)


def test_nor_with_a_key_that_reads(made):
    _, key = make_key("reader", ["read"])
    assert walk(Client(), made, CHANGING, {401, 403, 405}, authorization=f"Bearer {key}") == []


def test_reading_changes_nothing(made):
    client = Client()
    client.force_login(made.user)
    wrong = []
    for name, path in addresses(made):
        if name in {"readyz", "jwks"}:  # 503 where no worker runs and nothing is published yet
            continue
        with writes() as changed:
            answer = client.get(path)
            if answer.streaming:
                b"".join(answer.streaming_content)
        if changed or answer.status_code >= 500:
            wrong.append(f"{path}: {answer.status_code} {changed}")
    assert not wrong, "\n".join(wrong)


def test_a_page_of_another_site_posts_nothing(made):
    client = Client(enforce_csrf_checks=True)
    client.force_login(made.user)
    for fragment in ({}, {"hx-request": "true"}):
        assert walk(client, made, ["post"], {401, 403, 405, 415}, **fragment) == []
