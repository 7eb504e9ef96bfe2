"""Approved texts: what may be kept, versions, undo, who may, what caching saves, and the bundle."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor
from budgets.models import Organisation, Team, Workflow
from routing.bundle.policy_part import read_snippets
from routing.models import Snippet
from routing.snippets import edit
from routing.snippets.saving import Saving, savings
from routing.snippets.values import SnippetValues, checked, digest_of, tokens_of
from routing.snippets.versions import differences
from tests.people import someone
from usage.ledger.partitions import forget
from usage.models import LedgerEntry, PriceEntry
from usage.rollups.fold import fold_all
from usage.tests import events as sent

VALUES = SnippetValues("tone", "Tone of voice", "brand", "Write as we speak.")
ACTOR = Actor(None, "test", "command")


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("ä" * 400, 100)])
def test_tokens_are_an_estimate_by_characters(text, tokens):
    assert tokens_of(text) == tokens


def test_the_digest_is_of_utf_8():
    assert digest_of("Größe") == hashlib.sha256("Größe".encode()).hexdigest()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"slug": "Big"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"slug": "new"}, "slug"),
        ({"slug": "x" * 65}, "slug"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"kind": "poem"}, "kind"),
        ({"text": " \n "}, "text"),
        ({"text": "x" * 100_001}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"text": "\ud800"}, "text"),
    ],
)
def test_what_cannot_be(given, field):
    assert list(checked(replace(VALUES, **given))[1]) == [field]


def test_line_ends_and_blanks_are_tidied_and_the_text_is_not():
    tidy, problems = checked(replace(VALUES, name=" Tone  of voice ", text="\r\n\n  Keep this\r\n\rand this  \n\n"))
    assert not problems
    assert (tidy.name, tidy.text) == ("Tone of voice", "  Keep this\n\nand this  ")


def test_differences_by_line_without_what_is_far_away():
    old = "\n".join(f"line {n}" for n in range(20))
    new = old.replace("line 10", "line ten").replace("line 19", "line 19\nlast")
    told = [(one.kind, one.text) for one in differences(old, new)]
    assert told == [
        ("skipped", "7"),
        ("same", "line 7\nline 8\nline 9"),
        ("removed", "line 10"),
        ("added", "line ten"),
        ("same", "line 11\nline 12\nline 13"),
        ("skipped", "3"),
        ("same", "line 17\nline 18\nline 19"),
        ("added", "last"),
    ]
    assert differences(old, old) == []


@pytest.fixture
def organisation(db):
    return Organisation.objects.get_or_create(id=1)[0]


@pytest.fixture
def tone(organisation):
    return edit.make_snippet(ACTOR, VALUES)


def numbers(row):
    return list(row.versions.order_by("number").values_list("number", "text"))


def test_another_text_is_another_version_and_nothing_else_is(tone):
    row = edit.save_snippet(ACTOR, tone, replace(VALUES, name="Voice"))
    assert numbers(row) == [(1, "Write as we speak.")]
    row = edit.save_snippet(ACTOR, row, replace(VALUES, text="Write as they speak."), note="Calmer")
    assert numbers(row) == [(1, "Write as we speak."), (2, "Write as they speak.")]
    newest = edit.newest_of(row)
    assert (newest.note, newest.tokens, newest.digest) == ("Calmer", 5, digest_of("Write as they speak."))
    assert row.edit_version == 3


def test_saving_what_is_there_already_changes_nothing(tone):
    before = newest_entry(Snippet, tone.pk)
    assert edit.save_snippet(ACTOR, tone, VALUES).edit_version == 1
    assert newest_entry(Snippet, tone.pk) == before


def test_two_cannot_save_over_each_other(tone):
    edit.save_snippet(ACTOR, tone, replace(VALUES, name="Voice"), seen=1)
    with pytest.raises(edit.StaleSnippet):
        edit.save_snippet(ACTOR, tone, replace(VALUES, name="Other"), seen=1)


def test_a_short_name_is_taken_for_good(tone):
    edit.archive_snippet(ACTOR, tone)
    with pytest.raises(edit.InvalidSnippet) as error:
        edit.make_snippet(ACTOR, VALUES)
    assert list(error.value.problems) == ["slug"]


def test_undo_brings_everything_back_as_a_new_version(tone):
    workflow = Workflow.objects.create(slug="ads", name="Ads")
    edit.save_snippet(ACTOR, tone, replace(VALUES, text="Shout.", name="Loud", workflows=(workflow.pk,)))
    row = edit.undo_snippet(ACTOR, tone, newest_entry(Snippet, tone.pk))
    assert replace(edit.values_of(row), owner_id=None) == VALUES
    assert [number for number, _ in numbers(row)] == [1, 2, 3]


def test_archiving_is_undone_and_undoing_that_archives(tone):
    edit.archive_snippet(ACTOR, tone)
    with pytest.raises(edit.RefusedSnippet, match="archived"):
        edit.save_snippet(ACTOR, tone, replace(VALUES, name="x"))
    with pytest.raises(edit.RefusedSnippet):
        edit.archive_snippet(ACTOR, tone)
    assert edit.undo_snippet(ACTOR, tone, newest_entry(Snippet, tone.pk)).archived_at is None
    assert edit.undo_snippet(ACTOR, tone, newest_entry(Snippet, tone.pk)).archived_at


def test_only_the_newest_change_is_undone(tone):
    first = newest_entry(Snippet, tone.pk)
    edit.save_snippet(ACTOR, tone, replace(VALUES, name="Voice"))
    with pytest.raises(edit.RefusedSnippet, match="since"):
        edit.undo_snippet(ACTOR, tone, first)


def test_a_budget_owner_of_a_team_keeps_its_texts_for_its_workflows(organisation):
    ours, theirs = Team.objects.create(slug="ours", name="Ours"), Team.objects.create(slug="theirs", name="Theirs")
    mine = Workflow.objects.create(slug="mine", name="Mine", team=ours)
    other = Workflow.objects.create(slug="other", name="Other", team=theirs)
    user = someone("budget_owner", ours)
    actor = Actor(user, "owner", "web", who=user)
    for wrong, field in (
        ({}, "team"),
        ({"team_id": theirs.pk}, "team"),
        ({"team_id": ours.pk, "workflows": (other.pk,)}, "workflows"),
    ):
        with pytest.raises(edit.InvalidSnippet) as error:
            edit.make_snippet(actor, replace(VALUES, **wrong))
        assert list(error.value.problems) == [field]
    row = edit.make_snippet(actor, replace(VALUES, team_id=ours.pk, workflows=(mine.pk,)))
    company = edit.make_snippet(ACTOR, replace(VALUES, slug="company"))
    with pytest.raises(edit.RefusedSnippet):
        edit.archive_snippet(actor, company)
    edit.save_snippet(ACTOR, row, replace(VALUES, team_id=ours.pk, workflows=(mine.pk, other.pk)))
    kept = edit.save_snippet(actor, row, replace(VALUES, name="x", team_id=ours.pk, workflows=(mine.pk, other.pk)))
    assert kept.workflows.count() == 2


def test_the_bundle_has_ids_and_digests_of_what_is_in_use(tone):
    workflow = Workflow.objects.create(slug="ads", name="Ads")
    edit.save_snippet(ACTOR, tone, replace(VALUES, text="Shout.", workflows=(workflow.pk,)))
    told, allowed = read_snippets()
    assert (told["tone"].version, told["tone"].digest, told["tone"].kind) == (2, digest_of("Shout."), "brand")
    assert dict(allowed) == {workflow.pk: ["tone"]}
    for n in range(3):
        edit.save_snippet(ACTOR, tone, replace(VALUES, text=f"Shout {n}.", workflows=(workflow.pk,)))
    with CaptureQueriesContext(connection) as asked:
        assert read_snippets()[0]["tone"].version == 5
    # Every second: long texts of many versions must not come along.
    assert len(asked) == 2 and not any('"text"' in one["sql"] for one in asked)
    edit.archive_snippet(ACTOR, tone)
    assert read_snippets() == ({}, {})


# What caching saves.


def plain(tokens, slugs, now):
    """The same, call by call, in decimals, from the ledger and the price entries."""
    calls = unpriced = 0
    dollars = Decimal(0)
    for row in LedgerEntry.objects.filter(kind=0, time__gte=now - timedelta(days=30)):
        workflow = Workflow.objects.get(pk=row.workflow_id)
        if (workflow.merged_into or workflow).slug not in slugs or row.status == "blocked":
            continue
        calls += 1
        price = PriceEntry.objects.filter(provider=row.provider, model=row.model, superseded_at=None).first()
        if price is None:
            unpriced += 1
        elif price.cached_input is not None:
            dollars += tokens * (price.input - price.cached_input) / 1_000_000
    return Saving(calls, unpriced, int(dollars * 10**9))


@pytest.fixture
def called(organisation):
    """Calls of two workflows, one with an alias, by a cheap model, a dear one, and one without a price."""
    now = timezone.now()
    forget()  # partitions that a test before this one took back
    sent.price_the_model("2")
    sent.price_the_model("15", model="dear")
    PriceEntry.objects.create(
        provider="acme", model="flat", valid_from=now - timedelta(days=900), input=3, cached_input=None, output=4
    )
    ads = Workflow.objects.create(slug="ads", name="Ads")
    Workflow.objects.create(slug="ads-old", name="Ads before", status="merged", merged_into=ads)
    Workflow.objects.create(slug="mail", name="Mail")
    models = [sent.MODEL, "dear", "flat", "nobody-knows"]
    calls = [
        sent.an_event(
            f"{slug}-{n}", time=(now - timedelta(days=n, minutes=5)).isoformat(), workflow=slug, model=models[n % 4],
            status="blocked" if n == 8 else "ok",
        )
        for slug, several in (("ads", 12), ("ads-old", 5), ("mail", 7)) for n in range(several)
    ]  # fmt: skip
    sent.take(calls, sent.a_sender(), now)
    fold_all()
    return now


def test_what_caching_saves_is_what_the_ledger_says(called):
    pks = dict(Workflow.objects.values_list("slug", "pk"))
    both = edit.make_snippet(ACTOR, replace(VALUES, text="x" * 40_001, workflows=(pks["ads"], pks["mail"])))
    one = edit.make_snippet(ACTOR, replace(VALUES, slug="one", text="short", workflows=(pks["mail"],)))
    none = edit.make_snippet(ACTOR, replace(VALUES, slug="none"))
    told = savings([(both, 10_001), (one, 2), (none, 5)], called)
    assert told[both.pk] == plain(10_001, {"ads", "mail"}, called)
    assert told[one.pk] == plain(2, {"mail"}, called)
    assert told[none.pk] == Saving()
    assert told[both.pk].calls == 23 and told[both.pk].unpriced == 5 and told[both.pk].nano > 0


def test_it_takes_no_more_statements_for_more_texts(called, django_assert_max_num_queries):
    rows = [(edit.make_snippet(ACTOR, replace(VALUES, slug=f"s{n}")), 5) for n in range(6)]
    savings(rows[:1], called)
    with django_assert_max_num_queries(6):
        savings(rows, called)
