"""Rows for tests of the pages: rollups, budget states and series written directly, as fold and evaluation would."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from budgets.limits.calendar import day_of, day_starts_at, period_bounds, quarter_hour
from budgets.models import NANO, Budget, BudgetSeries, BudgetState, Organisation, Team, Workflow
from usage.models import IngestBatch, QuarterHour
from usage.rollups.days import make_days_anew
from usage.tests.rows import usage_row

__all__ = ["arrived", "at", "budget_with", "fill_company", "shaped", "summed", "usage_row"]
MODELS = (
    ("anthropic", "claude-sonnet-4-5", 2, 300),
    ("openai", "gpt-4.1", 2, 168),
    ("anthropic", "claude-opus-4-1", 3, 322),
    ("openai", "gpt-4.1-mini", 1, 127),
    ("google", "gemini-2.5-flash", 1, 59),
    ("mistral", "mistral-small-3.2-24b-instruct", 1, 29),
    ("openai", "text-embedding-3-small", 1, 17),
)
WORKFLOWS = (
    ("ad-copy", "Ad copy variations", "Performance", 348),
    ("translation", "Translation", "Content", 123),
    ("reply-assistant", "Customer reply assistant", "Support", 178),
    ("campaign-briefs", "Campaign briefs", "Brand", 120),
    ("blog-seo", "Blog and SEO drafts", "Content", 169),
    ("social-digest", "Social listening digest", "Insights", 60),
)


def arrived(at: datetime, events: int = 1, folded: bool = True) -> IngestBatch:
    """A committed ingest transaction."""
    return IngestBatch.objects.create(
        source_id=1, received_at=at, generation=1, events=events, folded_at=at if folded else None
    )


def summed(rows: Iterable[QuarterHour]) -> None:
    """Quarter hours, and the days that they sum to in the organisation's zone."""
    QuarterHour.objects.bulk_create(rows)
    make_days_anew(Organisation.get().time_zone)


def budget_with(
    name: str,
    limit: int,
    daily: dict[date, int],
    now: datetime,
    organisation: Organisation | None = None,
    **more: object,
) -> Budget:
    """A budget, its series (one row each day at noon) and its state at `now`, as evaluation leaves them."""
    organisation = organisation or Organisation.get()
    zone, slug = organisation.zone, str(more.pop("slug", name.lower().replace(" ", "-")))
    budget = Budget.objects.create(name=name, slug=slug, amount=limit, opened_generation=1, generation=1, **more)
    bounds = period_bounds(budget.period, day_of(now, zone), zone, budget.starts_on, budget.ends_on)
    BudgetSeries.objects.bulk_create(
        BudgetSeries(
            budget=budget,
            bucket=min(day_starts_at(day, zone) + timedelta(hours=12), quarter_hour(now)),
            amount=used,
            calls=max(1, used // NANO * 12),
        )
        for day, used in daily.items()
        if used
    )
    spent = sum(used for day, used in daily.items() if bounds.first <= day <= bounds.last)
    crossed = max((one for one in budget.thresholds if spent * 100 >= limit * one), default=0)
    status = "exhausted" if spent >= limit else "warning" if crossed else "under"
    BudgetState.objects.create(
        budget=budget,
        period_start=bounds.first,
        period_end=bounds.last,
        starts_at=bounds.starts_at,
        ends_at=bounds.ends_at,
        limit=limit,
        spent=spent,
        calls=spent // NANO * 12,
        crossed=crossed,
        status=status,
    )
    return budget


def shaped(day: date, weight: int) -> int:
    """Nano-dollars of a usual day: weekends are quiet, the eleventh has a peak, and no two days are alike."""
    usual = NANO * weight * (35 if day.weekday() > 4 else 92 + day.toordinal() * 7 % 17) // 100
    return usual * 16 // 10 if day.day == 11 else usual


def fill_company(now: datetime, limits: tuple[int, ...] = (6150, 3000, 5500, 4000, 6000, 3500)) -> Organisation:
    """Sixty days of a marketing company up to `now`: seven models, six workflows with budgets, an unclaimed one."""
    organisation = Organisation.get()
    zone, today = organisation.zone, day_of(now, organisation.zone)
    days = [today - timedelta(days=i) for i in range(60, -1, -1)]
    rows: list[QuarterHour] = []
    for number, (slug, name, team_name, weight) in enumerate(WORKFLOWS):
        team, _ = Team.objects.get_or_create(slug=team_name.lower(), defaults={"name": team_name})
        workflow = Workflow.objects.create(slug=slug, name=name, team=team, status="production")
        daily = {day: shaped(day, weight) if day < today else shaped(day, weight) // 3 for day in days}
        for day, used in daily.items():
            for provider, model, tier, part in MODELS:
                rows.append(
                    usage_row(
                        min(day_starts_at(day, zone) + timedelta(hours=12), now),
                        cost=used * part // sum(m[3] for m in MODELS),
                        model=model,
                        workflow_id=workflow.pk,
                        provider=provider,
                        tier=tier,
                        team=team.slug,
                        calls=used * part // (NANO * (18 if tier == 3 else 4)) + 1,
                    )
                )
        action = "block" if number == 0 else "downgrade"
        budget_with(name, limits[number] * NANO, daily, now, scope={"workflow": slug}, slug=slug, on_exhausted=action)
    stray = Workflow.objects.create(slug="newsletter-test", name="newsletter-test", status="discovered")
    rows.append(usage_row(now - timedelta(hours=5), 38 * NANO, workflow_id=stray.pk, calls=412))
    rows.append(
        usage_row(
            now - timedelta(hours=4),
            model="acme-writer-7b",
            provider="acme",
            calls=1204,
            unpriced=1204,
            workflow_id=stray.pk + 0,
        )
    )
    summed(rows)
    arrived(now - timedelta(seconds=4), 250)
    return organisation


def at(text: str) -> datetime:
    """An instant from its ISO text, UTC where that does not say."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)
