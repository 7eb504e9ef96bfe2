"""Bundles from the database: what they say, when there is a new one, who signs it."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone
from tokenops_sdk import verify

from budgets.audit.record import Actor
from budgets.models import Budget, BudgetState, Organisation, Workflow
from budgets.workflows.merge import merge_workflow
from budgets.workflows.stopping import let_run_go_on, stop_run
from routing.bundle import compile as compiling
from routing.bundle import snapshot
from routing.bundle.canonical import canonical
from routing.bundle.compile import compile_if_changed
from routing.bundle.freshness import freshness_token
from routing.bundle.signing import active_key, jwks, rotate
from routing.models import BundleEpoch, PolicyBundle, SigningKey, Tier
from usage.models import PriceEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def organisation() -> Organisation:
    organisation, _ = Organisation.objects.get_or_create(id=1)
    BundleEpoch.objects.get_or_create(id=1)
    return organisation


@pytest.fixture(autouse=True)
def no_pause(monkeypatch, organisation):
    """Revisions may follow at once; the tests of the pause set it back."""
    monkeypatch.setattr(compiling, "APART", timedelta(0))


def newest() -> dict:
    return json.loads(bytes(PolicyBundle.objects.order_by("-epoch", "-revision").first().body))


def make_budget(slug="seo", **values) -> Budget:
    defaults = {"name": slug.upper(), "amount": 100_000_000_000, "on_exhausted": "block"}
    return Budget.objects.create(slug=slug, **{**defaults, **values})


def set_state(budget: Budget, spent: int, status="under", crossed=0) -> BudgetState:
    today = timezone.now().date()
    first = today.replace(day=1)
    ends = (first + timedelta(days=32)).replace(day=1)
    at = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    state, _ = BudgetState.objects.update_or_create(
        budget=budget,
        period_start=first,
        defaults={
            "period_end": ends - timedelta(days=1),
            "starts_at": at.replace(day=1),
            "ends_at": at.replace(year=ends.year, month=ends.month, day=1),
            "limit": budget.amount,
            "spent": spent,
            "status": status,
            "crossed": crossed,
        },
    )
    return state


def test_the_first_bundle_and_no_second_without_a_change():
    assert compile_if_changed() == 1
    assert compile_if_changed() is None
    said = newest()
    assert (said["epoch"], said["revision"], said["audience"]) == (1, 1, "tokenops")
    assert said["fail_mode"] == "last_known_good"
    assert said["grants"] == [] and said["blocked"] == []
    assert [tier["number"] for tier in said["tiers"]] == [1, 2, 3]
    assert said["default_tier"] == 1
    assert said["workflows"]["unassigned"]["status"] == "reserved"


def test_the_bytes_are_canonical():
    compile_if_changed()
    row = PolicyBundle.objects.get()
    assert canonical(json.loads(bytes(row.body))) == bytes(row.body)


def test_a_change_that_no_client_sees_makes_no_revision():
    compile_if_changed()
    Organisation.objects.update(generation=99, state_version=99)
    Workflow.objects.create(slug="made-up", name="made up", status=Workflow.Status.DISCOVERED)
    assert compile_if_changed() is None


def test_the_kill_switch_is_in_the_next_revision():
    compile_if_changed()
    workflow = Workflow.objects.create(
        slug="seo-briefs",
        name="SEO briefs",
        default_tier=2,
        value_weight=Decimal("1.50"),
        guardrails={"max_output_tokens": 2000, "cache": {"similarity_floor": 0.85}},
    )
    assert compile_if_changed() == 2
    workflow.paused_at, workflow.pause_reason = timezone.now(), "Runaway loop"
    workflow.save()
    assert compile_if_changed() == 3
    said = newest()
    assert said["workflows"]["seo-briefs"] == {
        "default_tier": 2,
        "guardrails": {"cache": {"similarity_floor": "0.85"}, "max_output_tokens": 2000},
        "merged_into": None,
        "paused": True,
        "risk_categories": [],
        "snippets": [],
        "status": "draft",
        "team": None,
        "value_weight": "1.5",
    }
    assert said["blocked"] == [
        {"code": "workflow_paused", "reason": "Runaway loop", "scope": {"workflow": "seo-briefs"}, "until": None}
    ]


def test_pausing_on_the_page_reaches_the_bundle_under_every_name(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    seo = Workflow.objects.create(slug="seo", name="SEO")
    alias = Workflow.objects.create(slug="seo-v2", name="seo-v2", status="discovered")
    budget = make_budget(scope={"workflow": "seo"})
    compile_if_changed()
    merge_workflow(Actor.command("test"), alias, seo)
    assert compile_if_changed() is not None
    assert newest()["workflows"]["seo-v2"]["merged_into"] == "seo"
    set_state(budget, 10**12, "exhausted", 100)
    compile_if_changed()
    assert [one["scope"]["workflow"] for one in newest()["blocked"]] == ["seo", "seo-v2"]
    client.post("/workflows/seo/pause/", {"reason": "Runaway loop"})
    assert compile_if_changed() is not None
    paused = {one["scope"]["workflow"] for one in newest()["blocked"] if one["reason"] == "Runaway loop"}
    assert paused == {"seo", "seo-v2"}
    client.post("/workflows/seo/resume/")
    compile_if_changed()
    assert {one["code"] for one in newest()["blocked"]} == {"budget_exhausted"}


@pytest.mark.parametrize("junk", [5, "legal", {"a": 1}, [1, {"b": 2}]])
def test_a_free_form_column_of_another_kind_keeps_no_kill_switch_from_anybody(junk):
    Workflow.objects.create(slug="odd", name="Odd", risk_categories=junk, guardrails=junk)
    Workflow.objects.create(slug="runaway", name="Runaway", paused_at=timezone.now())
    assert compile_if_changed() is not None
    assert [one["scope"] for one in newest()["blocked"]] == [{"workflow": "runaway"}]


def test_stopped_runs_are_told_while_they_are_and_no_more_than_may_be(monkeypatch):
    now = timezone.now().replace(microsecond=0)
    seo = Workflow.objects.create(slug="seo", name="SEO")
    Workflow.objects.create(slug="seo-v2", name="seo-v2", status="merged", merged_into=seo)
    stop_run(Actor.command("test"), seo, "r-2", "Goes in circles.", 12, now)
    stop_run(Actor.command("test"), seo, "r-1", now=now - timedelta(minutes=1))
    over = stop_run(Actor.command("test"), seo, "r-0", now=now - timedelta(hours=24))
    assert over.ends_at == now
    assert compile_if_changed() is not None
    stops = newest()["blocked"]
    assert [(one["scope"]["workflow"], one["scope"]["run"]) for one in stops] == [
        ("seo", "r-1"), ("seo-v2", "r-1"), ("seo", "r-2"), ("seo-v2", "r-2"),
    ]  # fmt: skip
    assert stops[2] == {
        "code": "run_stopped", "scope": {"workflow": "seo", "run": "r-2"}, "reason": "Goes in circles.", "finding": 12,
        "until": f"{now + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
    }  # fmt: skip
    assert stops[0]["reason"] == "Somebody stopped this run of SEO." and "finding" not in stops[0]
    monkeypatch.setattr(snapshot, "MOST", 1)
    compile_if_changed()
    assert {one["scope"]["run"] for one in newest()["blocked"]} == {"r-2"}, "the newest"


def test_a_discovered_workflow_that_is_paused_is_told():
    Workflow.objects.create(slug="rogue", name="rogue", status="discovered", paused_at=timezone.now())
    compile_if_changed()
    assert newest()["workflows"]["rogue"]["paused"] is True


def test_a_budget_without_a_state_is_untouched():
    make_budget(scope={"workflow": "seo"}, action_settings={"tier": 1})
    compile_if_changed()
    (budget,) = newest()["budgets"]
    assert (budget["remaining_percent"], budget["status"], budget["crossed"], budget["limit"]) == (
        100,
        "under",
        0,
        "100",
    )
    assert budget["scope"] == {"workflow": "seo"}
    assert budget["settings"] == {"tier": 1}
    assert budget["starts_at"] <= timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ") < budget["ends_at"]


def test_spending_within_a_step_of_five_percent_makes_no_revision():
    budget = make_budget()
    set_state(budget, 1)
    compile_if_changed()
    set_state(budget, 4_999_999_999)
    assert compile_if_changed() is None
    set_state(budget, 5_000_000_001)
    assert compile_if_changed() == 2
    assert newest()["budgets"][0]["remaining_percent"] == 90


def test_an_exhausted_budget_blocks_until_its_period_ends():
    budget = make_budget(scope={"team": "growth"})
    set_state(budget, budget.amount, "exhausted", 100)
    compile_if_changed()
    said = newest()
    assert said["budgets"][0]["status"] == "exhausted"
    assert said["budgets"][0]["remaining_percent"] == 0
    assert said["blocked"] == [
        {
            "code": "budget_exhausted",
            "reason": "The budget SEO is used up.",
            "scope": {"team": "growth"},
            "until": said["budgets"][0]["ends_at"],
        }
    ]


def test_an_exhausted_budget_that_only_tells_blocks_nobody():
    budget = make_budget(on_exhausted="alert")
    set_state(budget, budget.amount, "exhausted", 100)
    compile_if_changed()
    assert newest()["blocked"] == []


def test_paused_archived_and_over_budgets_say_nothing():
    make_budget("paused", status="paused")
    make_budget("archived", status="archived")
    long_ago = timezone.now().date() - timedelta(days=400)
    make_budget("over", period="fixed", starts_on=long_ago, ends_on=long_ago + timedelta(days=9))
    ahead = timezone.now().date() + timedelta(days=400)
    make_budget("ahead", period="fixed", starts_on=ahead, ends_on=ahead)
    compile_if_changed()
    assert newest()["budgets"] == []


def test_prices_of_the_listed_models():
    PriceEntry.objects.all().delete()
    Tier.objects.filter(number=1).update(models=[{"provider": "openai", "model": "gpt-4.1-mini"}])
    PriceEntry.objects.create(
        provider="openai",
        model="gpt-4.1-mini",
        valid_from=timezone.now() - timedelta(days=9),
        input=Decimal("0.4"),
        cached_input=Decimal("0.1"),
        output=Decimal("1.60"),
        steps=[{"from_input_tokens": 200_001, "input": "0.8"}],
    )
    Organisation.objects.update(generation=7_000_001)
    compile_if_changed()
    assert newest()["prices"] == [
        {
            "provider": "openai",
            "model": "gpt-4.1-mini",
            "service_tier": "standard",
            "input": "0.4",
            "cached_input": "0.1",
            "cache_write": None,
            "output": "1.6",
            "units": {},
            "steps": [{"from_input_tokens": 200_001, "input": "0.8"}],
            "hours": [],
        }
    ]


def test_too_soon_waits_unless_it_is_urgent(monkeypatch):
    monkeypatch.setattr(compiling, "APART", timedelta(minutes=5))
    budget = make_budget()
    set_state(budget, 1)
    assert compile_if_changed() == 1
    set_state(budget, 50_000_000_000)
    assert compile_if_changed() is None, "only a share changed"
    set_state(budget, 100_000_000_000, "exhausted", 100)
    assert compile_if_changed() == 2, "somebody is blocked"
    set_state(budget, 50_000_000_000)
    assert compile_if_changed() == 3, "somebody is freed"
    workflow = Workflow.objects.create(slug="w", name="w", paused_at=timezone.now())
    assert compile_if_changed() == 4, "somebody is paused"
    stop_run(Actor.command("test"), workflow, "r-17")
    assert compile_if_changed() == 5, "a run is stopped"
    let_run_go_on(Actor.command("test"), workflow, "r-17")
    assert compile_if_changed() == 6, "a run goes on"


def test_a_clock_that_was_set_back_does_not_hold_bundles_up(monkeypatch):
    monkeypatch.setattr(compiling, "APART", timedelta(minutes=5))
    budget = make_budget()
    compile_if_changed()
    PolicyBundle.objects.update(created_at=timezone.now() + timedelta(hours=1))
    set_state(budget, 50_000_000_000)
    assert compile_if_changed() == 2


def test_old_bundles_are_pruned(monkeypatch):
    monkeypatch.setattr(compiling, "KEEP", 3)
    for _ in range(5):
        compile_if_changed(anew=True)
    assert list(PolicyBundle.objects.order_by("revision").values_list("revision", flat=True)) == [3, 4, 5]


def verified(row: PolicyBundle):
    """The stored bundle as a client with the served keys sees it."""
    said = json.loads(bytes(row.body))
    version = (said["epoch"], said["revision"])
    key = active_key()
    token = freshness_token(
        version, row.etag.strip('"'), audience="tokenops", confirmed_at=timezone.now(), lasts=timedelta(60), key=key
    )
    served = json.loads(jwks(SigningKey.objects.values_list("public", flat=True)))
    return verify(bytes(row.body), row.signature, jwks=served, audience="tokenops", freshness=token)


def test_what_is_stored_verifies():
    compile_if_changed()
    assert verified(PolicyBundle.objects.get()).version == (1, 1)
    assert "d" not in SigningKey.objects.get().public
    assert b'"d"' not in bytes(SigningKey.objects.get().sealed_private)


def test_a_rotation_signs_anew_and_keeps_the_old_key_verifiable():
    compile_if_changed()
    call_command("rotate_signing_key", reason="yearly")
    old, new = SigningKey.objects.order_by("created_at")
    assert (old.active, new.active) == (False, True) and old.retired_at
    first, second = PolicyBundle.objects.order_by("revision")
    assert verified(first).version == (1, 1) and verified(second).version == (1, 2)


def test_a_prepared_key_is_taken_by_the_next_rotation():
    compile_if_changed()
    call_command("rotate_signing_key", prepare=True)
    prepared = SigningKey.objects.get(active=False, retired_at=None)
    assert active_key().kid != prepared.kid
    call_command("rotate_signing_key")
    assert active_key().kid == prepared.kid


def test_a_new_secret_key_opens_with_the_fallback_and_heals_without(settings, organisation):
    compile_if_changed()
    kid = active_key().kid
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert active_key().kid == kid
    settings.SECRET_KEY_FALLBACKS = []
    assert active_key().kid != kid
    assert SigningKey.objects.get(kid=kid).retired_at


def test_rotations_leave_an_audit_row():
    from budgets.audit.record import Actor
    from budgets.models import AuditEntry

    rotate(Actor.command("test"), "because")
    entry = AuditEntry.objects.filter(act="rotated").latest("at")
    assert (entry.reason, entry.after["kid"]) == ("because", SigningKey.objects.get(active=True).kid)


def test_a_new_epoch_makes_a_newer_bundle():
    compile_if_changed()
    call_command("begin_bundle_epoch")
    said = newest()
    assert (said["epoch"], said["revision"]) == (2, 2)
