"""Refused events in the browser: found, checked, corrected beside the original, sent again one or many, set aside."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from budgets.models import AuditEntry, Organisation, Source, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import ACTOR, at_once
from tests.people import someone
from usage.ingest import mend
from usage.ingest.rehearse import rehearse
from usage.ingest.requeue import send_now
from usage.ingest.send_many import ask_to_send, progress, send_waiting
from usage.models import IngestBatch, LedgerEntry, QuarantinedItem
from usage.tests.events import a_sender, an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/data/quarantine/"


@pytest.fixture(autouse=True)
def priced():
    with changing_configuration():
        price_the_model()


def signed_in(name: str, role: str = "viewer") -> Client:
    client = Client()
    client.force_login(someone(role, name=name))
    return client


@pytest.fixture
def ada() -> Client:
    return signed_in("ada", "finance")


@pytest.fixture
def bob() -> Client:
    return signed_in("bob")


def refused(event_id: str = "a", source: str = "gateway", **values: object) -> QuarantinedItem:
    """An event with more cached than sent in all."""
    now = timezone.now()
    event = an_event(event_id) | {"time": now.isoformat(), "cached_input_tokens": 2000} | values
    take(event, a_sender(source), now=now)
    return QuarantinedItem.objects.get(event_id=event_id)


def mended(item: QuarantinedItem, **values: object) -> str:
    return json.dumps(json.loads(item.body) | {"cached_input_tokens": 20} | values)


def text_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def url_of(item: QuarantinedItem) -> str:
    return f"{LIST}{item.pk}/"


def test_the_page_shows_the_reason_the_field_and_what_is_allowed(ada):
    item = refused()
    shown = text_of(ada, url_of(item))
    for words in ("More cached than sent in all", "cached_input_tokens", "Allowed", "never more than those", "Line "):
        assert words in shown
    assert "&quot;cached_input_tokens&quot;: 2000" in shown


def test_checking_says_what_would_happen_and_writes_nothing(ada):
    item = refused()
    answer = ada.post(url_of(item), {"act": "check", "body": mended(item, workflow="brand-new")})
    shown = answer.content.decode()
    assert answer.status_code == 200
    assert (
        "Would be taken" in shown and "brand-new" in shown and "which is new" in shown and "Nothing was sent" in shown
    )
    assert not LedgerEntry.objects.exists() and not IngestBatch.objects.exists()
    assert not Workflow.objects.filter(slug="brand-new").exists()
    item.refresh_from_db()
    assert (item.status, item.corrected) == ("open", "")
    assert "Would be refused" in ada.post(url_of(item), {"act": "check", "body": item.body}).content.decode()


def test_checking_knows_what_is_there_what_conflicts_and_what_has_no_price():
    now = timezone.now()
    good = an_event("there", time=now.isoformat())
    take(good, now=now)
    item = refused()
    several = [good, good | {"output_tokens": 7}, json.loads(mended(item, model="nobody-knows"))]
    found = rehearse(item, json.dumps(several), now)
    assert [one.status for one in found] == ["duplicate", "conflict", "accepted"]
    assert found[2].cost is None and found[2].measured
    assert [one.code for one in rehearse(item, "[1", now)] == ["malformed-json"]
    with changing_configuration():
        Organisation.objects.update(closed_before=(now + timedelta(days=2)).date())
    assert rehearse(item, mended(item), now)[0].posted_at == now


def test_a_correction_is_kept_beside_what_was_sent_and_counts_once(ada):
    item = refused()
    before = item.body
    shown = ada.post(url_of(item), {"act": "send", "body": mended(item)}, follow=True).content.decode()
    assert "Taken: 1 event." in shown and "As it was sent" in shown
    item.refresh_from_db()
    assert (item.status, item.body) == ("replayed", before) and "20" in item.corrected
    assert LedgerEntry.objects.get().cached_input_tokens == 20
    acts = list(AuditEntry.objects.order_by("pk").values_list("act", "who_text"))
    assert acts == [("corrected", "ada"), ("sent again", "ada")]
    entry = AuditEntry.objects.get(act="corrected")
    assert entry.before == {"body": before} and entry.after == {"body": item.corrected}
    again = ada.post(url_of(item), {"act": "send", "body": mended(item)})
    assert again.status_code == 409 and LedgerEntry.objects.count() == 1


def test_what_is_refused_again_stays_open_with_its_new_reason_and_no_twin(ada):
    item = refused()
    answer = ada.post(url_of(item), {"act": "send", "body": mended(item, reasoning_tokens=9_000)})
    assert answer.status_code == 422 and "Still refused: reasoning_tokens" in answer.content.decode()
    item.refresh_from_db()
    assert (item.status, item.code) == ("open", "reasoning-above-output")
    assert QuarantinedItem.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{\n  "id": "a",\n  "time" 3\n}', "at line 3, column 10"),
        ("", "The body is empty"),
        ("7", "JSON object, between braces"),
        ('{"cost_usd": NaN}', "NaN is no number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": "' + "x" * 270_000 + '"}', "too long"),
    ],
)
@pytest.mark.parametrize("act", ["check", "send"])
def test_a_body_that_is_no_json_gets_a_sentence_and_is_not_kept(ada, body, words, act):
    item = refused()
    answer = ada.post(url_of(item), {"act": act, "body": body})
    assert answer.status_code == 422 and words in answer.content.decode()
    item.refresh_from_db()
    assert item.corrected == "" and item.status == "open"


def test_numbers_stay_as_they_were_written_and_a_body_as_it_came_is_no_correction():
    item = refused(cost_usd="0.10000000000000000001")
    QuarantinedItem.objects.update(body=item.body.replace('"0.10000000000000000001"', "0.10000000000000000001"))
    item.refresh_from_db()
    text = mend.pretty(item.body)
    assert "0.10000000000000000001" in text and text.count("\n") > 3
    assert mend.correct(ACTOR, item, text).corrected == ""
    assert not AuditEntry.objects.exists()


def test_an_edit_that_was_overtaken_is_refused(ada):
    item = refused()
    seen = re.search(r'name="seen" value="([^"]+)"', text_of(ada, url_of(item)))[1]
    mend.correct(ACTOR, item, mended(item, output_tokens=5))
    answer = ada.post(url_of(item), {"act": "send", "body": mended(item), "seen": seen})
    assert answer.status_code == 409 and "meanwhile" in answer.content.decode()
    assert not LedgerEntry.objects.exists()


def test_two_who_send_it_at_once_count_it_once():
    item = refused()
    mend.correct(ACTOR, item, mended(item))
    item.refresh_from_db()

    def send() -> str:
        return send_now(ACTOR, QuarantinedItem.objects.get(pk=item.pk)).said

    answers = at_once(send, send, send)
    assert LedgerEntry.objects.count() == 1
    assert sum(said == "Taken: 1 event." for said in answers) == 1
    assert AuditEntry.objects.filter(act="sent again").count() == 1


def test_setting_aside_is_undone(ada):
    item = refused()
    shown = ada.post(f"{url_of(item)}discard/", follow=True).content.decode()
    assert "is set aside" in shown and f'action="{url_of(item)}restore/"' in shown and "Nothing to mend" in shown
    assert "not among" in ada.post(f"{url_of(item)}discard/", follow=True).content.decode()
    assert "to be mended again" in ada.post(f"{url_of(item)}restore/", follow=True).content.decode()
    item.refresh_from_db()
    assert item.status == "open"
    assert list(AuditEntry.objects.order_by("pk").values_list("act", flat=True)) == ["set aside", "reopened"]


def test_the_list_is_grouped_filtered_searched_and_equals_its_file(ada):
    for n in range(3):
        refused(f"cached-{n}")
    refused("late-1", "crm", time="2001-01-01T00:00:00Z")
    mend.discard(ACTOR, refused("aside"))
    shown = text_of(ada, LIST)
    assert "4 events" in shown and "Send all 4 again" in shown and "Older than what is kept" in shown
    cases = {
        "?reason=too-old": {"late-1"},
        "?source=crm": {"late-1"},
        "?q=CACHED": {"cached-0", "cached-1", "cached-2"},
        "?status=discarded": {"aside"},
        "?status=all": {"cached-0", "cached-1", "cached-2", "late-1", "aside"},
        "?reason=too-old&source=gateway": set(),
    }
    for query, ids in cases.items():
        listed = set(re.findall(r'class="row-name"[^>]*>([^<]+)<', text_of(ada, LIST + query)))
        answer = ada.get(f"/export/quarantine.csv{query}")
        rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
        assert listed == {row["event_id"] for row in rows} == ids
    assert "No refused event matches" in text_of(ada, f"{LIST}?q=none")
    assert "There is no source" in text_of(ada, f"{LIST}?source=lost")
    assert "is no state that TokenOps knows" in text_of(ada, f"{LIST}?status=lost")


def test_nothing_refused_yet_differs_from_nothing_left(ada):
    assert "Nothing was refused" in text_of(ada, LIST)


def test_many_are_sent_again_in_the_background_each_to_its_own_end(ada):
    for n in range(5):
        mend.correct(ACTOR, item := refused(f"good-{n}"), mended(item))
    bad = refused("bad")
    other = refused("other", "crm")
    answer = ada.post(f"{LIST}send/", {"reason": "cached-above-input", "source": "gateway", "status": "open"})
    assert answer.status_code == 302
    shown = text_of(ada, answer["Location"])
    assert "6 refused events will be sent again" in shown and "0 of 6" in shown and "sending/" in shown
    assert send_waiting() == 6
    assert send_waiting() == 0
    assert LedgerEntry.objects.count() == 5
    found = progress()
    assert (found.total, found.tried, found.taken, found.left, found.percent) == (6, 6, 5, 0, "100.0%")
    assert "5 taken, 1 still refused" in text_of(ada, f"{LIST}sending/")
    for item, queued in ((bad, True), (other, False)):
        item.refresh_from_db()
        assert item.status == "open" and bool(item.queued_at) is queued
    entry = AuditEntry.objects.filter(act="sent again").first()
    assert (entry.who_text, entry.origin) == ("ada", "job")


def test_a_worker_that_dies_leaves_the_rest_to_the_next(monkeypatch):
    for n in range(4):
        mend.correct(ACTOR, item := refused(f"good-{n}"), mended(item))
    ask_to_send(QuarantinedItem.objects.all(), None)
    from usage.ingest import send_many

    real, sent = send_many.send_now, []

    def dying(actor, item):
        if len(sent) == 2:
            raise MemoryError
        sent.append(item.pk)
        return real(actor, item)

    monkeypatch.setattr(send_many, "send_now", dying)
    with pytest.raises(MemoryError):
        send_waiting()
    assert progress().tried == 2
    monkeypatch.setattr(send_many, "send_now", real)
    assert send_waiting() == 2
    assert LedgerEntry.objects.count() == 4


def test_one_that_cannot_be_sent_keeps_no_other_waiting(monkeypatch):
    stuck, good = refused("stuck"), refused("good")
    mend.correct(ACTOR, good, mended(good))
    QuarantinedItem.objects.filter(pk=stuck.pk).update(source_id=987_654)  # a source that is gone
    ask_to_send(QuarantinedItem.objects.all(), None)
    assert send_waiting() == 2
    assert send_waiting() == 0
    stuck.refresh_from_db()
    assert stuck.status == "open" and "could not be sent again" in stuck.problem["detail"]
    assert LedgerEntry.objects.count() == 1


def test_asking_for_nothing_says_so(ada):
    shown = ada.post(f"{LIST}send/", {"reason": "too-old"}, follow=True).content.decode()
    assert "nothing was sent" in shown


def test_without_the_right_one_may_look_only(bob):
    item = refused()
    shown = text_of(bob, url_of(item)) + text_of(bob, LIST)
    assert "administrator" in shown and "<textarea" not in shown and "Send all" not in shown
    for url in (url_of(item), f"{url_of(item)}discard/", f"{url_of(item)}restore/", f"{LIST}send/"):
        assert bob.post(url, {"act": "send", "body": mended(item)}).status_code == 403
    item.refresh_from_db()
    assert item.status == "open" and not LedgerEntry.objects.exists()


def test_statements_do_not_grow_with_items(ada, django_assert_num_queries):
    for n in range(3):
        refused(f"r{n}", f"s{n}")
    text_of(ada, LIST)
    with django_assert_num_queries(9) as few:
        text_of(ada, LIST)
    QuarantinedItem.objects.bulk_create(
        QuarantinedItem(
            source_id=Source.objects.create(slug=f"x{n}", name="x").pk, event_id=f"x{n}", code=f"code-{n % 7}",
            problem={"detail": "x"}, body="{", body_digest=str(n).encode(),
        )
        for n in range(120)
    )  # fmt: skip
    with django_assert_num_queries(len(few)):
        assert "Page 1 of 3" in text_of(ada, LIST)


def test_a_body_cut_short_and_cloud_events_are_handled(ada):
    source = Source.objects.create(slug="s", name="s")
    cut = QuarantinedItem.objects.create(
        source_id=source.pk, code="malformed-json", problem={"title": "x"}, body="[" + " " * 65_535, body_digest=b"1"
    )
    assert "64 KiB" in text_of(ada, url_of(cut))
    envelope = {"specversion": "1.0", "id": "1", "source": "/x", "type": "call", "data": an_event("cloud")}
    envelope["data"]["time"] = timezone.now().isoformat()
    cloud = QuarantinedItem.objects.create(
        source_id=source.pk, code="x", problem={}, body=json.dumps([envelope]), body_digest=b"2"
    )
    assert send_now(ACTOR, cloud).said == "Taken: 1 event."
