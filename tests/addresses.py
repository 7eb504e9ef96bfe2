"""Every address of the site with something in it, for tests that walk all of them."""

from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace

from django.urls import URLPattern, URLResolver, get_resolver

from budgets.models import AuditEntry
from reports.mailed.stopping import stop_path


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Each route outside Django's admin, with its pattern."""
    for one in (resolver or get_resolver()).url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLPattern):
            yield route, one
        elif not route.startswith("admin"):
            yield from routes(one, route)


def numbers_and_names(made: SimpleNamespace) -> list[tuple[str, dict[str, object]]]:
    """What stands in addresses of which beginning; the first that fits."""
    newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first()
    common: dict[str, object] = {"entry": newest, "told": newest, "first": newest, "last": newest, "entries": newest}
    common |= {"child": "pool-child", "year": 2026, "key": "usage", "step": "usage", "what": "skip", "token": "x"}
    common |= {"together": "x", "slug": "ad-copy", "provider_id": "company", "uidb36": "1"}
    common |= {"rule": "final-copy", "number": 1, "run_id": "run-1"}
    given: list[tuple[str, dict[str, object]]] = [
        ("data/quarantine", {"pk": made.item.pk}),
        ("settings/prices/reprice", {"pk": made.reprice.pk}),
        ("settings/prices/refresh", {"pk": made.refresh.pk}),
        ("settings/prices", {"pk": made.price.pk}),
        ("settings/keys", {"pk": made.key.pk}),
        ("settings/imports", {"pk": made.imported.pk}),
        ("settings/costs", {"pk": made.cost.pk}),
        ("settings/rates", {"pk": made.rate.pk}),
        ("settings/sources", {"slug": "gateway"}),
        ("settings/people/invitations", {"pk": made.invitation.pk}),
        ("settings/people", {"pk": made.colleague.pk}),
        ("invitation", {"token": made.invitation_token}),
        ("api/v1/people", {"pk": made.colleague.pk}),
        ("settings/teams", {"slug": made.team.slug}),
        ("plan", {"slug": made.team.slug}),
        ("pools", {"slug": "marketing-pool"}),
        ("calendar", {"pk": made.activity.pk}),
        ("export/imports", {"pk": made.imported.pk}),
        ("export/reprice", {"pk": made.reprice.pk}),
        ("export/pools", {"slug": "marketing-pool"}),
        ("api/v1/price-refreshes", {"pk": made.refresh.pk}),
        ("api/v1/prices", {"pk": made.price.pk}),
        ("api/v1/reprice-runs", {"pk": made.reprice.pk}),
        ("api/v1/imports", {"pk": made.imported.pk}),
        ("api/v1/other-costs", {"pk": made.cost.pk}),
        ("api/v1/currency-rates", {"pk": made.rate.pk}),
        ("api/v1/activities", {"pk": made.activity.pk}),
        ("api/v1/keys", {"pk": made.key.pk}),
        ("api/v1/teams", {"slug": made.team.slug}),
        ("api/v1/pools", {"slug": "marketing-pool"}),
        ("approvals/rules", {"pk": made.rule.pk}),
        ("approvals", {"pk": made.request.pk, "what": "approve"}),
        ("alerts/rules", {"pk": made.alert_rule.pk}),
        ("alerts", {"pk": made.alert.pk}),
        ("api/v1/alert-rules", {"pk": made.alert_rule.pk}),
        ("api/v1/alerts", {"pk": made.alert.pk}),
        ("routing/drafts/<int:version_pk>/preview", {"version_pk": made.draft.pk, "pk": made.replay.pk}),
        ("export/routing/drafts/", {"version_pk": made.draft.pk, "pk": made.replay.pk}),
        ("api/v1/policy/drafts/<int:draft>/replays", {"draft": made.draft.pk, "pk": made.replay.pk}),
        ("routing/drafts", {"pk": made.draft.pk}),
        ("routing/snippets", {"slug": made.snippet.slug, "number": 2}),
        ("export/snippets", {"slug": made.snippet.slug}),
        ("api/v1/snippets", {"slug": made.snippet.slug}),
        ("api/v1/policy/drafts", {"pk": made.draft.pk}),
        ("outcomes", {"pk": made.run.pk, "message": made.outcome.pk}),
        ("settings/channels", {"pk": made.channel.pk}),
        ("settings/deliveries", {"pk": made.delivery.pk}),
        ("api/v1/approval-requests", {"pk": made.request.pk}),
        *of_reports(made),
        ("", {"pk": 1}),
    ]
    return [(beginning, common | values) for beginning, values in given]


def of_reports(made: SimpleNamespace) -> list[tuple[str, dict[str, object]]]:
    """Of the top floor."""
    return [
        ("schemas", {"name": "event-v1"}),
        ("settings/chargeback", {"month": date(2026, 10, 1), "team": "-"}),
        ("export/focus", {"month": date(2026, 10, 1), "version": "1.4", "form": "csv"}),
        ("settings/reports", {"pk": made.mailed.pk}),
        ("reports/end", {"token": stop_path(made.mailed).split("/")[-2]}),
        ("forecast/<str:kind>", {"kind": "organisation", "key": "-"}),
        ("series/forecast", {"kind": "organisation", "key": "-"}),
        ("export/forecast/", {"kind": "organisation", "key": "-"}),
        ("export/figures", {"name": "workflows"}),
        ("savings/levers", {"key": made.lever}),
        ("export/savings/levers", {"key": made.lever}),
        ("workflows/<short_name:slug>/audit", {"pk": made.audit.pk}),
        ("export/workflows/<short_name:slug>/audits", {"pk": made.audit.pk}),
        ("spend/values", {"dimension": "team"}),
        ("spend/runs", {"workflow": "ad-copy", "run_id": made.run.run_id}),
        ("export/spend/runs", {"workflow": "ad-copy", "run_id": made.run.run_id}),
        ("spend/calls", {"moment": made.call.moment, "pk": made.call.id}),
        ("runs", {"workflow": "ad-copy"}),
        ("api/v1/runs", {"run_id": made.run.run_id}),
        ("views", {"pk": made.view.pk}),
        ("unusual", {"pk": made.finding.pk}),
        ("export/unusual", {"pk": made.finding.pk}),
        ("api/v1/findings", {"pk": made.finding.pk}),
    ]


def addresses(made: SimpleNamespace) -> list[tuple[str, str]]:
    """(name, address) of every route."""
    known = numbers_and_names(made)
    found = []
    for route, pattern in routes():
        values = next(values for beginning, values in known if route.startswith(beginning))
        path = "/" + route
        for key, converter in pattern.pattern.converters.items():
            kind = next(k for k in KINDS if f"<{k}:{key}>" in path)
            path = path.replace(f"<{kind}:{key}>", str(converter.to_url(values[key])))
        found.append((pattern.name or "", path))
    return found


KINDS = ("short_name", "workflow_name", "month", "path", "int", "slug", "str")
