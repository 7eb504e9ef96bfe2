"""Why spend differs, from the ledger up: what ingest wrote, corrections and withdrawals, scopes, rollups, budgets."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection, transaction
from django.db.models import Sum

from budgets.audit.record import Actor
from budgets.models import Organisation, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.organisation.edit import close_days
from budgets.workflows.merge import merge_workflow
from reports.asking.scope import Scope
from reports.tests.why_ledger import AFTER, BEFORE, LAYERS, calls, changed, explained, price_models, sent, twice
from reports.why import explain as why
from reports.why.explain import Unread, cause
from tests.people import viewer
from usage.ledger.withdraw import ensure_open_month, withdraw
from usage.models import IngestBatch, LedgerEntry, PriceEntry
from usage.prices import book
from usage.prices.reprice import carry_out, confirm, preview
from usage.rollups.fold import fold_all
from usage.tests.events import NOW, an_event, take

pytestmark = pytest.mark.django_db
ME = Actor.command("test")
DAY = timedelta(days=1)
# Twice the input, of which the same share is cached.
LONGER = {"context": LAYERS | {"history": 1_201}, "input_tokens": 2_002, "cached_input_tokens": 200}


@pytest.fixture(autouse=True)
def priced(db):
    Organisation.objects.update(time_zone="UTC")
    with changing_configuration():
        price_models()


def is_draft(event):
    return event["stage"] == "draft"


ALONE = {
    "runs": lambda events: [*events, *calls(AFTER[0] + DAY, 7)],
    "channels": lambda events: changed(
        twice(changed(events, channel="mail"), channel="social"), lambda event: False
    ),
    "steps": lambda events: twice(events, is_draft),
    "retries": lambda events: twice(events, is_draft, attempt=2, status="error", output_tokens=0),
    "context.history": lambda events: changed(events, **LONGER),
    "output": lambda events: changed(events, output_tokens=lambda event: event["output_tokens"] + 77),
    "cache": lambda events: changed(events, cached_input_tokens=700),
    "model": lambda events: changed(events, is_draft, model="large"),
    "service_tier": lambda events: changed(events, is_draft, service_tier="batch"),
    "prompt_version": lambda events: changed(events, is_draft, prompt_version="v2", **LONGER),
    "unknown": lambda events: changed(
        events, lambda event: event["stage"] == "verify", output_tokens=None, input_tokens=None, context=None,
        cached_input_tokens=None,
    ),
    "workflows": lambda events: [*events, *calls(AFTER[0], workflow="ads")],
}  # fmt: skip


@pytest.mark.parametrize("key", ALONE)
def test_one_change_is_one_part(key):
    before = calls(BEFORE[0])
    if key == "channels":
        before = changed(before, channel="mail")
    sent(before, ALONE[key](calls(AFTER[0])))
    found = explained()
    assert set(found.by_key) == {key}
    assert found.total == total(AFTER) - total(BEFORE)


def total(span):
    return LedgerEntry.objects.filter(posted_at__gte=span[0], posted_at__lt=span[1]).aggregate(s=Sum("cost"))["s"] or 0


def test_the_same_is_no_difference():
    sent(calls(BEFORE[0]), calls(AFTER[0]))
    found = explained()
    assert (found.parts, found.total, found.sentence) == ((), 0, "Exactly as much as 2–3 Nov 2026.")


def test_a_price_that_changed_in_between():
    entry = PriceEntry.objects.get(model="small", service_tier="standard")
    with changing_configuration():
        entry.valid_to = AFTER[0]
        entry.save()
        entry.pk, entry.valid_from, entry.valid_to, entry.input = None, AFTER[0], None, Decimal("0.3")
        entry.save()
    sent(calls(BEFORE[0]), calls(AFTER[0]))
    assert set(explained().by_key) == {"price"}


def test_a_call_outside_runs_is_one_without_a_run():
    lone = [event | {"run_id": None, "step": None} for event in calls(BEFORE[0])]
    more = [event | {"run_id": None, "step": None} for event in calls(AFTER[0], 9)]
    sent(lone, more)
    found = explained()
    assert set(found.by_key) == {"calls"}
    assert found.parts[0].sentence == "27 calls outside runs, before 12."


def test_units_beside_tokens():
    with changing_configuration():
        PriceEntry.objects.filter(model="small").update(units={"web_search": "0.01"})
    sent(calls(BEFORE[0]), changed(calls(AFTER[0]), is_draft, units={"web_search": 2}))
    assert explained().by_key == {"extras": 8 * 2 * 10_000_000}


def test_long_inputs_that_cost_more_are_told_from_their_length():
    with changing_configuration():
        PriceEntry.objects.filter(model="small").update(steps=[{"from_input_tokens": 5_000, "input": "0.45"}])
    sent(calls(BEFORE[0]), changed(calls(AFTER[0]), input_tokens=6_001, cached_input_tokens=0, context=None))
    assert {"context", "terms", "cache"} == set(explained().by_key)


def test_calls_that_a_cache_answered():
    sent(calls(BEFORE[0]), changed(calls(AFTER[0]), is_draft, cache="semantic", input_tokens=0, output_tokens=0,
                                   cached_input_tokens=0, context=None))  # fmt: skip
    found = explained().by_key
    assert set(found) == {"cache"}
    assert found["cache"] < 0


def reprice():
    book.forget()
    run = preview(ME, NOW - 90 * DAY, NOW + DAY, only_unpriced=False)
    confirm(run.pk, ME)
    return carry_out(run.pk, ME)


def test_a_call_that_is_priced_anew_in_the_same_days_is_read_at_its_new_price():
    sent(calls(BEFORE[0]), changed(calls(AFTER[0]), is_draft, model="nobody-knows"))
    assert explained().total < 0
    with changing_configuration():
        row = PriceEntry.objects.get(model="large", service_tier="standard")
        row.pk, row.model = None, "nobody-knows"
        row.save()
    assert reprice().corrected == 8
    found = explained()
    assert set(found.by_key) == {"model"}
    assert found.total == total(AFTER) - total(BEFORE)


def test_what_is_corrected_taken_back_or_priced_for_closed_days_stands_apart():
    old = changed(calls(BEFORE[0] - 20 * DAY), lambda event: event["step"] == 1, model="nobody-knows")
    take(old, now=NOW)
    batches = list(IngestBatch.objects.values_list("pk", flat=True))
    sent(calls(BEFORE[0]), calls(AFTER[0]))
    close_days(ME, BEFORE[0].date().replace(day=1), "done")
    with changing_configuration():
        row = PriceEntry.objects.get(model="large", service_tier="standard")
        row.pk, row.model = None, "nobody-knows"
        row.save()
        PriceEntry.objects.filter(model="small", service_tier="standard").update(output=Decimal(6))
    import time_machine

    with time_machine.travel(AFTER[0] + timedelta(hours=5), tick=False):
        reprice()
        found = explained().by_key
        assert set(found) == {"later", "corrections"}  # the calls of both times have the new price, so nothing else
        assert found["later"] > 0 < found["corrections"]
        ensure_open_month()
        with transaction.atomic():
            assert withdraw(batches, 1_000).calls == 12
    found = explained()
    assert found.by_key["withdrawn"] < 0
    assert found.total == total(AFTER) - total(BEFORE)


def test_a_call_that_was_taken_back_in_its_own_days_is_nothing():
    sent([], calls(BEFORE[0]))
    take([*calls(AFTER[0], 9)], now=NOW)
    batches = [IngestBatch.objects.latest("pk").pk]
    sent([], [event | {"id": f"{event['id']}-b"} for event in calls(AFTER[0])])
    ensure_open_month()
    with transaction.atomic():
        assert withdraw(batches, 1_000).calls == 27
    found = explained()
    assert (found.parts, found.total) == ((), 0)


def test_a_merged_workflow_counts_as_the_other_one():
    sent(calls(BEFORE[0]), [*calls(AFTER[0], 4), *calls(AFTER[0], 3, workflow="briefs-old")])
    Workflow.objects.filter(slug="briefs").update(status="production")
    merge_workflow(ME, Workflow.objects.get(slug="briefs-old"), Workflow.objects.get(slug="briefs"))
    for scope in (Scope(), Scope(workflow=("briefs",))):
        assert set(explained(scope).by_key) == {"runs"}
        fold_all()
        assert set(explained(scope, read_most=0).by_key) == {"runs"}


def test_scopes_of_every_kind():
    marked = {"user": "ada", "tags": {"launch": "spring"}, "channel": "mail"}
    sent(calls(BEFORE[0]), changed(twice(calls(AFTER[0])), is_draft, **marked))
    fold_all()
    everything = explained().total
    for scope in (
        Scope(user=("ada",)),
        Scope(tag=("launch=spring",)),
        Scope(channel=("mail",)),
        Scope(stage=("draft",)),
    ):
        found = explained(scope)
        assert 0 < found.after < everything * 3, scope
        assert explained(scope, read_most=0).after == found.after
    assert explained(Scope(user=("ada",), stage=("draft",)), read_most=0).how == "ledger"  # no rollup holds both
    assert explained(Scope(within=frozenset())).after == 0
    assert explained(Scope(user=("",))).total == everything - explained(Scope(user=("ada",))).total


@pytest.mark.parametrize("key", ["runs", "steps", "output", "cache", "model", "service_tier", "workflows"])
def test_with_too_many_calls_rollups_say_the_same(key):
    sent(calls(BEFORE[0]), ALONE[key](calls(AFTER[0])))
    fold_all()
    found = explained(read_most=0)
    assert (found.how, found.by_key) == ("rollup", explained().by_key)
    assert "daily sums" in found.notes[0]


def test_rollups_do_not_tell_apart_what_has_no_price_now():
    sent(calls(BEFORE[0]), changed(twice(calls(AFTER[0])), is_draft, model="large"))
    fold_all()
    with changing_configuration():
        PriceEntry.objects.filter(model="large").delete()
    found = explained(read_most=0)
    assert "untold" in found.by_key
    assert found.total == total(AFTER) - total(BEFORE)


def test_hours_are_read_from_quarter_hours():
    sent(calls(BEFORE[0]), calls(AFTER[0], 6))
    fold_all()
    from reports.why.explain import explain

    hours = [(one[0] + timedelta(hours=1), one[0] + timedelta(hours=5)) for one in (BEFORE, AFTER)]
    found = explain(Scope(), *hours, read_most=0)
    assert (found.how, found.total) == ("rollup", total(hours[1]) - total(hours[0]))
    assert explain(Scope(), *hours).total == found.total > 0


@pytest.mark.parametrize("measure", ["tokens", "calls"])
def test_tokens_and_calls_are_explained_alike(measure):
    sent(calls(BEFORE[0]), changed(twice(calls(AFTER[0])), is_draft, model="nobody-knows"))
    fold_all()
    found = explained(measure=measure)
    assert set(found.by_key) == {"steps"}
    assert found.total == {"calls": 12, "tokens": 12 * 1_001 + 8 * 101 + 4 * 333}[measure]
    assert explained(measure=measure, read_most=0).by_key == found.by_key
    assert measure in found.sentence


def test_the_parts_say_what_was_counted_where_and_what_is_behind_them():
    sent(
        [*calls(BEFORE[0]), *calls(BEFORE[0], 9, workflow="ads")],
        [*changed(calls(AFTER[0]), **LONGER), *calls(AFTER[0], 9, workflow="ads")],
    )
    (part,) = explained().parts
    assert part.label == "Length of input: conversation history"
    assert part.sentence == "508 tokens of conversation history per call, before 200."
    assert part.mostly == "briefs"
    days = ("09&to=2026-11-10", "02&to=2026-11-03")
    after, before = (f"/spend/calls/?period=custom&from=2026-11-{one}&" for one in days)
    assert (part.link, part.now) == (f"{after}layer=history&sort=-layer",) * 2
    assert part.before == f"{before}layer=history&sort=-layer"
    assert part.mostly_link == f"{after}workflow=briefs&layer=history&sort=-layer"


def test_a_part_about_models_opens_those_whose_share_changed():
    others = [*calls(BEFORE[0], 2, workflow="ads"), *calls(AFTER[0], 2, workflow="ads")]
    sent(calls(BEFORE[0]), [*changed(calls(AFTER[0]), is_draft, model="large"), *changed(others, model="nobody-knows")])
    (part,) = explained().parts
    assert part.key == "model"
    assert part.now.endswith("to=2026-11-10&model=large&model=small&sort=-cost")
    assert part.before.endswith("to=2026-11-03&model=large&model=small&sort=-cost")


def test_a_side_without_such_calls_opens_nothing():
    sent(calls(BEFORE[0]), ALONE["retries"](calls(AFTER[0])))
    (part,) = explained().parts
    assert part.now.endswith("attempt=trouble&sort=-cost")
    assert part.before == ""


def test_the_likely_cause():
    sent(calls(BEFORE[0]), changed(twice(calls(AFTER[0]), is_draft), **LONGER))
    assert cause(Scope(), BEFORE, AFTER) == "Longer inputs (conversation history) and more steps per run."
    assert cause(Scope(), AFTER, BEFORE) == ""


def test_a_fixed_number_of_statements(django_assert_num_queries):
    sent(calls(BEFORE[0]), calls(AFTER[0], 6, workflow="ads"))
    fold_all()
    with django_assert_num_queries(13):
        explained()
    with django_assert_num_queries(11):
        explained(read_most=0)


def detach_november():
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO usage_detached_month (month, row_count) VALUES ('2026-11-01', 5)")


def test_what_cannot_be_read_is_said_and_never_compared_with_nothing(monkeypatch, client):
    sent(calls(BEFORE[0]), calls(AFTER[0], 6))
    fold_all()
    scope = Scope(user=("ada",), stage=("draft",))  # which no rollup holds together
    client.force_login(viewer())
    days = "period=custom&from=2026-11-09&to=2026-11-10&before-from=2026-11-02&before-to=2026-11-03"
    pages = [f"/spend/why/?{days}&user=ada&stage=draft", f"/series/spend-why.json?{days}&user=ada&stage=draft"]
    for change, said in (
        (lambda: monkeypatch.setattr(why, "SEARCH_MOST", 10), "among more than 10"),
        (detach_november, "kept from 1 Dec 2026 on"),
    ):
        assert explained(scope).total == 0
        change()
        with pytest.raises(Unread, match=said):
            explained(scope)
        assert cause(scope, BEFORE, AFTER) == ""
        with time_machine.travel(NOW, tick=False):
            assert all(said in client.get(page).content.decode() for page in pages)
            assert client.get(f"/export/spend-why.csv?{days}&user=ada&stage=draft").status_code == 200
        assert explained().total > 0
        monkeypatch.undo()


def test_nothing_at_all():
    found = explained()
    assert (found.parts, found.total) == ((), 0)


def test_events_without_anything_stated():
    sent([an_event("a", time=BEFORE[0].isoformat(), model="small")], [an_event("b", time=AFTER[0].isoformat())])
    assert "unknown" in explained().by_key or explained().total < 0
