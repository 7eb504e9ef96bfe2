"""/history/: what it says, its filters, paging, CSV (which proves itself), API, undo; statements that do not grow."""

import csv
import io
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse

from budgets.access.keys import make_key
from budgets.audit.chain import Anchor, prove_csv
from budgets.audit.checking import check_history
from budgets.audit.reading import newest
from budgets.audit.record import Actor, record
from budgets.limits import edit
from budgets.limits.values import values_of
from budgets.models import NANO, AuditEntry, Budget, HistoryCheck, Organisation, Workflow
from budgets.tests.made import a_budget
from tests.people import viewer

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 10, 7, tzinfo=UTC)


@pytest.fixture
def lena(client):
    user = User.objects.create_superuser("lena", first_name="Lena", last_name="Kraus")
    client.force_login(user)
    return user


def web(user):
    return Actor(user, user.get_username(), "web")


def changed(user, name="Translation", amount=3000, reason="Q4 launch languages"):
    budget = a_budget(2500 * NANO, name)
    values = edit.values_of(budget)
    from dataclasses import replace

    return edit.change_budget(web(user), budget, replace(values, amount=amount * NANO), reason)


def text_of(answer):
    import html
    import re

    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def test_an_empty_history_says_what_it_is(client, lena):
    answer = client.get("/history/")
    assert "Nothing was changed yet" in answer.content.decode()
    assert answer.status_code == 200


def test_a_change_is_said_in_a_sentence_with_an_undo(client, lena):
    budget = changed(lena)
    said = text_of(client.get("/history/"))
    assert "Lena Kraus changed the Translation budget: amount from $2,500 to $3,000" in said
    assert "Browser · “Q4 launch languages”" in said
    assert "command test created the Translation budget" in said
    page = client.get("/history/").content.decode()
    assert page.count('class="btn sm"><svg class="i" aria-hidden="true"><use href="#undo"/>') == 1
    entry = AuditEntry.objects.order_by("-position").first()
    undo = reverse("budget-undo", args=[budget.slug, entry.pk])
    assert undo in page and reverse("budget", args=[budget.slug]) in page
    client.post(undo)
    assert Budget.objects.get(pk=budget.pk).amount == 2500 * NANO
    assert "Undo of “changed” by lena" in text_of(client.get("/history/"))


def test_undo_is_shown_to_who_may(client):
    lena = viewer("lena")
    changed(lena)
    client.force_login(lena)
    assert "#undo" not in client.get("/history/").content.decode().partition("<main")[2]
    lena.memberships.create(role="finance")
    assert "#undo" in client.get("/history/").content.decode().partition("<main")[2]


def test_who_is_not_signed_in_is_sent_to_sign_in(client):
    for path in ("/history/", "/export/history.csv"):
        assert client.get(path)["Location"].startswith("/sign-in/")
    assert client.get("/api/v1/history").status_code in (401, 403)


def rows_of_all_kinds(user):
    organisation = Organisation.get()
    workflow = Workflow.objects.create(slug="briefs", name="Briefs")
    record(web(user), "paused", workflow, {"paused": False}, {"paused": True}, "=SUM(A1)")
    record(Actor(None, "key Gateway", "api"), "resumed", workflow, {"paused": True}, {"paused": False}, "'quoted'")
    record(
        Actor.job("retention"), "closed month", organisation, {"closed_before": None}, {"closed_before": "2026-11-01"}
    )
    record(Actor.command("demo"), "odd", organisation, ["a"], {"x": [1, {"y": None}], "at": "2026-11-22T10:00:00Z"})
    record(Actor.command("demo"), "odd", organisation, {"fiscal_year_starts": 1}, {"fiscal_year_starts": "seven"})


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 5), ("who=lena", 1), ("who=key+Gateway", 1), ("type=budgets.workflow", 2), ("act=paused", 1),
        ("origin=command", 2), ("origin=job", 1), ("q=brief", 2), ("q=gateway+brief", 1), ("q=nothing-like-it", 0),
        ("q=%27%26%21%5C", 0), ("from=2020-01-01&to=2020-01-02", 0), ("from=2020-01-01", 5), ("q=sum", 1),
    ],
)  # fmt: skip
def test_filters(client, lena, query, count):
    rows_of_all_kinds(lena)
    page = client.get(f"/history/?{query}")
    assert page.status_code == 200
    assert page.content.decode().count('<p class="note gap-s">Row') == count
    assert ("No change matches" in page.content.decode()) == (count == 0)
    lines = list(csv.DictReader(io.StringIO(client.get(f"/export/history.csv?{query}").getvalue().decode())))
    assert len(lines) == count
    assert len(client.get(f"/api/v1/history?{query}").json()["results"]) == count


def test_one_objects_history(client, lena):
    rows_of_all_kinds(lena)
    one = Workflow.objects.get(slug="briefs")
    page = client.get(f"/history/?object=budgets.workflow:{one.pk}")
    assert "Changes of Briefs workflow" in page.content.decode()
    assert page.content.decode().count('<p class="note gap-s">Row') == 2


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ("who=nobody", "Nobody called “nobody” has changed anything"),
        ("type=x", "“x” is no kind of thing"),
        ("act=exploded", "Nothing was ever “exploded”"),
        ("origin=moon", "Changes come from no “moon”"),
        ("object=7", "Write object as kind:id"),
        ("from=yesterday", "“yesterday” is no day"),
        ("from=0001-01-01", "is no day"),
        ("to=9999-12-31", "is no day"),
        ("from=2026-02-02&to=2026-02-01", "The last day comes before the first"),
        ("before=x", "That page is not known"),
        ("before=99999999999999999999", "That page is not known"),
        ("who=%00", ""),
    ],
)
def test_what_is_unknown_is_left_out_with_a_note(client, lena, query, note):
    rows_of_all_kinds(lena)
    page = client.get(f"/history/?{query}")
    assert page.status_code == 200 and note in page.content.decode()
    assert page.content.decode().count('<p class="note gap-s">Row') == 5
    answer = client.get(f"/api/v1/history?{query}")
    assert answer.status_code == (422 if note else 200)


def test_days_are_the_organisations(client, lena):
    Organisation.objects.update(time_zone="Asia/Kolkata")
    entry = record(web(lena), "changed", Organisation.get(), {"name": "a"}, {"name": "b"})
    local = Organisation.get().local(entry.at).date().isoformat()
    assert client.get(f"/history/?from={local}&to={local}").content.decode().count('<p class="note gap-s">Row') == 1


def test_the_csv_proves_itself_and_so_does_a_part(client, lena):
    rows_of_all_kinds(lena)
    record(web(lena), "changed", Organisation.get(), {"name": "'=1"}, None, '-5 = less\nthan "before", ünï')
    whole = client.get("/export/history.csv").getvalue().decode()
    assert "'=SUM(A1)" in whole and "''quoted'" in whole
    assert prove_csv(io.StringIO(whole, newline="")) == (6, newest())
    part = client.get("/export/history.csv?origin=command").getvalue().decode()
    assert prove_csv(io.StringIO(part, newline=""), is_part=True)[0] == 2
    first = next(csv.DictReader(io.StringIO(whole)))
    assert (first["position"], first["who"], first["act"], first["object_name"]) == ("1", "lena", "paused", "Briefs")


def test_pages_go_by_position(client, lena):
    organisation = Organisation.get()
    for n in range(120):
        record(web(lena), "changed", organisation, {"n": n}, {"n": n + 1})
    seen, path = [], "/history/"
    while path:
        page = client.get(path).context["page"]
        seen += [row.position for row in page.rows]
        path = page.older_before and f"/history/?before={page.older_before}"
    assert seen == list(range(120, 0, -1))
    newer = client.get("/history/?after=20").context["page"]
    assert [newer.rows[0].position, newer.rows[-1].position] == [70, 21]
    assert (newer.newer_after, newer.older_before) == (70, 21)
    assert client.get("/history/?after=70").context["page"].newer_after is None
    answer = client.get("/api/v1/history?limit=50").json()
    assert len(answer["results"]) == 50 and answer["next"].endswith("before=71")
    assert client.get(answer["next"]).json()["results"][0]["position"] == 70
    assert client.get("/api/v1/history?limit=5000").status_code == 422


def test_statements_do_not_grow_with_rows(client, lena, django_assert_num_queries):
    changed(lena, "One")
    rows_of_all_kinds(lena)
    client.get("/history/")
    with django_assert_num_queries(STATEMENTS):
        client.get("/history/")
    for n in range(20):
        changed(lena, f"Budget {n}")
    with django_assert_num_queries(STATEMENTS):
        client.get("/history/")


STATEMENTS = 14


@pytest.mark.django_db(transaction=True)  # keys are read by a thread with a connection of its own
def test_the_api_takes_keys_that_may_read(client):
    Organisation.objects.get_or_create(id=1)
    _, reads = make_key("reader", ["read"])
    _, sends = make_key("sender", ["ingest"])
    record(Actor.command("x"), "changed", Organisation.get(), {"name": "a"}, {"name": "b"}, "why")
    answer = client.get("/api/v1/history", headers={"Authorization": f"Bearer {reads}"})
    assert answer.status_code == 200, answer.content
    (row,) = answer.json()["results"]
    assert (row["position"], row["act"], row["before"], row["reason"]) == (1, "changed", {"name": "a"}, "why")
    assert row["digest"] == newest().digest.hex() and answer.json()["next"] is None
    assert client.get("/api/v1/history", headers={"Authorization": f"Bearer {sends}"}).status_code == 403


def test_the_page_says_how_far_the_chain_is_verified_and_shouts_when_it_broke(client, lena):
    rows_of_all_kinds(lena)
    assert "The history is checked for tampering within the hour." in client.get("/history/").content.decode()
    check_history(NOW)
    page = client.get("/history/").content.decode()
    assert f"Checked for tampering up to #{newest().position} at " in page
    assert "could still switch that protection off" in page
    HistoryCheck.objects.update(problem="Row 2 is not what was written: its digest does not fit.")
    page = client.get("/history/").content.decode()
    assert 'role="alert"' in page and "tampered with" in page and "Row 2 is not" in page
    assert "Checked for tampering" not in page


def test_pages_of_a_million_rows_use_indexes(lena):
    """Whatever the filter, the plan of a page walks an index in the order of positions, or looks words up."""
    from budgets.audit import search

    rows_of_all_kinds(lena)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    for asked in (
        search.Filter(), search.Filter(before=3), search.Filter(who="lena"), search.Filter(type="budgets.workflow"),
        search.Filter(act="paused"), search.Filter(origin="job"), search.Filter(object="budgets.workflow:1"),
    ):  # fmt: skip
        plan = search.matching(asked, Organisation.get())[:50].explain()
        assert "Index Scan" in plan and "Sort" not in plan, plan
    plan = search.matching(search.Filter(q="brief"), Organisation.get()).order_by().explain()
    assert "audit_by_words" in plan


def test_unfit_values_are_shown_plainly(client, lena):
    rows_of_all_kinds(lena)
    said = text_of(client.get("/history/"))
    assert "fiscal year starts in from January to seven" in said
    assert "closed a month of My company" in said
    assert newest() == Anchor(5, newest().digest) and values_of
