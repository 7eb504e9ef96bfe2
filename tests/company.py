"""A company with one of everything that pages show, for tests that go through all of them."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

from django.contrib.auth.models import User

from budgets.access.keys import make_key
from budgets.audit.record import Actor, record
from budgets.models import (
    NANO,
    Budget,
    CurrencyRate,
    Organisation,
    PlanLine,
    PlannedActivity,
    Source,
    Team,
    Workflow,
)
from reports.tests.rows import budget_with, fill_company
from usage.models import OtherCost, PriceEntry, PriceRefresh, QuarantinedItem, RepriceRun
from usage.tests.imports_made import checked


def one_of_everything(now: datetime) -> SimpleNamespace:
    """The company of `fill_company` with a pool, a plan, costs, rates, keys, imports and so on; ids for addresses."""
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})
    organisation = fill_company(now)
    lena = User.objects.create_superuser(
        "lena", password="a-long-horse-for-tests", first_name="Lena", last_name="Kraus"
    )
    actor = Actor(lena, "lena", "web")
    team = Team.objects.order_by("pk").first()
    made = SimpleNamespace(organisation=organisation, user=lena, actor=actor, team=team)
    add_budgets(made, now)
    add_money(made, now)
    add_prices(made, now)
    add_arrivals(made, now)
    return made


def add_budgets(made: SimpleNamespace, now: datetime) -> None:
    """A pool with a child, an archived budget, a plan, activities, a change in the history."""
    today = made.organisation.local(now).date()
    made.pool = budget_with(
        "Marketing pool", 9000 * NANO, {today: 120 * NANO}, now, sharing="demand", scope={"environment": "staging"}
    )
    made.child = budget_with(
        "Pool child", 900 * NANO, {today: 20 * NANO}, now, pool=made.pool, scope={"environment": "staging"}
    )
    made.archived = Budget.objects.create(slug="old", name="Old one", amount=NANO, status="archived")
    month = today.replace(day=1)
    for n in range(-2, 4):
        at = (month + timedelta(days=31 * n + 15)).replace(day=1)
        PlanLine.objects.get_or_create(month=at, team=made.team, defaults={"amount": (4000 + n) * NANO})
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    made.activity = PlannedActivity.objects.create(
        name="Spring launch", kind="launch", team=made.team, starts_at=noon, ends_at=noon + timedelta(days=2)
    )
    PlannedActivity.objects.create(
        name="Batch night", kind="batch", starts_at=noon - timedelta(days=10), ends_at=noon - timedelta(days=9.5),
        is_all_day=False, recurrence="FREQ=WEEKLY;BYDAY=FR", expects="more", factor=Decimal(2),
    )  # fmt: skip
    record(made.actor, "changed", made.child, {"amount": 800 * NANO}, {"amount": 900 * NANO}, "Q4 launch")


def add_money(made: SimpleNamespace, now: datetime) -> None:
    """Rates and other costs."""
    today = made.organisation.local(now).date()
    made.rate = CurrencyRate.objects.create(
        currency="EUR", day=today - timedelta(days=3), per_dollar=Decimal("0.92"), origin="ECB"
    )
    made.cost = OtherCost.objects.create(
        name="Assistant seats", kind="seats", vendor="Acme", team=made.team, amount=600 * NANO, cost=600 * NANO,
        first_day=today.replace(day=1), last_day=today,
    )  # fmt: skip
    OtherCost.objects.create(
        name="Goodwill", kind="credit", amount=-50 * NANO, cost=-50 * NANO, first_day=today, last_day=today
    )


def add_prices(made: SimpleNamespace, now: datetime) -> None:
    """A published price and one of our own, a refresh that waits, a re-price run that is previewed."""
    began = now - timedelta(days=90)
    if not PriceEntry.objects.filter(provider="openai", model="gpt-4.1").exists():  # a flush takes the seeded ones
        PriceEntry.objects.create(
            provider="openai", model="gpt-4.1", valid_from=began, origin="genai-prices", input=2, output=8
        )
    made.price = PriceEntry.objects.create(
        provider="openai", model="gpt-4.1", valid_from=now - timedelta(days=20), origin="override",
        input=Decimal("1.6"), output=Decimal("6.4"), origin_note="20 % off",
    )  # fmt: skip
    values = {"provider": "openai", "model": "gpt-4.1-mini", "service_tier": "standard", "valid_to": None}
    values |= {"valid_from": began.isoformat(), "before": {"input": "0.4"}, "after": {"input": "0.3"}}
    made.refresh = PriceRefresh.objects.create(package="genai-prices 0.0.99", digest="x", changed=[values])
    made.reprice = RepriceRun.objects.create(
        starts_at=began, ends_at=now, calls=12, corrected=10, still_unpriced=2, before=0, after=3 * NANO,
        preview=[{"workflow": "ad-copy", "calls": 10, "unpriced": 10, "before": 0, "after": 3 * NANO}],
        requested_by="lena",
    )  # fmt: skip


def add_arrivals(made: SimpleNamespace, now: datetime) -> None:
    """A key, a refused event, a file with errors."""
    made.key, _ = make_key("Gateway", ["ingest", "bundle"], source="gateway", created_by=made.user)
    source = Source.objects.get(slug="gateway")
    made.item = QuarantinedItem.objects.create(
        source_id=source.pk, event_id="e-1", code="invalid", body='{"id": "e-1", "time": "2026-11-18T09:30:00Z"}',
        problem={"title": "Event refused", "detail": "Say which model served the call.", "field": "model"},
        body_digest=b"0" * 16,
    )  # fmt: skip
    lines = "id,time,model,input_tokens\na,2026-11-01T10:00:00Z,gpt-4.1,12\nb,yesterday,gpt-4.1,12\n"
    made.imported = checked(lines)


def pages(made: SimpleNamespace, today: date) -> list[str]:
    """The address of every page there is, with something on it."""
    return [
        "/", "/?chart=total", "/?period=7d", "/welcome/", "/welcome/?step=usage", "/menu/", "/api/", "/budgets/",
        "/budgets/?status=archived", "/budgets/?q=nothing-is-called-so", "/budgets/new/", "/budgets/ad-copy/",
        "/budgets/ad-copy/edit/", "/budgets/ad-copy/archive/", "/budgets/ad-copy/models/", "/overview/live/",
        "/budgets/marketing-pool/", "/budgets/pool-child/", "/pools/", "/pools/new/", "/pools/marketing-pool/",
        "/pools/marketing-pool/share-out/", "/plan/", "/plan/budgets/", f"/plan/{today.year}/teams/{made.team.slug}/",
        f"/plan/{today.year}/copy/", f"/plan/{today.year}/no-team/", "/calendar/", "/calendar/?view=list",
        "/calendar/new/", "/calendar/import/", f"/calendar/{made.activity.pk}/", "/workflows/",
        "/workflows/?q=nothing-is-called-so", "/workflows/new/", "/workflows/unassigned/", "/workflows/ad-copy/",
        "/workflows/newsletter-test/", "/workflows/ad-copy/edit/", "/workflows/newsletter-test/merge/",
        "/workflows/newsletter-test/merge/?into=ad-copy", "/data/", "/data/quarantine/",
        f"/data/quarantine/{made.item.pk}/", "/history/", "/history/?origin=web", "/settings/",
        f"/settings/close/?before={today.replace(day=1)}", "/settings/open/", "/settings/teams/",
        "/settings/teams/new/", f"/settings/teams/-/{made.team.slug}/", "/settings/sources/",
        "/settings/sources/gateway/", "/settings/keys/", "/settings/keys/new/", f"/settings/keys/{made.key.pk}/",
        f"/settings/keys/{made.key.pk}/edit/", f"/settings/keys/{made.key.pk}/rotate/",
        f"/settings/keys/{made.key.pk}/revoke/", "/settings/prices/", "/settings/prices/new/",
        "/settings/prices/model/?provider=openai&model=gpt-4.1", f"/settings/prices/{made.price.pk}/edit/",
        "/settings/prices/discount/", "/settings/prices/refresh/", "/settings/prices/reprice/",
        f"/settings/prices/reprice/{made.reprice.pk}/", "/settings/costs/", "/settings/costs/new/",
        f"/settings/costs/{made.cost.pk}/", "/settings/rates/", f"/settings/rates/{made.rate.pk}/",
        "/settings/imports/", f"/settings/imports/{made.imported.pk}/",
    ]  # fmt: skip
