"""Make, change, order and archive the rules of who decides what, and undo that: a row of history for each.

A change counts for requests that are asked from then on; who decides a waiting one is as its rule says now, how many
people have to stays as it was when it was asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from budgets.approvals.rules import live_rules
from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.limits.values import MOST
from budgets.models import ApprovalRequest, ApprovalRule, AuditEntry, Role, Team

RULES_LOCK = 7_061_040  # advisory lock number: one editor of the rules at a time, since they have an order
LONGEST_NAME, LONGEST_RISK = 128, 64
MOST_HOURS = 24 * 90
MOST_PEOPLE, MOST_RULES = 50, 200
MOVED = "moved"


@dataclass(frozen=True, slots=True)
class RuleValues:
    """What a person states of a rule. `team` is a slug ("" any), `people` user names, `above` nano-dollars or None."""

    name: str
    kinds: tuple[str, ...] = ()
    team: str = ""
    risk_category: str = ""
    above: int | None = None
    role: str = Role.APPROVER.value
    people: tuple[str, ...] = ()
    approvers_needed: int = 1
    second_after_hours: int = 8
    remind_before_hours: int = 12
    lapses_after_hours: int = 72

    @property
    def fits_all(self) -> bool:
        """Whether it has no condition, so that nothing after it is ever used."""
        return not (self.kinds or self.team or self.risk_category) and self.above is None

    def tidied(self) -> "RuleValues":
        """The same in its one written form."""
        return replace(
            self,
            name=" ".join(self.name.split()),
            kinds=tuple(kind for kind in ApprovalRequest.Kind.values if kind in self.kinds),
            team=self.team.strip(),
            risk_category=self.risk_category.strip().lower(),
            people=tuple(sorted({one.strip() for one in self.people if one.strip()})),
        )

    def as_json(self) -> dict[str, Any]:
        """For the history."""
        return asdict(self) | {"kinds": list(self.kinds), "people": list(self.people)}

    @classmethod
    def of_json(cls, stated: dict[str, Any]) -> "RuleValues":
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in stated.items() if name in known}
        return cls(**values | {"kinds": tuple(values.get("kinds", ())), "people": tuple(values.get("people", ()))})


class InvalidRule(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class RefusedRule(Exception):
    """What cannot be done with this rule now; the message says why."""


class StaleRule(Exception):
    """Somebody else changed the rule since it was read; `rule` is how it is now. Nothing was saved."""

    def __init__(self, rule: ApprovalRule) -> None:
        super().__init__("Somebody changed this rule meanwhile. Nothing was saved; look at it again and repeat.")
        self.rule = rule


def values_of(rule: ApprovalRule) -> RuleValues:
    """What is stated about a rule now."""
    return RuleValues(
        name=rule.name,
        kinds=tuple(kind for kind in ApprovalRequest.Kind.values if kind in rule.kinds),
        team=rule.team.slug if rule.team else "",
        risk_category=rule.risk_category,
        above=rule.above,
        role=rule.role,
        people=tuple(sorted(rule.people.values_list("username", flat=True))),
        approvers_needed=rule.approvers_needed,
        second_after_hours=rule.second_after_hours,
        remind_before_hours=rule.remind_before_hours,
        lapses_after_hours=rule.lapses_after_hours,
    )


def create_rule(actor: Actor, values: RuleValues, reason: str = "") -> ApprovalRule:
    """Make a rule, before those without conditions, behind which it would never be used. Raises InvalidRule."""
    with _editing():
        values = _checked(values)
        if live_rules().count() >= MOST_RULES:
            raise InvalidRule({"name": f"There are {MOST_RULES} rules already. Archive some first."})
        rule = ApprovalRule(position=0)
        _save(rule, values)
        others = [one for one in live_rules() if one.pk != rule.pk]
        place = next((n for n, one in enumerate(others) if values_of(one).fits_all), len(others))
        _order([*others[:place], rule, *others[place:]])
        record(actor, "created", rule, None, values.as_json(), reason)
    return rule


def change_rule(
    actor: Actor, rule: ApprovalRule, values: RuleValues, reason: str = "", expected_version: int | None = None
) -> ApprovalRule:
    """Save new values; those that change nothing leave no history. Raises InvalidRule, StaleRule, RefusedRule."""
    with _editing():
        row = _locked(rule, expected_version)
        before = values_of(row)
        if row.archived_at is not None:
            raise RefusedRule("This rule is archived. Restore it first, or make a new one.")
        values = _checked(values, before)
        if values == before:
            return row
        _save(row, values)
        record(actor, "changed", row, before.as_json(), values.as_json(), reason)
    return row


def move_rule(
    actor: Actor, rule: ApprovalRule, place: int, reason: str = "", expected_version: int | None = None
) -> ApprovalRule:
    """Put it at `place` among the rules in force, from 1; beyond the end is the last. Raises StaleRule, RefusedRule."""
    with _editing():
        row = _locked(rule, expected_version)
        if row.archived_at is not None:
            raise RefusedRule("This rule is archived, so it has no place among the others.")
        everything = list(live_rules())
        was = [one.pk for one in everything].index(row.pk) + 1
        others = [one for one in everything if one.pk != row.pk]
        place = max(1, min(place, len(everything)))
        if place == was:
            return row
        _order([*others[: place - 1], row, *others[place - 1 :]])
        row.edit_version += 1
        row.save(update_fields=["edit_version"])
        record(actor, MOVED, row, {"place": was}, {"place": place}, reason)
    return row


def archive_rule(
    actor: Actor, rule: ApprovalRule, reason: str = "", expected_version: int | None = None
) -> ApprovalRule:
    """Take it out of use; requests that wait under it go on as it says. Raises StaleRule."""
    return _turn(actor, rule, True, reason, expected_version)


def restore_rule(
    actor: Actor, rule: ApprovalRule, reason: str = "", expected_version: int | None = None
) -> ApprovalRule:
    """Have it in use again, at the place it had as far as there is one. Raises StaleRule."""
    return _turn(actor, rule, False, reason, expected_version)


def undo_rule(actor: Actor, entry: AuditEntry) -> ApprovalRule:
    """Restore how a rule was before `entry`, its newest row of history. Raises StaleRule, RefusedRule, InvalidRule."""
    with _editing():
        rule = ApprovalRule.objects.filter(pk=int(entry.object_id)).first()
        if rule is None:
            raise RefusedRule("This rule is gone.")
        newest = newest_entry(ApprovalRule, rule.pk)
        if newest is None or newest.pk != entry.pk:
            raise StaleRule(rule)
        reason = f"Undo of “{entry.act}” by {entry.who_text}"[:500]
        if entry.act in {"created", "restored"}:
            return archive_rule(actor, rule, reason)
        if entry.act == "archived":
            return restore_rule(actor, rule, reason)
        before = entry.before or {}
        if entry.act == MOVED:
            return move_rule(actor, rule, int(before["place"]), reason)
        return change_rule(actor, rule, RuleValues.of_json(before), reason)


@contextmanager
def _editing() -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RULES_LOCK])
        yield


def _locked(rule: ApprovalRule, expected_version: int | None) -> ApprovalRule:
    row = ApprovalRule.objects.select_for_update(of=("self",), no_key=True).get(pk=rule.pk)
    if expected_version is not None and row.edit_version != expected_version:
        raise StaleRule(row)
    return row


def _save(rule: ApprovalRule, values: RuleValues) -> None:
    rule.name, rule.kinds, rule.risk_category = values.name, list(values.kinds), values.risk_category
    rule.team = Team.objects.get(slug=values.team) if values.team else None
    rule.above, rule.role, rule.approvers_needed = values.above, values.role, values.approvers_needed
    rule.second_after_hours, rule.remind_before_hours = values.second_after_hours, values.remind_before_hours
    rule.lapses_after_hours = values.lapses_after_hours
    rule.edit_version += 1 if rule.pk else 0
    rule.save()
    rule.people.set(User.objects.filter(username__in=values.people))


def _order(rules: list[ApprovalRule]) -> None:
    for position, one in enumerate(rules, start=1):
        one.position = position
    ApprovalRule.objects.bulk_update(rules, ["position"])


def _turn(actor: Actor, rule: ApprovalRule, away: bool, reason: str, expected_version: int | None) -> ApprovalRule:
    with _editing():
        row = _locked(rule, expected_version)
        if (row.archived_at is not None) is away:
            return row
        row.archived_at = timezone.now() if away else None
        if not away:
            last = live_rules().aggregate(last=Max("position", default=0))["last"]
            row.position = min(row.position, last + 1)
        row.edit_version += 1
        row.save()
        _order(list(live_rules()))
        stands, stood = ("archived", "in use") if away else ("in use", "archived")
        record(actor, "archived" if away else "restored", row, {"status": stood}, {"status": stands}, reason)
        row.refresh_from_db()
    return row


def _checked(values: RuleValues, before: RuleValues | None = None) -> RuleValues:
    """In its one written form. Whoever was named before may stay, though they left. Raises InvalidRule."""
    unknown = [kind for kind in values.kinds if kind not in ApprovalRequest.Kind.values]
    values = values.tidied()
    found = {
        "name": _problem_with_name(values.name),
        "kinds": "Choose from: premium, budget, policy; none for every kind." if unknown else "",
        "team": f"There is no team “{values.team}”." if values.team and not _is_team(values.team) else "",
        "risk_category": _problem_with_risk(values.risk_category),
        "above": "" if values.above is None or _within(values.above, 0, MOST) else "Give an amount from zero up.",
        "role": _problem_with_role(values),
        "people": _problem_with_people(values, before),
        "approvers_needed": "" if _within(values.approvers_needed, 1, 2) else "One person decides, or two: 1 or 2.",
        **_problems_with_hours(values),
    }
    problems = {name: said for name, said in found.items() if said}
    if problems:
        raise InvalidRule(problems)
    return values


def _problem_with_name(name: str) -> str:
    if not name:
        return "Give the rule a name, for example “Above $500”."
    if not _storable(name):
        return "The name holds a character that cannot be stored."
    return f"The name is too long: at most {LONGEST_NAME} characters." if len(name) > LONGEST_NAME else ""


def _problem_with_risk(risk: str) -> str:
    if not _storable(risk):
        return "The risk category holds a character that cannot be stored."
    return f"A risk category has at most {LONGEST_RISK} characters." if len(risk) > LONGEST_RISK else ""


def _problem_with_role(values: RuleValues) -> str:
    if values.role not in Role.values:
        return f"Choose a role from: {', '.join(Role.values)}."
    if values.role == Role.VIEWER:
        return "A viewer only looks. Choose the role Approver, or another that decides."
    return ""


def _problem_with_people(values: RuleValues, before: RuleValues | None) -> str:
    if not values.people:
        return ""
    if len(values.people) > MOST_PEOPLE:
        return f"Name at most {MOST_PEOPLE} people, or leave it to a role."
    if not all(_storable(one) for one in values.people):
        return "A name holds a character that cannot be stored."
    kept = set(before.people) if before else set()
    known = set(User.objects.filter(username__in=values.people, is_active=True).values_list("username", flat=True))
    missing = [one for one in values.people if one not in known | kept]
    if missing:
        return f"There is nobody here called {', '.join(missing[:3])}."
    if len(values.people) < values.approvers_needed:
        return "Two people have to approve, so name at least two; three, where one of them may ask."
    return ""


def _problems_with_hours(values: RuleValues) -> dict[str, str]:
    lapses = values.lapses_after_hours
    if not _within(lapses, 1, MOST_HOURS):
        return {"lapses_after_hours": f"Give whole hours from 1 to {MOST_HOURS:,}."}
    shorter = f"Give whole hours from 0 (never) to less than {lapses}, when the request lapses."
    return {
        name: "" if _within(getattr(values, name), 0, lapses - 1) else shorter
        for name in ("second_after_hours", "remind_before_hours")
    }


def _within(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_team(slug: str) -> bool:
    return _storable(slug) and Team.objects.filter(slug=slug).exists()


def _storable(text: str) -> bool:
    return "\0" not in text and text.encode("utf-8", "ignore").decode() == text
