"""Rules made, changed, ordered, archived and put back: history of each, and words for what cannot be."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User

from budgets.approvals.edit_rules import (
    InvalidRule,
    RefusedRule,
    RuleValues,
    StaleRule,
    archive_rule,
    change_rule,
    create_rule,
    move_rule,
    restore_rule,
    undo_rule,
    values_of,
)
from budgets.approvals.rules import live_rules
from budgets.audit.newest import newest_entry
from budgets.models import ApprovalRule, AuditEntry
from budgets.tests.asking import ACTOR, NOW, a_person, a_request, a_team, a_workflow, an_approver, by, dollars
from budgets.workflows.teams import RefusedTeam, delete_team

pytestmark = pytest.mark.django_db


def order() -> list[str]:
    return list(live_rules().values_list("name", flat=True))


def undo_newest(rule: ApprovalRule) -> ApprovalRule:
    return undo_rule(ACTOR, newest_entry(ApprovalRule, rule.pk))


def acts(rule: ApprovalRule) -> list[str]:
    rows = AuditEntry.objects.filter(object_type="budgets.approvalrule", object_id=str(rule.pk))
    return list(rows.order_by("position").values_list("act", flat=True))


def test_a_new_rule_comes_before_those_that_fit_everything():
    boss = a_person("Boss", "administrator")
    values = RuleValues(" Public  work ", ("budget", "premium"), a_team().slug, " Public ", dollars(50), "finance")
    rule = create_rule(by(boss), values, "Legal wants it")
    assert order() == ["Large amounts", "Public work", "Everything else"]
    stated = RuleValues("Public work", ("premium", "budget"), "content", "public", dollars(50), "finance")
    assert values_of(rule) == stated
    assert list(live_rules().values_list("position", flat=True)) == [1, 2, 3]
    entry = newest_entry(ApprovalRule, rule.pk)
    assert (entry.act, entry.who, entry.reason) == ("created", boss, "Legal wants it")
    assert RuleValues.of_json(entry.after) == stated
    create_rule(ACTOR, RuleValues("For all"))
    assert order() == ["Large amounts", "Public work", "For all", "Everything else"]


def test_changes_and_their_undo():
    lena, omar = an_approver("Lena"), an_approver("Omar")
    rule = live_rules().get(name="Everything else")
    before = values_of(rule)
    after = replace(before, name="The rest", people=("omar", "lena", "lena"), approvers_needed=2)
    changed = change_rule(ACTOR, rule, after)
    assert set(changed.people.all()) == {lena, omar}
    assert values_of(changed) == replace(after, people=("lena", "omar"))
    change_rule(ACTOR, changed, values_of(changed))  # nothing new
    assert acts(rule) == ["changed"]
    undo_newest(rule)
    rule.refresh_from_db()
    assert values_of(rule) == before
    assert acts(rule) == ["changed", "changed"]


def test_what_somebody_else_changed_is_not_overwritten():
    rule = live_rules().get(name="Everything else")
    seen = rule.edit_version
    change_rule(ACTOR, rule, replace(values_of(rule), name="Theirs"), expected_version=seen)
    for act in (
        lambda: change_rule(ACTOR, rule, replace(values_of(rule), name="Mine"), expected_version=seen),
        lambda: move_rule(ACTOR, rule, 1, expected_version=seen),
        lambda: archive_rule(ACTOR, rule, expected_version=seen),
    ):
        with pytest.raises(StaleRule, match="Nothing was saved") as raised:
            act()
        assert raised.value.rule.name == "Theirs"
    first = AuditEntry.objects.get(object_id=str(rule.pk), object_type="budgets.approvalrule")
    rule.refresh_from_db()
    change_rule(ACTOR, rule, replace(values_of(rule), name="Again"))
    with pytest.raises(StaleRule):
        undo_rule(ACTOR, first)


def test_moving_and_taking_it_back():
    for name in ("A", "B", "C"):
        create_rule(ACTOR, RuleValues(name, kinds=("budget",)))
    assert order() == ["Large amounts", "A", "B", "C", "Everything else"]
    rule = live_rules().get(name="C")
    move_rule(ACTOR, rule, 1)
    assert order() == ["C", "Large amounts", "A", "B", "Everything else"]
    move_rule(ACTOR, rule, 99)
    assert order() == ["Large amounts", "A", "B", "Everything else", "C"]
    move_rule(ACTOR, rule, -5)
    move_rule(ACTOR, rule, 1)  # is there already
    assert acts(rule) == ["created", "moved", "moved", "moved"]
    assert order()[0] == "C"
    undo_newest(rule)
    assert order() == ["Large amounts", "A", "B", "Everything else", "C"]


def test_archiving_restoring_and_their_undo():
    rule = live_rules().get(name="Large amounts")
    archive_rule(ACTOR, rule)
    assert order() == ["Everything else"]
    archive_rule(ACTOR, rule)
    with pytest.raises(RefusedRule, match="Restore it first"):
        change_rule(ACTOR, rule, replace(values_of(rule), name="X"))
    with pytest.raises(RefusedRule, match="no place"):
        move_rule(ACTOR, rule, 1)
    undo_newest(rule)
    assert sorted(order()) == ["Everything else", "Large amounts"]
    undo_newest(rule)  # of the restoring
    restore_rule(ACTOR, rule)
    assert acts(rule) == ["archived", "restored", "archived", "restored"]
    made = create_rule(ACTOR, RuleValues("Mine"))
    undo_newest(made)
    assert "Mine" not in order()


def test_a_restored_rule_is_where_it_was():
    rule = live_rules().get(name="Large amounts")
    archive_rule(ACTOR, rule)
    restore_rule(ACTOR, rule)
    assert order() == ["Large amounts", "Everything else"]


@pytest.mark.parametrize(
    ("field", "values", "said"),
    [
        ("name", {"name": "  "}, "Give the rule a name"),
        ("name", {"name": "x" * 129}, "at most 128"),
        ("name", {"name": "a\0"}, "cannot be stored"),
        ("name", {"name": "a\ud800"}, "cannot be stored"),
        ("kinds", {"kinds": ("nonsense",)}, "premium, budget, policy"),
        ("team", {"team": "nope"}, "There is no team “nope”"),
        ("team", {"team": "a\0"}, "There is no team"),
        ("risk_category", {"risk_category": "x" * 65}, "at most 64"),
        ("risk_category", {"risk_category": "\0"}, "cannot be stored"),
        ("above", {"above": -1}, "from zero up"),
        ("above", {"above": 10**19}, "from zero up"),
        ("above", {"above": True}, "from zero up"),
        ("role", {"role": "king"}, "Choose a role"),
        ("role", {"role": "viewer"}, "only looks"),
        ("people", {"people": ("nobody",)}, "nobody here called nobody"),
        ("people", {"people": ("a\0",)}, "cannot be stored"),
        ("people", {"people": tuple(f"p{n}" for n in range(51))}, "at most 50"),
        ("approvers_needed", {"approvers_needed": 3}, "1 or 2"),
        ("approvers_needed", {"approvers_needed": True}, "1 or 2"),
        ("lapses_after_hours", {"lapses_after_hours": 0}, "from 1 to 2,160"),
        ("lapses_after_hours", {"lapses_after_hours": 10**6}, "from 1 to 2,160"),
        ("second_after_hours", {"second_after_hours": 72}, "less than 72"),
        ("remind_before_hours", {"remind_before_hours": -1}, "less than 72"),
    ],
)
def test_every_field_is_checked_in_words(field, values, said):
    with pytest.raises(InvalidRule) as raised:
        create_rule(ACTOR, RuleValues(**{"name": "Mine"} | values))
    assert list(raised.value.problems) == [field]
    assert said in raised.value.problems[field]
    assert len(order()) == 2


def test_two_named_people_where_two_have_to():
    an_approver("Lena")
    with pytest.raises(InvalidRule, match="name at least two"):
        create_rule(ACTOR, RuleValues("Two", people=("lena",), approvers_needed=2))


def test_somebody_named_who_left_may_stay_but_not_be_named_anew():
    lena = an_approver("Lena")
    rule = create_rule(ACTOR, RuleValues("Hers", people=("lena",)))
    User.objects.filter(pk=lena.pk).update(is_active=False)
    change_rule(ACTOR, rule, replace(values_of(rule), above=5))
    with pytest.raises(InvalidRule, match="nobody here called lena"):
        create_rule(ACTOR, RuleValues("Also hers", people=("lena",)))


def test_a_change_counts_for_what_is_asked_after_it():
    a_workflow(team=a_team())
    lena = an_approver("Lena")
    earlier = a_request(by(lena))
    rule = live_rules().get(name="Everything else")
    change_rule(ACTOR, rule, replace(values_of(rule), approvers_needed=2, lapses_after_hours=100))
    earlier.refresh_from_db()
    later = a_request(by(lena))
    assert (earlier.approvers_needed, later.approvers_needed) == (1, 2)
    assert (later.lapses_at - NOW).total_seconds() == 100 * 3600


def test_a_team_that_rules_requests_and_people_hang_on_stays():
    team = a_team()
    an_approver("Lena", team)
    create_rule(ACTOR, RuleValues("Theirs", team=team.slug))
    with pytest.raises(RefusedTeam, match="1 role of a person and 1 approval rule belong to it"):
        delete_team(ACTOR, team)
