"""On PostgreSQL, together: one decision wins, two persons are two, each reminder once, one request for one key."""

import os
import subprocess
import sys
from collections import Counter
from functools import partial
from urllib.parse import urlsplit

import pytest
from django.db import connection

from budgets.approvals.decide import AlreadyDecided, MayNotDecide, approve, decline, undo, withdraw
from budgets.approvals.facts import Asked, Facts
from budgets.approvals.lapse import tend
from budgets.approvals.open import ReusedKey, open_request
from budgets.limits.edit import change_budget, values_of
from budgets.models import ApprovalRequest, ApprovalVote, AuditEntry, Budget, Delivery, Grant
from budgets.tests.asking import HOUR, NOW, a_person, a_request, a_team, a_workflow, an_approver, by, dollars, entries
from budgets.tests.made import ACTOR, a_budget, at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def team():
    team = a_team()
    a_workflow(team=team)
    return team


@pytest.fixture
def kim(team):
    return a_person("Kim", "budget_owner", team)


def what_came(act, *args):
    """ "won", or the sentence that the loser is told."""
    try:
        act(*args)
    except (AlreadyDecided, MayNotDecide) as refused:
        return str(refused)
    return "won"


def test_of_eight_who_approve_and_decline_at_once_one_wins(team, kim):
    people = [an_approver(f"P{n}", team) for n in range(8)]
    for round_ in range(4):
        request = a_request(by(kim))
        acts = [
            partial(what_came, approve, by(one), request.pk, "", NOW)
            if (n + round_) % 2
            else partial(what_came, decline, by(one), request.pk, "No", NOW)
            for n, one in enumerate(people)
        ]
        came = at_once(*acts)
        request.refresh_from_db()
        winner = people[came.index("won")]
        assert request.decided_by == winner
        verb = {"approved": "approved", "declined": "declined"}[request.state]
        losers = [said for said in came if said != "won"]
        assert len(losers) == 7
        assert all(said.startswith(f"{winner.first_name} {verb} this ") for said in losers)
        assert ApprovalVote.objects.filter(request=request).count() == 1
        assert Grant.objects.filter(request=request).count() == (request.state == "approved")
        assert entries(request) == ["asked", verb]
        assert Delivery.objects.filter(request=request, kind="decision").count() == 1


def test_where_two_have_to_exactly_two_persons_do(team, kim):
    people = [an_approver(f"P{n}", team) for n in range(6)]
    request = a_request(by(kim), extra=900)
    acts = [partial(what_came, approve, by(one), request.pk, "", NOW) for one in people[:4]]
    acts += [partial(what_came, approve, by(people[0]), request.pk, "", NOW) for _ in range(3)]  # impatient clicks
    came = at_once(*acts)
    assert Counter(came)["won"] == 2
    votes = ApprovalVote.objects.filter(request=request).values_list("user_id", flat=True)
    assert len(set(votes)) == 2
    assert Grant.objects.count() == 1
    assert entries(request) == ["asked", "approved as the first", "approved"]


def test_withdrawing_undoing_lapsing_and_approving_at_once(team, kim):
    people = [an_approver(f"P{n}", team) for n in range(3)]
    for _ in range(4):
        request = a_request(by(kim))
        at_once(
            partial(what_came, withdraw, by(kim), request.pk, NOW),
            partial(what_came, approve, by(people[0]), request.pk, "", NOW),
            partial(what_came, decline, by(people[1]), request.pk, "No", NOW),
            partial(tend, request.lapses_at),
            partial(tend, request.lapses_at),
        )
        request.refresh_from_db()
        assert request.state in {"withdrawn", "approved", "declined", "lapsed"}
        assert len(entries(request)) == 2
    undone = a_request(by(kim))
    approve(by(people[0]), undone.pk, now=NOW)
    came = at_once(*[partial(what_came, undo, by(one), undone.pk, "", NOW) for one in people])
    assert Counter(came)["won"] == 1
    assert entries(undone).count("undid the approval of") == 1


def test_racing_workers_do_each_thing_once(team, kim):
    for name in ("Lena", "Omar"):
        an_approver(name, team)
    requests = [a_request(by(kim)) for _ in range(5)]
    for hours, kind, each in ((8, "second", 1), (60, "reminder", 2), (72, "decision", 1)):
        done = at_once(*[partial(tend, NOW + hours * HOUR) for _ in range(4)])
        missed = len(requests) - sum(done)  # skipped where another held it; the next minute comes
        assert tend(NOW + hours * HOUR) == missed == 0
        for request in requests:
            assert Delivery.objects.filter(request=request, kind=kind).count() == each
    assert set(map(tuple, map(entries, requests))) == {("asked", "asked others about", "reminded of", "let lapse")}


def test_workers_in_processes_of_their_own_lapse_each_once(team, kim):
    requests = [a_request(by(kim)) for _ in range(12)]
    code = (
        "import django; django.setup(); from datetime import datetime;"
        "from budgets.approvals.lapse import tend;"
        f"print(tend(datetime.fromisoformat('{(NOW + 72 * HOUR).isoformat()}')))"
    )
    environment = {**os.environ, "DATABASE_URL": database_url()}
    workers = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    done = [int(one.communicate(timeout=120)[0]) for one in workers]
    assert sum(done) == 12
    assert all(entries(request) == ["asked", "let lapse"] for request in requests)
    assert Delivery.objects.filter(kind="decision").count() == 12


def database_url() -> str:
    """Of the test's own database, for processes that this test starts."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def test_one_idempotency_key_sent_eight_times_at_once_is_one_request(team, kim):
    lena = an_approver("Lena", team)
    made = at_once(*[partial(a_request, by(kim), key="k1") for _ in range(8)])
    assert len({one.pk for one in made}) == 1
    assert ApprovalRequest.objects.count() == 1
    assert AuditEntry.objects.filter(object_type="budgets.approvalrequest").count() == 1
    assert Delivery.objects.filter(address=lena.email).count() == 1

    def ask(runs):
        try:
            return a_request(by(kim), key="k2", runs=runs).runs
        except ReusedKey:
            return None

    answers = at_once(*[partial(ask, runs) for runs in (1, 2, 3, 4)])
    assert sum(answer is not None for answer in answers) == 1
    assert ApprovalRequest.objects.count() == 2


def test_raising_a_budget_while_others_edit_it_never_deadlocks_nor_loses_an_edit(team, kim):
    people = [an_approver(f"P{n}") for n in range(3)]
    budget = a_budget(dollars(5000))
    asked = Asked("budget", "The launch.", budget=budget.slug, amount=dollars(5400))
    request = open_request(by(kim), asked, Facts(), NOW)

    def rename(n):
        row = Budget.objects.get(pk=budget.pk)
        values = values_of(row)
        change_budget(ACTOR, row, type(values)(**{**{f: getattr(values, f) for f in values.__slots__}, "pace": n}))

    came = at_once(
        *[partial(what_came, approve, by(one), request.pk, "", NOW) for one in people],
        partial(rename, "working_days"),
    )
    assert Counter(came)["won"] == 1
    budget.refresh_from_db()
    changes = AuditEntry.objects.filter(object_type="budgets.budget", act="changed").order_by("position")
    amounts = [row.after["amount"] for row in changes]
    assert dollars(5400) in amounts
    assert budget.amount == changes.last().after["amount"]
