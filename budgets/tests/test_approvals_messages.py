"""Who is told what: by e-mail, by Slack, in channels; and the words."""

import pytest

from budgets.access.keys import make_key
from budgets.approvals import messages, words
from budgets.approvals.decide import approve, decline, undo, withdraw
from budgets.approvals.facts import Asked, Facts
from budgets.approvals.lapse import tend
from budgets.approvals.open import open_request
from budgets.audit.record import Actor
from budgets.audit.wording import changes, sentence, wording_of
from budgets.audit.words import register_words
from budgets.delivery.message import Message, message_of
from budgets.models import Budget, Channel, CurrencyRate, Delivery, Organisation, Profile
from budgets.tests.asking import (
    ACTOR,
    HOUR,
    NOW,
    a_person,
    a_request,
    a_team,
    a_workflow,
    an_approver,
    by,
    dollars,
    premium,
    told,
)
from budgets.tests.made import a_budget

pytestmark = pytest.mark.django_db
FACTS = Facts(
    runs=40,
    cost_per_run=dollars(1),
    premium_per_run=6_750_000_000,
    extra_cost=dollars(230),
    based_on_runs=120,
    budget="seo",
    budget_name="SEO",
    budget_limit=dollars(5000),
    budget_spent=dollars(4200),
    budget_after=dollars(4430),
    landing=dollars(5100),
    landing_after=dollars(5330),
    landing_on="2026-11-30",
    cheaper_tier=2,
    cheaper_name="Standard",
    cheaper_extra=dollars(40),
)


@pytest.fixture(autouse=True)
def slack_is_set_up(settings):
    settings.SLACK_BOT_TOKEN = "xoxb-for-tests"


@pytest.fixture
def team():
    return a_team()


@pytest.fixture
def kim(team):
    a_workflow(team=team)
    return a_person("Kim", "budget_owner", team)


@pytest.fixture
def lena(team):
    return an_approver("Lena", team)


def message(kind: str, address: str) -> Message:
    return message_of(Delivery.objects.exclude(state="cancelled").get(kind=kind, address=address).payload)


def test_the_message_that_asks_says_all_that_is_needed_to_decide(kim, lena):
    request = open_request(by(kim), premium(ceiling=dollars(300)), FACTS, NOW)
    asked = message("request", lena.email)
    assert asked.title == "$230 more: Premium models for SEO briefs"
    assert asked.text == (
        "Kim asks for Premium models for SEO briefs: for 40 runs, at most $300.\n“The launch needs better briefs.”"
    )
    assert [(one.label, one.value) for one in asked.facts] == [
        ("Extra cost", "$230 more"),
        ("Each run", "$6.75 instead of $1.00"),
        ("Budget", "SEO: $4,200 of $5,000 spent, $4,430 with this"),
        ("Expected by 30 Nov", "$5,100, with this $5,330"),
        ("Cheaper choice", "Standard models: $40 more"),
        ("Until", "Lapses on 25 Nov, 10:00 if nobody decides."),
    ]
    assert (asked.request, asked.path, asked.kind) == (request.pk, f"/approvals/{request.pk}/", "request")
    assert asked.urgent
    for text in (asked.title, asked.text, str(asked.facts)):
        assert "token" not in text.lower()
        assert "tier" not in text.lower()


def test_what_is_not_known_is_not_made_up(kim, lena):
    request = open_request(by(kim), premium(ceiling=dollars(300), runs=None, run_id="r1", user="u1"), Facts(), NOW)
    asked = message("request", lena.email)
    assert asked.title == "Up to $300: Premium models for SEO briefs, run r1, only for u1"
    assert [one.label for one in asked.facts] == ["Extra cost", "Until"]
    assert words.based_on(request) == "There are no past runs to tell the cost from."
    assert words.cheaper(request) == words.each_run(request) == words.landing(request) == words.on_budget(request) == ""


def test_people_are_told_where_they_want_to_be(kim, team):
    lena = an_approver("Lena", team)
    Profile.objects.create(user=lena, slack_id="U01", by_email=False)
    first = a_request(by(kim))
    assert [(one.transport, one.address) for one in first.deliveries.all()] == [("slack", "U01")]
    Profile.objects.filter(user=lena).update(by_email=True)
    assert told(a_request(by(kim))) == [("request", "U01"), ("request", "lena@example.com")]
    Profile.objects.filter(user=lena).update(by_email=False, slack_id="")
    assert told(a_request(by(kim))) == []


def test_channels_that_want_requests_hear_of_them(kim, lena):
    wanted = Channel.objects.create(name="a", transport="slack", address="#money", options={"requests": True})
    for name, values in {
        "b": {"options": {"requests": False}},
        "c": {"options": {}},
        "e": {"options": {"requests": True}, "archived_at": NOW},
    }.items():
        Channel.objects.create(name=name, address="#other", **{"transport": "slack"} | values)
    Channel.objects.create(name="d", transport="webhook", address="hooks.example.com", options={"requests": True})
    request = a_request(by(kim))
    row = request.deliveries.get(address="#money")
    assert (row.channel, row.transport, row.payload["request"]) == (wanted, "slack", request.pk)
    assert told(request) == [("request", "#money"), ("request", "hooks.example.com"), ("request", lena.email)]
    tend(NOW + 60 * HOUR)
    tend(NOW + 72 * HOUR)
    assert message("decision", "#money").title == (
        "Nobody decided in time: this lapsed at 10:00: $230 more: Premium models for SEO briefs"
    )


def test_a_decision_reaches_whoever_asked_and_the_buttons_in_slack(kim, lena, team):
    Profile.objects.create(user=lena, slack_id="U01")
    Channel.objects.create(name="a", transport="slack", address="#money", options={"requests": True})
    request = a_request(by(kim), ceiling=dollars(300))
    Delivery.objects.filter(address__in=["U01", "#money"]).update(state="sent", sent_at=NOW)
    approve(by(lena), request.pk, "Go", NOW)
    assert [one for one in told(request) if one[0] == "decision"] == [
        ("decision", "#money"),
        ("decision", "U01"),
        ("decision", kim.email),
    ]
    said = message("decision", kim.email)
    assert said.title == "Lena approved this at 10:00: $230 more: Premium models for SEO briefs"
    assert said.text == "“Go” Allowed from now on: at most $300, 40 runs, until 29 Nov 2026."
    assert said.request is None  # nothing left to decide
    cancelled = request.deliveries.get(state="cancelled")
    assert (cancelled.address, cancelled.problem) == (lena.email, "The request was decided before this was sent.")
    undo(by(lena), request.pk, now=NOW)
    assert [one for one in told(request) if one == ("decision", kim.email)] == [("decision", kim.email)] * 2


def test_what_is_just_being_sent_is_left_to_its_sender(kim, lena):
    request = a_request(by(kim))
    Delivery.objects.update(claimed_until=NOW + HOUR)
    decline(by(lena), request.pk, "No", NOW)
    assert told(request) == [("decision", kim.email), ("request", lena.email)]


def test_a_decline_and_a_withdrawal_say_so(kim, lena):
    declined, withdrawn = a_request(by(kim)), a_request(by(kim))
    decline(by(lena), declined.pk, "Use Standard", NOW)
    withdraw(by(kim), withdrawn.pk, NOW)
    titles = {one.request_id: message_of(one.payload) for one in Delivery.objects.filter(kind="decision")}
    assert titles[declined.pk].title.startswith("Lena declined this at 10:00: $230 more")
    assert titles[declined.pk].text == "“Use Standard”"
    assert titles[withdrawn.pk].title.startswith("Kim withdrew this at 10:00")


def test_after_the_first_of_two_the_others_are_asked(kim, lena, team):
    omar = an_approver("Omar", team)
    request = a_request(by(kim), extra=900)
    assert words.needs(request) == "Two people have to approve."
    approve(by(lena), request.pk, now=NOW)
    assert told(request) == [("second", omar.email)]
    assert message("second", omar.email).text.startswith("Lena approved. One more person has to.")


def test_a_decline_taken_back_is_asked_again(kim, lena):
    request = a_request(by(kim))
    decline(by(lena), request.pk, "Wrong button", NOW)
    undo(by(lena), request.pk, now=NOW + HOUR)
    assert message("request", lena.email).text.startswith("It was declined, and that was taken back.")


def test_those_asked_later_hear_who_was_silent(kim, lena, team):
    omar = an_approver("Omar", team)
    a_request(by(kim))
    tend(NOW + 8 * HOUR)
    assert message("second", omar.email).text.startswith("Lena was asked first and has not answered.")


def test_a_key_is_told_nothing_and_named(lena, kim):
    key = make_key("Writer", ["request"])[0]
    request = a_request(Actor(None, "key Writer", "api", key_id=key.pk))
    assert message("request", lena.email).text.startswith("Key Writer asks for Premium models")
    approve(by(lena), request.pk, now=NOW)
    assert [kind for kind, _ in told(request)] == []


def test_money_is_the_organisations_whoever_asks(kim, lena):
    Organisation.objects.update(currency="EUR")
    CurrencyRate.objects.create(currency="EUR", day="2020-01-01", per_dollar="0.5")
    request = open_request(by(kim), premium(), FACTS, NOW)
    assert message("request", lena.email).title == "€115 more: Premium models for SEO briefs"
    assert words.cost(request) == "$230 more"  # this thread shows dollars again


def test_times_are_the_organisations(kim, lena):
    Organisation.objects.update(time_zone="Asia/Kathmandu")
    request = a_request(by(kim), wanted_until=NOW + 100 * HOUR)
    asked = message("request", lena.email)
    assert "until 26 Nov, 19:45" in asked.text
    assert asked.facts[-1].value == "Lapses on 25 Nov, 15:45 if nobody decides."
    assert words.lapses(request, request.lapses_at - HOUR) == "Lapses at 15:45 if nobody decides."


def test_a_bigger_budget_in_words(kim):
    wanda = an_approver("Wanda")
    budget = a_budget(dollars(5000), name="Translation")
    request = open_request(by(kim), Asked("budget", "Why.", budget=budget.slug, amount=dollars(5250)), Facts(), NOW)
    asked = message("request", wanda.email)
    assert asked.title == "$250 more: $5,250 for the budget Translation"
    assert asked.text == "Kim asks for $5,250 for the budget Translation.\n“Why.”"
    assert words.based_on(request) == ""
    Budget.objects.update(metric="calls")
    request.budget.refresh_from_db()
    assert words.subject(request) == "5.3T calls for the budget Translation"


def test_the_reminder_goes_to_everybody_who_may_decide(kim, lena, team):
    omar = an_approver("Omar", team)
    request = a_request(ACTOR)
    messages.remind(request, NOW)
    assert {address for kind, address in told(request) if kind == "reminder"} == {lena.email, omar.email}
    assert message("reminder", omar.email).text.startswith("This lapses soon.")


def test_the_history_says_it_in_a_sentence(kim, lena):
    register_words()
    words_for = wording_of("budgets.approvalrequest")
    said = {act: "…".join(sentence(words_for, act)) for act in ("asked", "approved", "let lapse", "declined")}
    assert said == {
        "asked": "asked for…",
        "approved": "approved the request “…”",
        "declined": "declined the request “…”",
        "let lapse": "let the request “…” lapse",
    }
    request = a_request(by(kim), ceiling=dollars(300))
    entry = approve(by(lena), request.pk, now=NOW).entry
    shown = changes(words_for, entry.before, entry.after, Organisation.get().zone, {})
    assert ("state", "Waiting", "Approved") in shown
    assert ("at most", "none", "$300") in shown
