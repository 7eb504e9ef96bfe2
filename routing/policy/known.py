"""What there is besides the policy, read for `routing.policy.validate`."""

from datetime import datetime, timedelta

from django.utils import timezone

from budgets.models import Budget, BudgetState, Organisation, Team, Workflow
from budgets.pages.moments import day
from routing.policy.document import Policy
from routing.policy.validate import Known, KnownBudget, KnownWorkflow, Model
from routing.tiers.names import tier_names
from usage.models import PriceEntry
from usage.prices import book

STANDARD = "standard"


def read_known(policy: Policy, now: datetime | None = None) -> Known:
    """As of `now` (aware). Seven statements, the price book in memory aside."""
    now = now or timezone.now()
    organisation = Organisation.get()
    prices = book.current(organisation.generation)
    models = {(one.provider, one.model) for tier in policy.tiers for one in tier.models}
    canonical = {named: prices.canonical(*named) for named in models}
    priced = frozenset(named for named in models if prices.find(*named, STANDARD, now) is not None)
    return Known(
        workflows=_workflows(),
        teams=frozenset(Team.objects.values_list("slug", flat=True)),
        canonical=canonical,
        priced=priced,
        listed=priced | _listed(canonical),
        budgets=_budgets(organisation, now),
        live_tiers=tier_names(),
    )


def _workflows() -> dict[str, KnownWorkflow]:
    rows = Workflow.objects.order_by("name").values_list("slug", "name", "default_tier", "merged_into__slug")
    return {slug: KnownWorkflow(name, tier, under or "") for slug, name, tier, under in rows}


def _listed(canonical: dict[Model, Model]) -> frozenset[Model]:
    """Models that have any entry, of whatever date and service tier."""
    names = {model for named in canonical.items() for _, model in named}
    rows = PriceEntry.objects.filter(superseded_at=None, model__in=names).order_by()
    entries = {(provider.casefold(), model.casefold()) for provider, model in rows.values_list("provider", "model")}

    def has(named: Model) -> bool:
        return any((one[0].casefold(), one[1].casefold()) in entries for one in (named, canonical[named]))

    return frozenset(named for named in canonical if has(named))


def _budgets(organisation: Organisation, now: datetime) -> tuple[KnownBudget, ...]:
    rows = Budget.objects.filter(status=Budget.Status.ACTIVE).order_by("slug")
    used_up = BudgetState.objects.filter(
        budget__status=Budget.Status.ACTIVE, status=BudgetState.Status.EXHAUSTED, starts_at__lte=now, ends_at__gt=now
    )
    ends = dict(used_up.values_list("budget_id", "ends_at"))
    return tuple(
        KnownBudget(
            slug=row.slug,
            name=row.name,
            scope=row.scope,
            on_exhausted=row.on_exhausted,
            to_tier=row.action_settings.get("tier"),
            is_exhausted=row.pk in ends,
            until=day((organisation.local(ends[row.pk]) - timedelta(seconds=1)).date()) if row.pk in ends else "",
        )
        for row in rows
    )
