"""The published JSON Schema says what the compiler makes, and the guide's commands do what it says."""

import json
import os
import subprocess
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from django.utils import timezone
from tokenops_sdk import SCHEMA

from budgets.limits.scope import DIMENSIONS
from budgets.models import Budget, Organisation, StoppedRun, Team, Workflow
from budgets.workflows.guardrails import LIMITS
from routing.bundle.canonical import canonical
from routing.bundle.content import Stamp, document
from routing.bundle.snapshot import read_content
from routing.models import Tier
from usage.models import PriceEntry

DOCS = Path(__file__).resolve().parents[2] / "docs"
RULES = json.loads((DOCS / "schemas/policy-bundle-v1.json").read_text())


def check(said) -> None:
    jsonschema.Draft202012Validator(RULES).validate(said)


def test_the_schema_is_a_schema_and_knows_its_name():
    jsonschema.Draft202012Validator.check_schema(RULES)
    assert RULES["$id"] == SCHEMA
    assert set(RULES["$defs"]["scope"]["properties"]) == set(DIMENSIONS)


@pytest.fixture
def full(db) -> dict:
    """A bundle with something in every field."""
    organisation = Organisation.get()
    organisation.generation = 7_000_002
    team = Team.objects.create(slug="growth", name="Growth")
    Workflow.objects.create(
        slug="seo",
        name="SEO",
        team=team,
        default_tier=2,
        risk_categories=["claims"],
        guardrails={
            "max_run_money": "2.50",
            "daily_tokens": {"production": 2_000_000},
            "cache": {"kinds": ["semantic"], "similarity_floor": 0.9},
            "by_task_type": {"extraction": {"max_output_tokens": 500, "cache": {"kinds": []}}},
        },
    )
    off = Workflow.objects.create(slug="off", name="Off", paused_at=timezone.now())
    Workflow.objects.create(slug="off-too", name="Off too", status="merged", merged_into=off)
    StoppedRun.objects.create(
        workflow=off, run_id="r-17", finding=12, stopped_at=timezone.now(), ends_at=timezone.now() + timedelta(1)
    )
    for metric in Budget.Metric.values:
        Budget.objects.create(
            slug=metric, name=metric, metric=metric, amount=10**18 - 1, scope={"tag": "a=b", "tier": "1"}
        )
    (first, *_) = Tier.objects.get(number=1).models
    PriceEntry.objects.filter(**first).delete()
    PriceEntry.objects.create(
        **first,
        valid_from=datetime(2020, 1, 1, tzinfo=timezone.get_default_timezone()),
        input=Decimal("0.4"),
        output=Decimal("1.6"),
        units={"web_search": "0.01"},
        steps=[{"from_input_tokens": 200_001, "input": "0.8"}],
    )
    said = document(read_content(organisation), Stamp(1, 1, 7, 0, "2026-11-22T12:00:00Z"))
    return json.loads(canonical(said))


def test_what_is_compiled_is_what_the_schema_says(full):
    check(full)
    assert full["blocked"][-1]["scope"] == {"workflow": "off-too", "run": "r-17"}
    assert all(full[part] for part in ("tiers", "workflows", "budgets", "blocked", "prices")), "nothing went unseen"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda said: said.pop("audience"),
        lambda said: said.update(extra=1),
        lambda said: said.update(revision=0),
        lambda said: said["budgets"][0].update(remaining_percent=42),
        lambda said: said["budgets"][0].update(limit=12.5),
        lambda said: said["budgets"][0].update(scope={"planet": "mars"}),
        lambda said: said["workflows"]["seo"].pop("paused"),
        lambda said: said["workflows"]["seo"]["guardrails"].update(max_runs=3),
        lambda said: said["workflows"]["seo"]["guardrails"].update(max_run_steps=0),
        lambda said: said["workflows"]["seo"]["guardrails"]["by_task_type"]["extraction"].update(cash={}),
        lambda said: said["prices"][0].update(input=0.4),
        lambda said: said["blocked"][0].update(until="tomorrow"),
        lambda said: said["blocked"][-1].update(finding="12"),
        lambda said: said["blocked"][-1]["scope"].update(user="ann"),
    ],
)
def test_the_schema_refuses_what_is_not_a_bundle(full, spoil):
    spoil(full)
    with pytest.raises(jsonschema.ValidationError):
        check(full)


def test_every_limit_is_described_and_documented():
    assert list(RULES["$defs"]["limits"]["properties"]) == [limit.name for limit in LIMITS]
    guide = (DOCS / "limits.md").read_text()
    assert [limit.name for limit in LIMITS if f"`{limit.name}`" not in guide] == []


def test_a_merged_workflow_is_stopped_and_configured_like_the_one_it_counts_as(full):
    assert full["workflows"]["off-too"] == full["workflows"]["off"] | {"status": "merged", "merged_into": "off"}
    assert {"workflow": "off-too"} in [one["scope"] for one in full["blocked"]]


@pytest.mark.server
def test_a_stranger_verifies_with_curl_and_openssl(stack, tmp_path):
    """The commands in docs/policy-bundle.md, as they stand there."""
    script = (DOCS / "policy-bundle.md").read_text().split("```sh\n")[1].split("```")[0]
    environment = {**os.environ, "URL": stack.base_url, "KEY": stack.make_key(["bundle"])}
    for _ in range(100):  # the key is known, and the first bundle made, within a sweep
        done = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        if "Verified Successfully" in done.stdout:
            break
    assert "Verified Successfully" in done.stdout, done.stdout + done.stderr
    check(json.loads((tmp_path / "bundle.json").read_bytes()))
    (tmp_path / "signed").write_bytes((tmp_path / "signed").read_bytes().replace(b".ey", b".fy"))
    last = script.strip().splitlines()[-1]
    done = subprocess.run(
        ["sh", "-c", last], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "Verified Successfully" not in done.stdout and done.returncode != 0
