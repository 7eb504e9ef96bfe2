"""What was refused is looked at, corrected and sent again in the admin, with its row of history."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from budgets.models import AuditEntry, Source
from budgets.organisation.configuration import changing_configuration
from usage.models import LedgerEntry, QuarantinedItem
from usage.tests.events import an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/usage/quarantineditem/"


@pytest.fixture
def browser() -> Client:
    with changing_configuration():
        price_the_model()
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("ada", password="x"))
    return client


def send_again(browser: Client, item: QuarantinedItem):
    return browser.post(LIST, {"action": "send_once_more", "_selected_action": [item.pk]}, follow=True)


def test_a_refused_item_is_corrected_and_sent_again(browser):
    take(an_event("a", time=timezone.now().isoformat(), cached_input_tokens=2000), now=timezone.now())
    item = QuarantinedItem.objects.get()
    assert "cannot be more" in browser.get(LIST).content.decode()
    assert "Still refused" in send_again(browser, item).content.decode()
    assert not LedgerEntry.objects.exists()

    corrected = json.loads(item.body) | {"cached_input_tokens": 20}
    answer = browser.post(f"{LIST}{item.pk}/change/", {"corrected": json.dumps(corrected)}, follow=True)
    assert answer.status_code == 200
    assert "Taken: 1 event." in send_again(browser, item).content.decode()
    assert LedgerEntry.objects.get().cached_input_tokens == 20
    item.refresh_from_db()
    assert item.status == "replayed"
    assert list(AuditEntry.objects.order_by("id").values_list("act", flat=True)) == ["corrected", "sent again"]


def test_what_is_in_the_ledger_already_counts_once(browser):
    good = an_event("a", time=timezone.now().isoformat())
    take(good, now=timezone.now())
    take({**good, "output_tokens": 7}, now=timezone.now())
    item = QuarantinedItem.objects.get(code="conflict")
    assert "Still refused" in send_again(browser, item).content.decode()
    QuarantinedItem.objects.update(body=json.dumps(good))
    assert "already" in send_again(browser, item).content.decode()
    assert LedgerEntry.objects.count() == 1


def test_a_body_that_is_no_json_is_kept_and_said(browser):
    source = Source.objects.create(slug="s", name="s")
    item = QuarantinedItem.objects.create(
        source_id=source.pk, code="malformed-json", problem={"title": "x"}, body="{", body_digest=b"1"
    )
    assert "Still refused" in send_again(browser, item).content.decode()
    browser.post(LIST, {"action": "set_aside", "_selected_action": [item.pk]})
    item.refresh_from_db()
    assert item.status == "discarded"
