"""What is said of a policy before it is published: each remark, by what makes it."""

import time
from decimal import Decimal

import pytest
from django.utils import timezone

from budgets.models import Budget, BudgetState, Organisation, Team, Workflow
from routing.policy.covering import covers, minutes
from routing.policy.document import Conditions, Outcome, PolicyModel, TimeOfDay
from routing.policy.known import read_known
from routing.policy.ready_made import first_tiers, ready_made
from routing.policy.validate import Known, KnownBudget, KnownWorkflow, problems, remarks
from routing.tests.policies import a_policy, a_rule, a_tier
from usage.models import PriceEntry

MODELS = frozenset({("a", "one"), ("a", "two"), ("a", "three")})
KNOWN = {"priced": MODELS, "listed": MODELS, "live_tiers": {1: "Economy", 2: "Standard", 3: "Premium"}}


def known(**values):
    return Known(**KNOWN | values)


def said(policy, **values):
    return [(one.level, one.where, one.sentence) for one in remarks(policy, known(**values))]


def only(policy, **values):
    (found,) = said(policy, **values)
    return found


def tiers(*extra):
    return [a_tier(1, "a/one"), a_tier(2, "a/two"), *extra]


def test_what_is_well_is_not_remarked_on():
    assert said(a_policy(a_rule("x", {"stage": ["draft"]}, tier=1), a_rule("y", tier=3))) == []


def test_tiers():
    assert only(a_policy(tiers=[]))[:2] == ("problem", "tiers")
    level, where, sentence = only(a_policy(tiers=tiers(a_tier(3))))
    assert (level, where) == ("problem", "tiers.2.models")
    assert sentence.startswith("Premium has no model.")
    twice = only(a_policy(tiers=tiers(a_tier(3, "a/one"))))
    assert twice == ("problem", "tiers.2.models.0", "a/one is in Economy and in Premium. A model belongs to one tier.")
    again = only(a_policy(tiers=[a_tier(1, "a/one", "a/one")]))
    assert again == ("problem", "tiers.0.models.1", "a/one is in Economy twice.")
    alias = {("a", "uno"): ("a", "one")}
    listed = MODELS | {("a", "uno")}
    named = a_policy(tiers=tiers(a_tier(3, "a/uno")))
    assert "in Economy and in Premium" in only(named, canonical=alias, priced=listed, listed=listed)[2]


def test_prices():
    policy = a_policy(tiers=tiers())
    level, where, sentence = only(policy, priced=frozenset({("a", "one")}))
    assert (level, where) == ("warning", "tiers.1.models.0")
    assert sentence.startswith("a/two has no price now")
    assert "is in no price book" in only(policy, priced=frozenset({("a", "one")}), listed=frozenset({("a", "one")}))[2]


@pytest.mark.parametrize(
    ("then", "where", "sentence"),
    [
        ({"tier": 9}, "tier", "“X” gives tier 9, which there is not."),
        ({"provider": "b", "model": "x"}, "model", "“X” gives b/x, which is in no tier. Add it to one first."),
        (
            {"tier": 1, "provider": "a", "model": "two"},
            "model",
            "“X” gives a/two, which is in Standard and not in Economy.",
        ),
    ],
)
def test_what_a_rule_gives_must_be_there(then, where, sentence):
    assert only(a_policy(a_rule("x", **then))) == ("problem", f"rules.0.then.{where}", sentence)
    level, at, told = only(a_policy(otherwise=Outcome(**then)))
    assert (level, at) == ("problem", f"otherwise.{where}")
    assert told == sentence.replace("“X”", "What no rule fits")


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({}, {"stage": ["draft"]}),
        ({}, {}),
        ({"stage": ["draft", "refine"]}, {"stage": ["draft"]}),
        ({"stage": ["draft"]}, {"stage": ["draft"], "team": ["t"]}),
        ({"input_tokens": {"at_least": 10}}, {"input_tokens": {"at_least": 20, "below": 30}}),
        ({"complexity": {"below": "0.5"}}, {"complexity": {"below": "0.50"}}),
        ({"time_of_day": {"from": "22:00", "to": "06:00"}}, {"time_of_day": {"from": "23:00", "to": "05:00"}}),
        (
            {"time_of_day": {"from": "00:00", "to": "00:00"}},
            {"time_of_day": {"from": "08:00", "to": "09:00", "days": [2]}},
        ),
    ],
)
def test_a_rule_that_is_never_reached(earlier, later):
    rows = {"teams": frozenset({"t"})}
    level, where, sentence = only(a_policy(a_rule("x", earlier, tier=1), a_rule("y", later, tier=2)), **rows)
    assert (level, where) == ("warning", "rules.1")
    assert sentence.startswith("“Y” is never reached: “X” stands before it")


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"stage": ["draft"]}, {}),
        ({"stage": ["draft"]}, {"stage": ["draft", "refine"]}),
        ({"stage": ["draft"], "domain": ["x"]}, {"stage": ["draft"]}),
        ({"input_tokens": {"at_least": 20}}, {"input_tokens": {"at_least": 10}}),
        ({"input_tokens": {"below": 20}}, {"input_tokens": {"at_least": 10}}),
        ({"complexity": {"at_least": "0"}}, {"stage": ["draft"]}),
        (
            {"time_of_day": {"from": "22:00", "to": "06:00", "days": [1]}},
            {"time_of_day": {"from": "23:00", "to": "05:00"}},
        ),
        ({"time_of_day": {"from": "23:00", "to": "05:00"}}, {"time_of_day": {"from": "22:00", "to": "06:00"}}),
    ],
)
def test_a_rule_that_is_reached(earlier, later):
    assert said(a_policy(a_rule("x", earlier, tier=1), a_rule("y", later, tier=2))) == []


def test_a_night_belongs_to_the_day_on_which_it_begins():
    sunday_night = minutes(TimeOfDay("23:00", "01:00", [7]))
    assert sunday_night.bit_count() == 120
    assert sunday_night & 1, "Monday, 00:00"
    assert covers(Conditions(), Conditions(time_of_day=TimeOfDay("23:00", "01:00")))


def test_spans_in_which_nothing_lies():
    level, where, sentence = only(a_policy(a_rule("x", {"input_tokens": {"at_least": 20, "below": 20}}, tier=1)))
    assert (level, where) == ("problem", "rules.0.when.input_tokens")
    assert sentence == "“X” can never apply: no length of the input is at least 20 and below 20."
    assert only(a_policy(a_rule("x", {"complexity": {"at_least": "0.9", "below": "0.5"}}, tier=1)))[0] == "problem"
    assert said(a_policy(a_rule("x", {"complexity": {"at_least": "0.09", "below": "0.5"}}, tier=1))) == []


def test_names_that_there_are_not():
    policy = a_policy(a_rule("x", {"workflow": ["seo", "old", "gone"], "team": ["t", "u"]}, tier=1))
    workflows = {"seo": KnownWorkflow("SEO"), "old": KnownWorkflow("Old", counts_under="seo")}
    found = said(policy, workflows=workflows, teams=frozenset({"t"}))
    assert [(level, where) for level, where, _ in found] == [
        ("warning", "rules.0.when.workflow.1"),
        ("warning", "rules.0.when.workflow.2"),
        ("warning", "rules.0.when.team.1"),
    ]
    assert "counts as “seo” since they were merged" in found[0][2]


def test_default_tiers():
    workflows = {f"w{n}": KnownWorkflow(f"W{n}", 3) for n in range(5)} | {"m": KnownWorkflow("M", 3, "w0")}
    gone = only(a_policy(tiers=tiers()), workflows=workflows)
    assert gone[:2] == ("problem", "tiers")
    assert "Premium cannot go: it is what W0, W1, W2 and 2 more start from" in gone[2]
    asking = only(a_policy(), workflows={"w": KnownWorkflow("W", 3)})
    assert asking[:2] == ("warning", "tiers")
    assert "Premium needs approval, and W starts from it" in asking[2]
    otherwise = only(a_policy(otherwise=Outcome(tier=3)))
    assert otherwise[:2] == ("warning", "otherwise.tier")
    assert only(a_policy(tiers=[a_tier(1, "a/one", needs_approval=True)]))[:2] == ("warning", "tiers")


def a_budget(slug="b", **values):
    return KnownBudget(slug, slug.upper(), values.pop("scope", {}), values.pop("does", "downgrade"), **values)


@pytest.mark.parametrize(
    ("budget", "level", "sentence"),
    [
        ({"to_tier": 4}, "warning", "“B” moves calls to tier 4 once it is used up, which there is not"),
        ({"to_tier": 3}, "warning", "“B” moves calls to Premium once it is used up, and that needs approval"),
        ({"to_tier": 2, "scope": {"tier": "2"}}, "warning", "“B” is of Standard calls and moves them to Standard"),
        ({"to_tier": 2, "scope": {"tier": "1"}}, "warning", "“B” would move calls up to Standard once it is used up"),
    ],
)
def test_where_budgets_send_calls(budget, level, sentence):
    found = said(a_policy(), budgets=(a_budget(**budget),))
    assert found[0][:2] == (level, "budgets.b")
    assert found[0][2].startswith(sentence)


def test_a_tier_that_goes_while_a_budget_needs_it_is_a_problem():
    level, where, sentence = only(a_policy(tiers=tiers()), budgets=(a_budget(to_tier=3),))
    assert (level, where) == ("problem", "budgets.b")
    assert "moves calls to Premium once it is used up, and this policy has no such tier" in sentence


def test_budgets_that_send_calls_in_a_circle():
    down = a_budget("down", scope={"tier": "2"}, to_tier=1)
    up = a_budget("up", scope={"tier": "1"}, to_tier=2)
    level, where, sentence = only(a_policy(), budgets=(down, up))
    assert (level, where) == ("warning", "budgets.up")
    assert sentence.startswith(
        "“UP” and “DOWN” send calls round in a circle: one up to Standard, the other down to Economy."
    )
    assert said(a_policy(), budgets=(down, a_budget("all", to_tier=1))) == []


def test_the_highest_tier_moves_nothing():
    policy = a_policy(tiers=tiers())
    assert "none is served by a better tier" in only(policy, budgets=(a_budget(to_tier=2),))[2]


@pytest.mark.parametrize(
    ("does", "sentence"),
    [
        ({"does": "block"}, "calls under it are refused until 30 Nov."),
        ({"does": "throttle"}, "calls under it are slowed down until 30 Nov."),
        ({"does": "downgrade", "to_tier": 1}, "calls under it are served by Economy at best until 30 Nov."),
        ({"does": "require_approval"}, "calls under it need an approval until 30 Nov."),
        ({"does": "human_review"}, "calls under it wait for a person's look until 30 Nov."),
        ({"does": "summarize"}, "calls under it are asked to be made shorter until 30 Nov."),
    ],
)
def test_budgets_that_are_used_up(does, sentence):
    found = only(a_policy(), budgets=(a_budget(**does, is_exhausted=True, until="30 Nov"),))
    assert found == ("warning", "budgets.b", f"“B” is used up: whatever the rules say, {sentence}")
    assert said(a_policy(), budgets=(a_budget(does="alert", is_exhausted=True),)) == []


def test_problems_come_first_and_are_told_by_path():
    policy = a_policy(a_rule("x", tier=9), tiers=[a_tier(1, "b/new"), a_tier(2)])
    found = remarks(policy, known())
    assert [one.level for one in found] == ["problem", "problem", "warning"]
    assert set(problems(found)) == {"tiers.1.models", "rules.0.then.tier"}


@pytest.mark.django_db
def test_what_is_known_is_read_from_the_database(django_assert_max_num_queries):
    now = timezone.now()
    Team.objects.create(slug="content", name="Content")
    main = Workflow.objects.create(slug="seo", name="SEO", default_tier=2)
    Workflow.objects.create(slug="old", name="Old", status="merged", merged_into=main)
    budget = Budget.objects.create(
        slug="b", name="B", amount=10, on_exhausted="downgrade", action_settings={"tier": 1}, scope={"workflow": "seo"}
    )
    Budget.objects.create(slug="off", name="Off", amount=10, status="paused")
    day = timezone.timedelta(days=1)
    BudgetState.objects.create(
        budget=budget, period_start=now.date(), period_end=now.date(), starts_at=now - day, ends_at=now + day,
        limit=10, spent=10, status="exhausted",
    )  # fmt: skip
    entry = {"provider": "acme", "model": "acme-1", "input": Decimal(1), "output": Decimal(1)}
    PriceEntry.objects.create(**entry, valid_from=now - 9 * day, valid_to=now - day)
    policy = a_policy(tiers=[a_tier(1, "openai/gpt-4.1-mini", "acme/acme-1", "acme/unheard-of")])
    read_known(policy, now)
    with django_assert_max_num_queries(8):
        found = read_known(policy, now)
    assert found.workflows["seo"] == KnownWorkflow("SEO", 2)
    assert found.workflows["old"].counts_under == "seo"
    assert (found.teams, found.live_tiers[3]) == (frozenset({"content"}), "Premium")
    assert [(one.slug, one.to_tier, one.is_exhausted) for one in found.budgets] == [("b", 1, True)]
    assert found.budgets[0].until
    assert (found.priced, found.listed) == (
        {("openai", "gpt-4.1-mini")},
        {("openai", "gpt-4.1-mini"), ("acme", "acme-1")},
    )
    assert Organisation.get()


@pytest.mark.django_db
def test_the_ready_made_policy_is_without_remarks():
    policy = ready_made(first_tiers())
    assert remarks(policy, read_known(policy)) == []
    assert isinstance(policy.tiers[0].models[0], PolicyModel)


def test_a_week_of_minutes_is_laid_out_right():
    """Against counting each minute, for spans over midnight and over the week's end."""
    for start, to, days in (
        ("08:00", "17:30", [1, 5]),
        ("22:00", "06:00", [7]),
        ("00:00", "00:00", []),
        ("23:59", "00:00", [3]),
    ):
        begins, ends = (int(one[:2]) * 60 + int(one[3:]) for one in (start, to))
        length = (ends - begins) % 1440 or 1440
        held = {((day - 1) * 1440 + begins + n) % 10_080 for day in days or range(1, 8) for n in range(length)}
        assert minutes(TimeOfDay(start, to, days)) == sum(1 << minute for minute in held)


def test_as_many_rules_as_there_can_be_are_looked_through_while_somebody_waits():
    """Each rule is held against all before it, at each look at a draft and with each key that is typed in a form."""
    times = [
        a_rule(f"r{n}", {"time_of_day": {"from": "08:00", "to": f"{9 + n // 60:02}:{n % 60:02}", "days": [1, 2]}})
        for n in range(500)
    ]
    lists = [a_rule(f"r{n}", {"workflow": [f"w{n}-{m}" for m in range(200)]}) for n in range(500)]
    for rules in (times, lists):
        began = time.process_time()
        remarks(a_policy(*rules), known())
        assert time.process_time() - began < 3  # of forty with times it was half a second once
