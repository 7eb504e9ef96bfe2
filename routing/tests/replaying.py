"""A ledger of many calls, made by PostgreSQL itself, and two policies; for tests and benchmarks/replay.py."""

from datetime import UTC, datetime

from django.db import connection
from django.utils import timezone

from budgets.audit.record import Actor
from budgets.models import Organisation, Source, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from routing.models import PolicyVersion
from routing.policy.document import written
from routing.tests.fifty_calls import IN_FORCE, TRIED
from usage.ledger.partitions import ensure_months
from usage.tests.events import price_the_model

ACTOR = Actor.command("test")
STARTS, ENDS = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
# Runs of ten calls spread over the month, one call in three by the dear model; the cost at $2 + $10 a million tokens.
MANY = """
INSERT INTO usage_ledger (posted_at, time, batch_id, generation, source_id, event_id, workflow_id, team, run_id, step,
    attempt, stage, task_type, environment, operation, provider, model, tier, measured, input_tokens, output_tokens,
    context, tags, price_id, cost, cost_input, cost_cached, cost_cache_write, cost_output, cost_units)
SELECT at, at, 1, 1, %(source)s, 'many-' || n, ids[1 + (n / 10) %% cardinality(ids)], 'content', 'run-' || n / 10,
    1 + n %% 10, 1, CASE n %% 4 WHEN 0 THEN 'draft' WHEN 1 THEN 'refine' ELSE '' END, 'generation', 'production',
    'chat', 'acme', CASE WHEN n %% 3 = 0 THEN 'middle' ELSE 'cheap' END, 1, true, 1000, 200,
    '{"system": 300, "history": 700}', '{"campaign": "autumn"}', 1, 4000000, 2000000, 0, 0, 2000000, 0
FROM generate_series(0, %(count)s - 1) AS n
CROSS JOIN LATERAL (SELECT timestamptz '2026-10-01 00:00Z' + ((n / 10) * 600 %% 2500000 + n %% 10) * interval '1 s')
    AS moment (at)
CROSS JOIN (SELECT array_agg(id ORDER BY id) FROM budgets_workflow WHERE slug LIKE 'many-%%') AS made (ids)
"""


def company(workflows: int = 3) -> PolicyVersion:
    """Organisation, prices, workflows `many-0` and on, both policies; the draft."""
    Organisation.objects.update_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    with changing_configuration():
        for model, price in (("cheap", "1"), ("middle", "2"), ("best", "10")):
            price_the_model(price, price, model)
        team = Team.objects.create(slug="content", name="Content")
        for n in range(workflows):
            Workflow.objects.create(slug=f"many-{n}", name=f"Many {n}", status="production", team=team, default_tier=2)
    PolicyVersion.objects.filter(live=True).update(live=False)
    PolicyVersion.objects.create(
        state="published", number=77, live=True, title="In force", document=written(IN_FORCE),
        published_at=timezone.now(),
    )  # fmt: skip
    return PolicyVersion.objects.create(title="Cheaper drafts", document=written(TRIED))


def add_calls(count: int) -> None:
    """So many calls of October 2026, in runs of ten."""
    ensure_months([STARTS])
    source, _ = Source.objects.get_or_create(slug="gateway", defaults={"name": "gateway"})
    with connection.cursor() as cursor:
        cursor.execute(MANY, {"source": source.pk, "count": count})
