"""A company whose calls lie on every edge that a total can get wrong, sent through ingest, import and re-pricing."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from budgets.audit.record import Actor
from budgets.limits.edit import BudgetValues, create_budget
from budgets.limits.evaluate import evaluate_due
from budgets.models import NANO, Budget, CurrencyRate, Organisation, PlanLine, Team, Workflow
from budgets.organisation.edit import close_days
from budgets.plan.edit import PlanValue, set_lines
from budgets.pools.membership import join_pool, set_sharing
from budgets.workflows.claim import ignore_workflow
from budgets.workflows.merge import merge_workflow
from usage.costs.edit import create_costs
from usage.costs.values import CostValues
from usage.ledger import partitions
from usage.ledger.opening import open_due
from usage.models import Import, OtherCost, PriceEntry, RepriceRun, Run
from usage.outcomes.apply import apply_outcomes
from usage.outcomes.decode import decode_many
from usage.outcomes.take import Taking
from usage.prices.reprice import carry_out, confirm, preview
from usage.rollups.fold import fold_all
from usage.rollups.zone import follow_time_zone
from usage.tests.events import a_sender, take
from usage.tests.imports_made import checked, imported, undone

ZONES = ("UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York")
FISCAL = {"UTC": 1, "Asia/Kolkata": 4, "Asia/Kathmandu": 7, "America/New_York": 2}
ME = Actor.command("test")
PER_DOLLAR = "0.9137"
CLOSED = date(2026, 11, 1)  # days before it
CLOSED_FROM: list[int] = []  # the generation from which they were
BEGAN = datetime(2026, 2, 20, 12, tzinfo=UTC)
# Days whose midnights matter: month ends, and those around the changes of clocks on 8 March and 1 November.
SPRING = (date(2026, 3, 1), date(2026, 3, 4), date(2026, 3, 8), date(2026, 3, 9), date(2026, 3, 11))
AUTUMN = (date(2026, 10, 1), date(2026, 10, 29), date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2))
LATER = (date(2026, 11, 3), date(2026, 11, 4), date(2026, 11, 5))
CHANGES = tuple(
    datetime(2026, *when, tzinfo=UTC)
    for when in ((3, 8, 6, 59, 59, 999_999), (3, 8, 7), (11, 1, 5, 30), (11, 1, 5, 59, 59, 999_999), (11, 1, 6, 30))
)
INSTANT = timedelta(microseconds=1)
MODELS = (
    ("acme", "m-large", 3, "3", "15"),
    ("acme", "m-mid", 2, "1.1", "4.4"),
    ("acme", "m-small", 1, "0.15", "0.6"),
    ("bolt", "b-large", 3, "2.5", "10"),
    ("bolt", "b-mid", 2, "0.8", "3.2"),
    ("bolt", "b-small", 1, "0.07", "0.3"),
    ("acme", "m-soon", 2, "", ""),
    ("", "m-ghost", 0, "", ""),
)
HALF_CENT = ("acme", "m-half", 1, "1", "0")  # $60.125: alone on its days, so that halves of a cent show  # fmt: skip
NAMED = ("briefs", "seo", "reply", "briefs-old", "sandbox", "newsletter", "")
# What each budget covers, counts and over which time; all of them also limit what pages show as spent.
SCOPES: tuple[tuple[str, dict[str, str], str, str], ...] = (
    ("All", {}, "money", "month"), ("All today", {}, "money", "day"), ("All week", {}, "tokens", "week"),
    ("All quarter", {}, "calls", "quarter"), ("All year", {}, "money", "year"), ("Sprint", {}, "money", "fixed"),
    ("Autumn", {}, "tokens", "fixed"), ("Growth", {"team": "growth"}, "money", "month"),
    ("Brand", {"team": "brand"}, "tokens", "quarter"), ("Briefs", {"workflow": "briefs"}, "money", "month"),
    ("Briefs calls", {"workflow": "briefs"}, "calls", "week"),
    ("Old briefs", {"workflow": "briefs-old"}, "money", "month"),
    ("Nameless", {"workflow": "unassigned"}, "money", "month"),
    ("Staging", {"environment": "staging"}, "money", "week"), ("Ada", {"user": "ada"}, "money", "month"),
    ("Shop", {"customer": "shop"}, "money", "quarter"), ("Large", {"model": "m-large"}, "money", "month"),
    ("Bolt", {"provider": "bolt"}, "calls", "month"), ("Premium", {"tier": "3"}, "money", "day"),
    ("Spring", {"tag": "launch=spring"}, "money", "month"), ("Portal", {"application": "portal"}, "tokens", "month"),
    ("Growth large", {"team": "growth", "model": "m-large"}, "money", "month"),
    ("Ada briefs", {"user": "ada", "workflow": "briefs"}, "money", "month"),
    ("Ada shop", {"user": "ada", "customer": "shop"}, "calls", "month"),
    ("Staging mid", {"environment": "staging", "tier": "2", "provider": "acme"}, "money", "year"),
    ("Soon", {"model": "m-soon"}, "money", "month"),
)  # fmt: skip


def an_edge(day: date, zone: str) -> Iterator[datetime]:
    """The last instants of the day before in this zone, and the first of this one."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    yield from (midnight - INSTANT, midnight, midnight + timedelta(minutes=14, seconds=59))


def edges(days: tuple[date, ...], until: datetime) -> list[datetime]:
    """Around these midnights in all four zones, so that each zone's edge has calls on either side of the others'."""
    found = {moment for day in days for zone in ZONES for moment in an_edge(day, zone)}
    found |= {moment for moment in CHANGES if days[0] <= moment.date() <= days[-1]}
    return sorted(moment for moment in found if moment < until)


def calls(prefix: str, moments: list[datetime]) -> list[dict[str, Any]]:
    """A call at each moment; what it states changes from one to the next, at steps that never fall together."""
    return [a_call(f"{prefix}-{n}", n, moment) for n, moment in enumerate(moments)]


def a_call(name: str, n: int, moment: datetime) -> dict[str, Any]:
    provider, model, tier, *_ = MODELS[n * 5 % len(MODELS)]
    stated: dict[str, Any] = {
        "id": name,
        "time": moment.isoformat(),
        "provider": provider,
        "model": model,
        "tier": tier,
        "workflow": NAMED[n % len(NAMED)],
        "team": "elsewhere" if n % 13 == 0 else "",
        "environment": "staging" if n % 3 == 0 else "production",
        "user": ("ada", "bo", "")[n % 3 - 1],
        "customer": ("shop", "")[n % 2],
        "application": ("portal", "", "cli", "")[n % 4],
        "tags": {"launch": ("spring", "winter")[n // 2 % 2], "odd=": f"{n % 2}"} if n % 5 else {},
        "run_id": f"run-{n % 17}" if n % 4 else "",
        "attempt": 2 if n % 6 == 0 else 1,
        "input_tokens": 301_007 + 7_919 * n,
        "cached_input_tokens": 1_003 * (n % 4),
        "output_tokens": 20_011 + 431 * n,
        "default_tier": n % 2,
        "agent": ("writer", "", "finder")[n % 3],
        "step": 1 + n % 9,
        "status": "error" if n % 11 == 3 else "",
        "channel": ("mail", "", "web", "shop")[n % 4],
        "prompt_version": ("v1", "", "v2")[n // 7 % 3],
        "cache": ("prompt", "", "semantic", "", "")[n % 5],
        "avoided_input_tokens": 5_003 * (n % 5 == 2),
        "avoided_output_tokens": 307 * (n % 5 == 2),
        "context": {"system": 1_009 + n, "retrieval": 2_003, "user": 50_021} if n % 3 else {},
    }
    if n % 19 == 7:  # unmeasured
        for one in ("input_tokens", "output_tokens", "cached_input_tokens", "context"):
            stated[one] = None
    return {key: value for key, value in stated.items() if value not in ("", None, 0, {})}


def found_company(zone: str, currency: str) -> None:
    """People, prices, plan, costs and budgets, before the first call."""
    CLOSED_FROM.clear()
    partitions.forget()
    if currency != "USD":
        CurrencyRate.objects.create(
            currency=currency, day=date(2020, 1, 1), per_dollar=Decimal(PER_DOLLAR), origin="test"
        )
    Organisation.objects.update(time_zone=zone, fiscal_year_starts=FISCAL[zone], currency=currency)
    follow_time_zone()
    teams = {slug: Team.objects.create(slug=slug, name=slug.title()) for slug in ("brand", "growth", "support")}
    for slug, team in (("briefs", "brand"), ("seo", "growth"), ("reply", "support")):
        Workflow.objects.create(slug=slug, name=slug.title(), team=teams[team], status="production")
    Workflow.objects.create(slug="briefs-old", name="briefs-old", status="discovered")
    for provider, model, _, price, output in (*MODELS, HALF_CENT):
        if price:
            price_of(provider, model, price, output)
    plan_and_costs(teams)
    for name, scope, metric, period in SCOPES:
        make_budget(name, scope, metric, period)
    pools()
    settle(BEGAN)


def price_of(provider: str, model: str, price: str, output: str, since: datetime | None = None) -> None:
    PriceEntry.objects.create(
        provider=provider, model=model, valid_from=since or datetime(2020, 1, 1, tzinfo=UTC), input=Decimal(price),
        cached_input=Decimal(price) / 10, output=Decimal(output),
        origin="override" if since else "genai-prices",
    )  # fmt: skip


def make_budget(name: str, scope: dict[str, str], metric: str, period: str) -> None:
    fixed = {"Sprint": (date(2026, 3, 1), date(2026, 3, 20)), "Autumn": (date(2026, 10, 31), date(2026, 11, 30))}
    starts, ends = fixed.get(name, (None, None))
    amount = {"money": 400 * NANO, "tokens": 90_000_000, "calls": 60}[metric]
    create_budget(ME, BudgetValues(name, amount, scope, metric, period, starts, ends))


def pools() -> None:
    """Two budgets share that of everything in a month, and one shares a team's."""
    pool = Budget.objects.get(slug="all")
    set_sharing(ME, pool, "demand")
    for slug in ("briefs", "growth"):
        child = Budget.objects.get(slug=slug)
        Budget.objects.filter(pk=child.pk).update(amount=150 * NANO)
        join_pool(ME, pool, child)


def plan_and_costs(teams: dict[str, Team]) -> None:
    lines = [
        PlanValue(date(2026, month, 1), team.pk if team else None, (100 + 7 * month) * NANO)
        for month in (2, 3, 10, 11, 12)
        for team in (teams["brand"], teams["growth"], None)
    ]
    set_lines(ME, lines)
    assert PlanLine.objects.count() == len(lines)
    reply = Workflow.objects.get(slug="reply")
    create_costs(
        ME,
        [
            CostValues(
                "Seats", 310 * NANO + 7, date(2026, 3, 1), date(2026, 3, 31), "seats", team_id=teams["brand"].pk
            ),
            CostValues("Licence", 1000 * NANO, date(2026, 2, 15), date(2026, 11, 14)),
            CostValues("Goodwill", 50 * NANO + 1, date(2026, 3, 8), date(2026, 3, 10), "credit"),
            CostValues("Tool", 99 * NANO, date(2026, 10, 30), date(2026, 11, 3), workflow_id=reply.pk),
            CostValues("Ahead", 70 * NANO, date(2026, 12, 1), date(2026, 12, 31), "tax"),
        ],
    )
    gone = create_costs(ME, [CostValues("Gone", 9 * NANO, date(2026, 3, 1), date(2026, 11, 30))])[0]
    OtherCost.objects.filter(pk=gone.pk).update(removed_at=BEGAN)


def settle(now: datetime) -> None:
    """What the workers do: sum, open, evaluate."""
    fold_all()
    open_due(now)
    evaluate_due(now=now)


def half_cents(now: datetime, *days: date) -> None:
    """On these days a call that costs half a cent more than whole ones; each arrives on its own at an odd minute."""
    provider, model, tier, *_ = HALF_CENT
    for day in days:
        moment = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        stated = {"id": f"half-{day}", "time": moment.isoformat(), "provider": provider, "model": model, "tier": tier}
        counts = {"input_tokens": 60_125_000, "output_tokens": 0, "workflow": "seo", "user": "ada"}
        answer = take([stated | counts], a_sender("odd"), now)
        assert answer.accepted == 1


def arrive(name: str, day: date) -> None:
    """Calls that come in just before and just after midnight in each zone, some of them over a day late."""
    for zone in ZONES:
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for n, minutes in enumerate((-10, -1, 1, 20)):
            arrived = midnight + timedelta(minutes=minutes)
            made = arrived - (timedelta(hours=30) if n % 2 else timedelta(minutes=2))
            answer = take([a_call(f"{name}-{zone}-{n}", n, made)], a_sender("odd"), arrived)
            assert answer.accepted == 1


def send(prefix: str, moments: list[datetime], now: datetime, source: str = "gateway") -> None:
    answer = take(calls(prefix, moments), a_sender(source), now)
    assert (answer.accepted, answer.rejected, answer.conflict) == (len(moments), 0, 0), answer.items[:3]


def spring(now: datetime) -> None:
    """The first days, the change of clocks in March, calls twice, calls late, outcomes of runs."""
    moments = edges(SPRING, now)
    half = [moment for moment in moments if moment.day % 2]
    send("early", half, now - timedelta(hours=3))
    rest = [moment for moment in moments if not moment.day % 2]
    send("rest", rest, now - timedelta(minutes=20), "batch")
    half_cents(now - timedelta(minutes=1), date(2026, 3, 5), date(2026, 3, 10))
    arrive("spring", date(2026, 3, 9))
    again = take(calls("early", half)[:5], a_sender(), now)
    assert (again.accepted, again.duplicate) == (0, 5)
    settle(now)
    set_outcomes(now)


def set_outcomes(now: datetime, by: int = 0) -> None:
    """Of most runs somebody says what became of them; `by` how many runs further the same is said."""
    slugs = dict(Workflow.objects.values_list("pk", "slug"))
    said = [
        {"run_id": run.run_id, "workflow": slugs[run.workflow_id], "outcome": outcome, "reviewer": "ann",
         "review_minutes": n % 7, "revenue_usd": f"{n}.5", "id": f"{now:%m%d}-{n}",
         "misrouted": (None, True, False)[n % 3]}
        for n, run in enumerate(Run.objects.order_by("pk"))
        if (outcome := ("approved", "", "rejected", "shipped", "reworked")[(n + by) % 5])
    ]  # fmt: skip
    answer = Taking(a_sender(), decode_many(json.dumps(said).encode()), now).take()
    assert answer.accepted == len(said)
    apply_outcomes()


def turn_of_month(now: datetime) -> None:
    """October and the first hours of November, in which clocks change."""
    send("october", edges(AUTUMN, now), now)
    settle(now)


def autumn(now: datetime) -> None:
    """Close October; then all that comes after: late calls, an import that stays and one undone, prices, a merge."""
    merge_workflow(ME, Workflow.objects.get(slug="briefs-old"), Workflow.objects.get(slug="briefs"))
    ignore_workflow(ME, Workflow.objects.get(slug="sandbox"))
    early = checked_and_brought("before", datetime(2026, 10, 30, 3, tzinfo=UTC))
    close_days(ME, CLOSED)
    CLOSED_FROM[:] = [Organisation.get().generation]
    half_cents(now - timedelta(minutes=1), date(2026, 11, 3))
    arrive("autumn", date(2026, 11, 3))
    moments = edges(AUTUMN[3:] + LATER, now)
    send("november", moments, now - timedelta(minutes=10))
    late = [moment + timedelta(minutes=7) for moment in edges(AUTUMN[:3], now)]
    send("late", late[::3], now - timedelta(minutes=5), "batch")
    kept = checked_and_brought("kept", datetime(2026, 11, 2, 18, 20, tzinfo=UTC))
    gone = checked_and_brought("gone", datetime(2026, 11, 1, 4, 5, tzinfo=UTC))
    price_anew(now)
    for run in (early, gone):
        assert undone(run).status == "undone"
    assert kept.status == "done"
    make_budget("Growth since", {"team": "growth"}, "money", "quarter")  # opened from the ledger
    settle(now)
    set_outcomes(now, by=2)


def checked_and_brought(name: str, first: datetime) -> Import:
    header = "id,time,provider,model,workflow,input_tokens,output_tokens\n"
    lines = []
    for n, (provider, model, *_) in enumerate(MODELS):
        made = (first + timedelta(hours=5 * n)).isoformat()
        lines.append(f"{name}-{n},{made},{provider},{model},{NAMED[n % 6]},{700_000 + n},{9_000 + n}\n")
    uncounted = f"{name}-uncounted,{first.isoformat()},acme,m-mid,seo,,\n"
    return imported(header + "".join(lines) + uncounted)


def price_anew(now: datetime) -> None:
    """A price for what had none, with calls in a closed month among them; and another one from a day on."""
    price_of("acme", "m-soon", "1.9", "7.7", since=datetime(2021, 1, 1, tzinfo=UTC))
    price_of("bolt", "b-mid", "0.6", "2.9", since=datetime(2026, 10, 31, 20, tzinfo=UTC))
    Organisation.objects.update(generation=Organisation.get().generation + 1)  # as setting a price does
    reprice(datetime(2026, 10, 1, tzinfo=UTC), now, "m-soon", only_unpriced=True)
    reprice(datetime(2026, 10, 1, tzinfo=UTC), now, "b-mid", only_unpriced=False)


def reprice(starts: datetime, ends: datetime, model: str, *, only_unpriced: bool) -> RepriceRun:
    run = preview(ME, starts, ends, model, only_unpriced=only_unpriced)
    assert run.calls, model
    confirm(run.pk, ME)
    return carry_out(run.pk, ME)


def waiting_preview(now: datetime) -> RepriceRun:
    """One that nobody decided on: its figures are those of calls as they stand."""
    price_of("bolt", "b-small", "0.05", "0.31", since=datetime(2026, 3, 9, tzinfo=UTC))
    Organisation.objects.update(generation=Organisation.get().generation + 1)
    return preview(ME, datetime(2026, 2, 1, tzinfo=UTC), now, "b-small", only_unpriced=False)


def checked_only() -> Import:
    """A file that waits for a yes."""
    header = "id,time,provider,model,workflow,input_tokens,output_tokens,cost_usd\n"
    return checked(f"{header}w-1,2026-11-03T04:00:00Z,acme,m-mid,seo,700000,9000,0.125\nw-2,x,acme,m-mid,seo,1,1,1\n")


def live_budgets() -> list[Budget]:
    return list(Budget.objects.filter(~Q(status="archived")).order_by("pk"))
