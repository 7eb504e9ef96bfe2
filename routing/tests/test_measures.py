"""What the ledger says of models, against a plain computation of the same."""

import random
import statistics
from datetime import timedelta

import pytest
from django.db import connection

from routing.bundle.policy_part import told_latency, told_quality
from routing.measures import measure
from routing.measures.measure import measure_models
from routing.models import ModelMeasure
from usage.models import Run
from usage.rollups.fold import fold_all
from usage.tests.events import NOW, a_sender, an_event, take

pytestmark = pytest.mark.django_db


def facts() -> dict:
    rows = ModelMeasure.objects.order_by("provider", "model")
    return {
        (row.provider, row.model): (row.calls, row.latency_ms, row.latency_p95_ms, row.reviewed_runs, row.approved_runs)
        for row in rows
    }


def discrete(share: float, values: list[int]) -> int:
    """The first value at which that share of them is reached, as SQL's percentile_disc has it."""
    ordered = sorted(values)
    return next(value for n, value in enumerate(ordered, 1) if n / len(ordered) >= share)


def test_latency_is_the_median_of_what_the_model_answered():
    dice = random.Random(3)
    sent, latencies = [], {"quick": [], "slow": []}
    for n in range(400):
        model = dice.choice(["quick", "slow"])
        latency = int(dice.lognormvariate(6 if model == "quick" else 7, 0.5))
        age = timedelta(days=dice.randrange(29), minutes=5)
        more = {}
        kind = dice.randrange(10)
        if kind == 0:
            more = {"status": "error"}
        elif kind == 1:
            more = {"cache": "semantic"}
        elif kind == 2:
            more = {"service_tier": "batch"}
        elif kind == 3:
            more = {"provider": None}
        elif kind == 4:
            age = timedelta(days=30, minutes=1)
        elif kind == 5:
            latency = None
        elif kind == 6:
            more = {"cache": "prompt"}
        if (not more or kind == 6) and latency is not None and age < timedelta(days=30):
            latencies[model].append(latency)
        event = an_event(f"e-{n}", model=model, time=(NOW - age).isoformat(), latency_ms=latency, **more)
        sent.append({name: value for name, value in event.items() if value is not None})
    take(sent)
    assert measure_models(NOW) == 2
    for model, values in latencies.items():
        assert len(values) > 50
        assert facts()["acme", model] == (len(values), discrete(0.5, values), discrete(0.95, values), 0, 0)
        assert abs(discrete(0.5, values) - statistics.median(values)) < 60


def test_quality_is_the_approved_share_of_reviewed_runs_that_the_model_worked_on():
    take(
        [
            an_event(f"e-{run}-{n}", model=model, workflow="seo", run_id=f"r-{run}")
            for run in range(10)
            for n, model in enumerate(["draft", "draft", "final"] if run % 2 else ["draft"])
        ]
    )
    fold_all()
    outcomes = {0: "approved", 1: "approved", 2: "rejected", 3: "shipped", 4: "completed", 5: "rejected", 6: "failed"}
    for run, outcome in outcomes.items():
        assert Run.objects.filter(run_id=f"r-{run}").update(outcome=outcome) == 1
    measure_models(NOW)
    assert facts() == {("acme", "draft"): (0, None, None, 5, 3), ("acme", "final"): (0, None, None, 3, 2)}


def test_nothing_is_told_of_a_model_with_few_calls_or_reviews():
    few = ModelMeasure(calls=19, latency_ms=401, reviewed_runs=19, approved_runs=10, measured_at=NOW)
    assert (told_latency(few), told_quality(few)) == (None, None)
    enough = ModelMeasure(calls=20, latency_ms=401, reviewed_runs=30, approved_runs=20, measured_at=NOW)
    assert (told_latency(enough), told_quality(enough)) == (450, "0.67")


def test_twice_is_once_and_what_is_not_called_any_more_is_forgotten():
    take([an_event("e-1", latency_ms=100), an_event("e-2", latency_ms=300, model="other")])
    measure_models(NOW)
    before = facts()
    assert before == {("acme", "test-model"): (1, 100, 100, 0, 0), ("acme", "other"): (1, 300, 300, 0, 0)}
    first = set(ModelMeasure.objects.values_list("pk", flat=True))
    measure_models(NOW)
    assert facts() == before and set(ModelMeasure.objects.values_list("pk", flat=True)) == first
    measure_models(NOW + timedelta(days=31))
    assert facts() == {}


def test_a_call_that_was_taken_back_does_not_count(monkeypatch):
    take([an_event("e-1", latency_ms=100), an_event("e-2", latency_ms=300)])
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_ledger (posted_at, time, batch_id, corrects, generation, source_id, workflow_id, kind,"
            " measured, event_id, environment, model, provider) SELECT posted_at, time, batch_id, id, generation,"
            " source_id, workflow_id, 2, measured, event_id, environment, model, provider FROM usage_ledger"
            " WHERE event_id = 'e-2'"
        )
    measure_models(NOW)
    assert facts() == {("acme", "test-model"): (1, 100, 100, 0, 0)}


def test_a_large_ledger_is_read_in_part_the_same_part_each_time(monkeypatch):
    take([an_event(f"e-{n}", latency_ms=n + 1) for n in range(2_000)])
    monkeypatch.setattr(measure, "MOST_BYTES", 1)
    bytes_of_all = 100 / measure.sampled_percent(NOW - measure.WINDOW, NOW)
    # Half of the pages, whatever pages tests that were taken back have left behind.
    monkeypatch.setattr(measure, "MOST_BYTES", bytes_of_all / 2)
    assert measure.sampled_percent(NOW - measure.WINDOW, NOW) == pytest.approx(50)
    measure_models(NOW)
    (once,) = facts().values()
    assert 0 < once[0] < 2_000
    measure_models(NOW)
    assert facts() == {("acme", "test-model"): once}


def test_it_takes_few_statements(django_assert_num_queries):
    take([an_event(f"e-{n}", latency_ms=100, model=f"model-{n}") for n in range(30)])
    with django_assert_num_queries(8):  # begin, lock, sizes, latency, reviewed or not, write, forget, end
        assert measure_models(NOW) == 30


def test_models_are_bounded(monkeypatch):
    assert a_sender()
    take([an_event(f"e-{n}", latency_ms=100, model=f"model-{n % 7}") for n in range(20)])
    monkeypatch.setattr(measure, "LATENCY", measure.LATENCY.replace(f"LIMIT {measure.MOST_MODELS}", "LIMIT 6"))
    measure_models(NOW)
    assert [model for _, model in sorted(facts())] == [f"model-{n}" for n in range(6)]
