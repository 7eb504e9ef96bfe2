"""Have every rule look, and write what it found. Each rule in a transaction of its own, so that none stops another."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from budgets.access.problems import what_failed
from budgets.alerts.tell import resolve, tell, tell_again
from budgets.alerts.thresholds import Thresholds, untold
from budgets.currency.shown import DOLLARS, organisations, show
from budgets.models import Alert, AlertRule, Crossing
from routing.alerts.triggers import TRIGGERS

LONGEST = "20s"  # a statement of one rule must not hold up the others
MEMORY = "64MB"  # for sums of many cells, which would go through files otherwise
GIVEN_UP = timedelta(days=1)  # a crossing that a faulty rule could not be told of
OPEN = Alert.objects.filter(rule=OuterRef("pk"), resolved_at=None)


@dataclass(frozen=True, slots=True)
class Looked:
    """How many rules looked, how many alerts are new, over or told again, and how many rules failed."""

    rules: int = 0
    raised: int = 0
    resolved: int = 0
    again: int = 0
    failed: int = 0

    def __add__(self, other: "Looked") -> "Looked":
        return Looked(
            self.rules + other.rules,
            self.raised + other.raised,
            self.resolved + other.resolved,
            self.again + other.again,
            self.failed + other.failed,
        )


def look(now: datetime | None = None) -> Looked:
    """All rules whose turn it is. Run it twice or by several at once: each cause is told once all the same."""
    now = now or datetime.now(UTC)
    done = look_at_crossings(now)
    due = [row for row in _rules() if _is_due(row, now)]
    return done + _look_at(due, now, wait=False)


def look_at_crossings(now: datetime | None = None) -> Looked:
    """At once what evaluation found; nothing to do costs one small statement."""
    now = now or datetime.now(UTC)
    ids = untold()
    if not ids:
        return Looked()
    seen = Crossing.objects.filter(pk__in=ids, told_at=None)
    concerned = {"", None, *seen.values_list("budget__slug", flat=True)}
    rules = [row for row in _rules() if row.trigger == Thresholds.key and row.options.get("budget") in concerned]
    done = _look_at(rules, now, wait=True)
    if done.failed:
        seen = seen.filter(raised_at__lt=now - GIVEN_UP)
    seen.update(told_at=now)
    return done


def _rules() -> list[AlertRule]:
    """Those in use, and those archived with alerts that are not over."""
    return list(AlertRule.objects.filter(Q(archived_at=None) | Exists(OPEN)).order_by("pk"))


def _is_due(rule: AlertRule, now: datetime) -> bool:
    trigger = TRIGGERS.get(rule.trigger)
    # A little less, since beat is not to the millisecond.
    return trigger is None or rule.looked_at is None or now - rule.looked_at >= trigger.every - timedelta(seconds=2)


def _look_at(rules: Iterable[AlertRule], now: datetime, wait: bool) -> Looked:
    done = Looked()
    show(organisations)
    try:
        for rule in rules:
            try:
                done += _look(rule.pk, now, wait)
            except Exception as error:
                said = f"It could not be looked at. {what_failed(error, f'Alert rule {rule.pk}')}"
                AlertRule.objects.filter(pk=rule.pk).update(problem=said[:500], looked_at=now)
                done += Looked(rules=1, failed=1)
    finally:
        show(DOLLARS)
    return done


@transaction.atomic
def _look(pk: int, now: datetime, wait: bool) -> Looked:
    """One rule: what is new, what is over, what was snoozed until now. Another looker's rule is left to it, or waited
    for: what it did not see yet must be told by this one."""
    rule = AlertRule.objects.select_for_update(no_key=True, skip_locked=not wait).filter(pk=pk).first()
    if rule is None:
        return Looked()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('work_mem', %s, true)", [LONGEST, MEMORY]
        )
    trigger = TRIGGERS[rule.trigger]
    told = [] if rule.archived_at else tell(rule, trigger.find(rule, now), now)
    standing = list(Alert.objects.filter(rule=rule, resolved_at=None))
    resolved = resolve(rule, trigger.over(rule, standing, now), now) if standing else []
    again = tell_again(rule, now)
    AlertRule.objects.filter(pk=pk).update(problem="", looked_at=now)
    return Looked(1, len(told), len(resolved), len(again))
