"""Taking batches on PostgreSQL: each event once, whatever is repeated, raced or broken."""

import json
import random
import threading
from datetime import timedelta

import pytest
from django.db import connection

from budgets.models import Budget, BudgetCharge, Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from usage.ingest import write
from usage.ingest.decode import decode
from usage.models import Claim, IngestBatch, LedgerEntry, QuarantinedItem
from usage.tests.events import NOW, a_sender, an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def priced():
    with changing_configuration():
        price_the_model()


def test_a_batch_is_answered_item_by_item():
    take([an_event("a"), an_event("b")])
    answer = take(
        [
            an_event("a"),
            an_event("b", output_tokens=101),
            an_event("c"),
            {"id": "d"},
            an_event("c"),
            an_event("e", step=0),
        ]
    )
    assert (answer.accepted, answer.duplicate, answer.conflict, answer.rejected) == (1, 2, 1, 2)
    assert [(said["index"], said["id"], said["status"]) for said in answer.items] == [
        (0, "a", "duplicate"),
        (1, "b", "conflict"),
        (3, "d", "rejected"),
        (4, "c", "duplicate"),
        (5, "e", "rejected"),
    ]
    assert answer.items[2]["problem"]["status"] == 422
    assert LedgerEntry.objects.count() == 3


def test_a_resend_with_another_time_is_a_conflict_and_is_not_charged():
    take(an_event("a"))
    answer = take(an_event("a", time=(NOW - timedelta(days=70)).isoformat()))
    assert answer.conflict == 1
    assert LedgerEntry.objects.count() == 1


def test_costs_are_stamped_by_component():
    take(an_event("a", cached_input_tokens=400, cost_usd="0.0023"))
    row = LedgerEntry.objects.get()
    # 600 × $2 + 400 × $0.20 + 100 × $10, per million tokens
    assert (row.cost_input, row.cost_cached, row.cost_output) == (1_200_000, 80_000, 1_000_000)
    assert row.cost == 2_280_000
    assert row.reported_cost == 2_300_000
    assert row.price_id is not None


def test_unpriced_and_unmeasured_are_not_free():
    take(
        [
            an_event("a", model="nobody-knows"),
            an_event("b", output_tokens=None),
            an_event("c", output_tokens=0, input_tokens=0),
        ]
    )
    rows = {row.event_id: row for row in LedgerEntry.objects.all()}
    assert (rows["a"].cost, rows["a"].unpriced, rows["a"].measured) == (None, 1, True)
    assert (rows["b"].cost, rows["b"].unpriced, rows["b"].measured) == (None, 0, False)
    assert (rows["c"].cost, rows["c"].unpriced) == (0, 0)


def test_an_unknown_workflow_is_discovered_and_no_workflow_is_unassigned():
    take([an_event("a", workflow="new-one"), an_event("b")])
    found = Workflow.objects.get(slug="new-one")
    assert (found.status, found.is_claimed) == ("discovered", False)
    assert LedgerEntry.objects.get(event_id="a").workflow_id == found.pk
    assert LedgerEntry.objects.get(event_id="b").workflow_id == Workflow.objects.get(slug="unassigned").pk


def test_too_many_unknown_workflows_are_refused_and_kept(settings):
    settings.INGEST_MAX_DISCOVERED = 3
    answer = take([an_event(f"e{n}", workflow=f"w{n}") for n in range(5)])
    assert (answer.accepted, answer.rejected) == (2, 3)  # `unassigned` is one of the three
    assert {said["problem"]["type"].rpartition("/")[2] for said in answer.items} == {"too-many-workflows"}
    assert QuarantinedItem.objects.count() == 3


def test_what_is_refused_after_claiming_can_be_sent_again(settings):
    settings.INGEST_MAX_DISCOVERED = 1
    assert take([an_event("a", workflow="new"), an_event("b")]).rejected == 1
    settings.INGEST_MAX_DISCOVERED = 100
    assert take([an_event("a", workflow="new"), an_event("b")]).accepted == 1


def test_what_repeats_a_refused_event_is_not_called_taken(settings):
    settings.INGEST_MAX_DISCOVERED = 1
    new = an_event("a", workflow="new")
    answer = take([new, new, an_event("a")])
    assert (answer.accepted, answer.rejected, answer.duplicate, answer.conflict) == (0, 3, 0, 0)
    codes = [said["problem"]["type"].rpartition("/")[2] for said in answer.items]
    assert codes == ["too-many-workflows", "too-many-workflows", "repeats-a-refused"]
    assert take([an_event("a")]).accepted == 1


def test_the_owning_team_answers_for_the_bill():
    with changing_configuration():
        team = Team.objects.create(slug="content", name="Content")
        Workflow.objects.create(slug="owned", name="Owned", team=team)
    take([an_event("a", workflow="owned", team="sales"), an_event("b", workflow="loose", team="sales")])
    assert dict(LedgerEntry.objects.values_list("event_id", "team")) == {"a": "content", "b": "sales"}


@pytest.mark.parametrize("size", [2, 30])
def test_few_and_many_rows_are_stored_alike(size):
    odd = "tab\t, newline\n, backslash \\ and \\N, quote ' and \", percent %s"
    take(
        [
            an_event(f"e{n}", stage=odd, tags={odd: odd}, user="" if n else "u", context={"system": 5})
            for n in range(size)
        ]
    )
    rows = list(LedgerEntry.objects.order_by("id"))
    assert len(rows) == size
    assert {row.stage for row in rows} == {odd}
    assert all(row.tags == {odd: odd} and row.context == {"system": 5} for row in rows)
    assert [row.user for row in rows[:2]] == ["u", ""]
    assert {(row.cost, row.cost_units, row.price_id is None) for row in rows} == {(3_000_000, 0, False)}


def test_a_late_event_of_a_closed_month_posts_into_the_open_one():
    with changing_configuration():
        Organisation.objects.update(closed_before=NOW.date().replace(day=1), time_zone="Asia/Kathmandu")
    # 31 October 18:14:59 UTC is the last second of October in Kathmandu.
    take([an_event("late", time="2026-10-31T18:14:59Z"), an_event("open", time="2026-10-31T18:15:00Z")])
    rows = {row.event_id: row for row in LedgerEntry.objects.all()}
    assert rows["late"].posted_at == NOW
    assert rows["late"].time.isoformat() == "2026-10-31T18:14:59+00:00"
    assert rows["open"].posted_at == rows["open"].time


def test_what_is_older_than_the_retention_goes_to_quarantine(settings):
    answer = take(an_event("old", time=(NOW - timedelta(days=settings.LEDGER_RETENTION_DAYS, seconds=1)).isoformat()))
    assert answer.rejected == 1
    kept = QuarantinedItem.objects.get()
    assert kept.code == "too-old"
    assert '"old"' in kept.body


def test_a_refused_item_sent_again_is_one_row_with_a_count():
    for _ in range(3):
        take([{"id": "x", "nul": "a\x00b"}, {"id": "x", "nul": "a\x00b"}])
    kept = QuarantinedItem.objects.get()
    assert kept.times == 3
    assert kept.event_id == "x"


def test_sources_are_apart_and_only_allowed_ones_are_taken():
    sender = a_sender("one", ("two",))
    answer = take([an_event("a"), an_event("a", source="two"), an_event("a", source="three")], sender)
    assert (answer.accepted, answer.rejected) == (2, 1)
    assert answer.items[0]["problem"]["field"] == "source"


def test_charges_are_appended_per_budget_and_quarter_hour():
    with changing_configuration() as generation:
        for slug, scope, metric in (
            ("all", {}, "money"),
            ("wf", {"workflow": "w"}, "tokens"),
            ("tagged", {"tag": "campaign=x"}, "calls"),
            ("other", {"team": "nobody"}, "money"),
        ):
            Budget.objects.create(
                slug=slug, name=slug, scope=scope, metric=metric, amount=10**12, generation=generation
            )
    take(
        [
            an_event("a", workflow="w", tags={"campaign": "x"}),
            an_event("b", workflow="w"),
            an_event("c", time=(NOW - timedelta(minutes=20)).isoformat()),
        ]
    )
    charges = {
        (slug, bucket.strftime("%H:%M")): (amount, calls)
        for slug, bucket, amount, calls in BudgetCharge.objects.values_list("budget__slug", "bucket", "amount", "calls")
    }
    assert charges == {
        ("all", "11:45"): (6_000_000, 2),
        ("all", "11:30"): (3_000_000, 1),
        ("wf", "11:45"): (2200, 2),
        ("tagged", "11:45"): (1, 1),
    }


def test_a_batch_that_fails_leaves_nothing_behind(monkeypatch):
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(write.quarantine, "keep", broken)
        with pytest.raises(RuntimeError):
            take([an_event("a", workflow="brand-new"), {"id": "bad"}])
    assert not Claim.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert not IngestBatch.objects.exists()
    assert take(an_event("a", workflow="brand-new")).accepted == 1


def test_eight_senders_of_the_same_batches_count_each_event_once():
    with changing_configuration() as generation:
        Budget.objects.create(
            slug="all", name="All", amount=10**15, generation=generation, opened_generation=generation
        )
    batches = [[an_event(f"{batch}-{n}", workflow=f"w{n % 7}") for n in range(20)] for batch in range(40)]
    sender = a_sender()
    answers, faults = [], []

    def send(seed: int) -> None:
        shuffled = random.Random(seed)
        try:
            for batch in shuffled.sample(batches, len(batches)):
                answers.append(take(shuffled.sample(batch, len(batch)), sender))
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    for _ in range(2):  # and all of it again
        threads = [threading.Thread(target=send, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not faults
    assert sum(answer.accepted for answer in answers) == 800
    assert sum(answer.duplicate for answer in answers) == 15 * 800
    assert LedgerEntry.objects.count() == Claim.objects.count() == 800
    assert sum(LedgerEntry.objects.values_list("cost", flat=True)) == 800 * 3_000_000
    assert sum(BudgetCharge.objects.values_list("amount", flat=True)) == 800 * 3_000_000


class Counting:
    """A cursor that notes what it executes."""

    def __init__(self, cursor, executed: list[str]) -> None:
        self.cursor, self.executed = cursor, executed

    def execute(self, query, *args):
        self.executed.append(str(query))
        return self.cursor.execute(query, *args)

    def __getattr__(self, name: str):
        return getattr(self.cursor, name)


@pytest.mark.parametrize("size", [1, 200])
def test_the_number_of_statements_does_not_grow_with_the_batch(size, monkeypatch):
    take([an_event("warm", workflow="w")])
    executed: list[str] = []
    original = write.raw_cursor
    monkeypatch.setattr(write, "raw_cursor", lambda: Counting(original(), executed))
    take([an_event(f"e{n}", workflow="w") for n in range(size)])
    assert LedgerEntry.objects.count() == size + 1
    assert len(executed) == 2, "enter with claims; batch with charges (more than a few rows go by COPY)"


def test_a_value_that_only_the_database_refuses_costs_one_item(monkeypatch):
    original = write.ledger_row

    def too_long(event, *args):
        row = original(event, *args)
        if event.id == "b":
            row.tier = 99_999  # not a smallint
        return row

    monkeypatch.setattr(write, "ledger_row", too_long)
    body = json.dumps([an_event(n) for n in "abc"]).encode()
    answer = write.take(a_sender(), decode(body, "application/json", {}, 9))
    assert (answer.accepted, answer.rejected) == (2, 1)
    assert answer.items[0]["index"] == 1
    assert QuarantinedItem.objects.get().code == "cannot-be-stored"
    assert LedgerEntry.objects.count() == 2


def test_only_an_import_may_say_that_a_row_sums_many_calls():
    """Else a sender could have a long call priced as many short ones."""
    answer = take(
        [an_event("a", tags={"imported": "aggregate", "calls": "1000"}), an_event("b", tags={"imported": "x"})]
    )
    assert (answer.accepted, answer.rejected) == (1, 1)
    assert answer.items[0]["problem"]["type"].endswith("reserved-tag")
