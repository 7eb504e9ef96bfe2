"""Workflows: made, changed, claimed, ignored, put in production, undone; every act with its row of history."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model

from budgets.limits.edit import BudgetValues, create_budget, pause_budget
from budgets.models import AuditEntry, Organisation, Team, Workflow
from budgets.tests.made import ACTOR
from budgets.workflows.claim import claim_many, claim_workflow, ignore_workflow, take_back
from budgets.workflows.edit import (
    InvalidWorkflow,
    RefusedEdit,
    StaleEdit,
    change_workflow,
    create_workflow,
    last_change,
)
from budgets.workflows.lifecycle import NotBounded, boundaries, put_back_to_draft, put_in_production
from budgets.workflows.pause import pause_workflow, resume_workflow
from budgets.workflows.undo import undo_change
from budgets.workflows.values import WorkflowValues, validate, values_of

pytestmark = pytest.mark.django_db
CACHED = {"cache": {"kinds": ["prompt"]}}
NARROW = ({"workflow": "other"}, {"workflow": "seo", "user": "ada"}, {"team": "growth", "tier": "1"})
CAPS = {"max_output_tokens": 2000, "max_run_money": "2.50", "max_run_steps": 12}


@pytest.fixture
def lena():
    Team.objects.create(slug="growth", name="Growth")
    return get_user_model().objects.create_user("lena")


FULL = WorkflowValues(
    name="  SEO   briefs ",
    description="Briefs for the blog",
    team="growth",
    owner="lena",
    cost_centre="CC-7",
    ledger_code="6400",
    stages=("Draft", "verify", "draft"),
    risk_categories=("Public", "irreversible", "legal"),
    value_weight=Decimal("1.5"),
    default_tier=2,
    guardrails=CAPS,
)


def discovered(slug="social") -> Workflow:
    return Workflow.objects.create(slug=slug, name=slug, status="discovered")


def acts(workflow) -> list[str]:
    rows = AuditEntry.objects.filter(object_type="budgets.workflow", object_id=str(workflow.pk))
    return list(rows.order_by("id").values_list("act", flat=True))


def test_a_workflow_is_made_as_a_draft_in_its_written_form(lena):
    before = Organisation.get()
    made = create_workflow(ACTOR, FULL, "new job")
    assert (made.slug, made.status, made.name, made.team.slug, made.owner) == (
        "seo-briefs", "draft", "SEO briefs", "growth", lena,
    )  # fmt: skip
    assert made.stages == ["draft", "verify"] and made.risk_categories == ["irreversible", "legal", "public"]
    assert made.guardrails == CAPS | {"max_run_money": "2.5"}
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.reason, entry.before) == ("created", "new job", None)
    assert WorkflowValues.of_json(entry.after) == values_of(Workflow.objects.get(pk=made.pk))
    after = Organisation.get()
    assert after.generation == before.generation + 1 and after.state_version == before.state_version + 1
    assert create_workflow(ACTOR, FULL).slug == "seo-briefs-2"


@pytest.mark.parametrize(
    ("values", "field", "says"),
    [
        ({"name": "  "}, "name", "Give the workflow a name"),
        ({"name": "x" * 129}, "name", "at most 128"),
        ({"name": "a\0"}, "name", "cannot be stored"),
        ({"slug": "Not A Slug"}, "slug", "small letters"),
        ({"description": "x" * 501}, "description", "at most 500"),
        ({"cost_centre": "x" * 65}, "cost_centre", "at most 64"),
        ({"team": "nowhere"}, "team", "There is no team “nowhere”"),
        ({"owner": "nobody"}, "owner", "Nobody here has the user name"),
        ({"stages": tuple("abcdefghijklm")}, "stages", "at most 12"),
        ({"stages": ("a,b",)}, "stages", "single names"),
        ({"risk_categories": ("reversible", "Irreversible")}, "risk_categories", "Choose one"),
        ({"value_weight": Decimal("0.4")}, "value_weight", "from 0.5 to 5"),
        ({"value_weight": Decimal("NaN")}, "value_weight", "from 0.5 to 5"),
        ({"value_weight": Decimal("1.001")}, "value_weight", "two digits"),
        ({"default_tier": 0}, "default_tier", "1 for Economy"),
        ({"guardrails": {"max_run_steps": 0}}, "guardrails.max_run_steps", "whole number of steps"),
        (
            {"guardrails": {"cache": {"kinds": ["prompt"]}}, "risk_categories": ("Sensitive",)},
            "guardrails.cache",
            "never",
        ),
    ],
)
def test_what_cannot_be_saved_is_refused_with_a_sentence(values, field, says):
    found = validate(replace(WorkflowValues(name="SEO"), **values))
    assert list(found) == [field] and says in found[field]
    with pytest.raises(InvalidWorkflow):
        create_workflow(ACTOR, replace(WorkflowValues(name="SEO"), **values))
    assert AuditEntry.objects.count() == 0


def test_a_taken_short_name_is_refused(lena):
    discovered("social")
    with pytest.raises(InvalidWorkflow, match="already a workflow"):
        create_workflow(ACTOR, WorkflowValues(name="Social", slug="social"))


def test_a_change_is_kept_with_before_and_after_and_can_be_undone(lena):
    made = create_workflow(ACTOR, FULL)
    seen = made.edit_version
    changed = change_workflow(ACTOR, made, replace(values_of(made), team="", default_tier=3), "moved", seen)
    assert (changed.team, changed.default_tier, changed.edit_version) == (None, 3, seen + 1)
    entry = last_change(made)
    assert (entry.before["team"], entry.after["team"]) == ("growth", "")
    with pytest.raises(StaleEdit):
        change_workflow(ACTOR, made, replace(values_of(changed), name="Other"), expected_version=seen)
    assert change_workflow(ACTOR, made, values_of(changed)).edit_version == seen + 1, "nothing changed, no history"
    undone = undo_change(ACTOR, made, entry)
    assert undone.team.slug == "growth" and undone.default_tier == 2
    assert acts(made) == ["created", "changed", "changed"]
    with pytest.raises(StaleEdit):
        undo_change(ACTOR, made, entry)


def test_making_is_undone_by_setting_aside(lena):
    made = create_workflow(ACTOR, FULL)
    assert undo_change(ACTOR, made).status == "ignored"
    assert undo_change(ACTOR, made).status == "draft"


def test_a_discovered_one_is_claimed_and_that_is_undone(lena):
    found = discovered()
    with pytest.raises(InvalidWorkflow, match="who answers"):
        claim_workflow(ACTOR, found, WorkflowValues(name="Social"))
    claimed = claim_workflow(ACTOR, found, WorkflowValues(name="Social posts", owner="lena"))
    assert (claimed.status, claimed.name, claimed.owner, claimed.slug) == ("draft", "Social posts", lena, "social")
    with pytest.raises(RefusedEdit, match="claimed already"):
        claim_workflow(ACTOR, found, WorkflowValues(name="X", owner="lena"))
    undone = undo_change(ACTOR, found)
    assert (undone.status, undone.name, undone.owner) == ("discovered", "social", None)
    assert acts(found) == ["claimed", "unclaimed"]


def test_many_are_claimed_at_once_or_none(lena):
    found = [discovered(f"w{n}") for n in range(3)]
    claimed = claim_many(ACTOR, found, "lena", "growth")
    assert {(row.status, row.owner_id, row.team.slug) for row in Workflow.objects.filter(slug__startswith="w")} == {
        ("draft", lena.pk, "growth")
    }
    assert [row.name for row in claimed] == ["w0", "w1", "w2"]
    assert AuditEntry.objects.filter(act="claimed").count() == 3
    assert undo_change(ACTOR, found[1]).status == "discovered"
    with pytest.raises(RefusedEdit):
        claim_many(ACTOR, [discovered("w4"), found[0]], "lena", "")
    assert Workflow.objects.get(slug="w4").status == "discovered"
    with pytest.raises(InvalidWorkflow):
        claim_many(ACTOR, [], "lena", "")
    with pytest.raises(InvalidWorkflow):
        claim_many(ACTOR, found, "", "")


def test_ignoring_and_taking_back():
    found = discovered()
    ignored = ignore_workflow(ACTOR, found, "a test of ours")
    assert ignored.status == "ignored"
    version = ignored.edit_version
    assert ignore_workflow(ACTOR, found).edit_version == version, "twice is once"
    assert take_back(ACTOR, found).status == "discovered"
    assert undo_change(ACTOR, found).status == "ignored"
    assert undo_change(ACTOR, found).status == "discovered"
    with pytest.raises(RefusedEdit, match="not ignored"):
        take_back(ACTOR, found)


def test_the_reserved_one_is_left_alone():
    kept = Workflow.objects.get(slug="unassigned")
    for act in (ignore_workflow, put_in_production):
        with pytest.raises(RefusedEdit, match="without a workflow"):
            act(ACTOR, kept)
    with pytest.raises(RefusedEdit):
        change_workflow(ACTOR, kept, WorkflowValues(name="Mine"))


def test_production_needs_its_cost_boundary(lena):
    made = create_workflow(ACTOR, WorkflowValues(name="SEO", team="growth"))

    def missing() -> list[str]:
        return [one.code for one in boundaries(Workflow.objects.get(pk=made.pk)) if not one.met]

    assert missing() == ["owner", "budget", "max_output_tokens", "run_amount", "max_run_steps"]
    with pytest.raises(NotBounded, match=r"Choose an owner\. Set a budget") as refused:
        put_in_production(ACTOR, made)
    assert [one.code for one in refused.value.missing] == missing()
    change_workflow(ACTOR, made, WorkflowValues(name="SEO", team="growth", owner="lena", guardrails=CAPS))
    assert missing() == ["budget"]
    for n, scope in enumerate(
        ({"workflow": "other"}, {"workflow": "seo", "user": "ada"}, {"team": "growth", "tier": "1"})
    ):
        Workflow.objects.get_or_create(slug="other", defaults={"name": "Other"})
        create_budget(ACTOR, BudgetValues(name=f"Narrow {n}", amount=10**9, scope=scope))
    assert missing() == ["budget"], "none of these covers all its calls"
    budget = create_budget(ACTOR, BudgetValues(name="Growth", amount=10**9, scope={"team": "growth"}))
    assert missing() == []
    pause_budget(ACTOR, budget)
    assert missing() == ["budget"]
    create_budget(ACTOR, BudgetValues(name="Own", amount=10**9, scope={"workflow": "seo", "environment": "production"}))
    assert put_in_production(ACTOR, made).status == "production"
    with pytest.raises(RefusedEdit, match="in production"):
        ignore_workflow(ACTOR, made)
    assert put_back_to_draft(ACTOR, made).status == "draft"
    assert undo_change(ACTOR, made).status == "production"
    assert acts(made)[-3:] == ["put in production", "put back to draft", "put in production"]


def test_tokens_in_place_of_money_do_for_a_run(lena):
    caps = {"max_output_tokens": 10, "max_run_tokens": 1000, "max_run_steps": 2}
    create_budget(ACTOR, BudgetValues(name="All", amount=10**9))
    made = create_workflow(ACTOR, WorkflowValues(name="SEO", owner="lena", guardrails=caps))
    assert put_in_production(ACTOR, made).status == "production"
    by_type_only = {"by_task_type": {"chat": caps}}
    other = create_workflow(ACTOR, WorkflowValues(name="Other", owner="lena", guardrails=by_type_only))
    with pytest.raises(NotBounded):
        put_in_production(ACTOR, other)


def test_pause_and_resume_are_undone_with_their_reason(lena):
    made = create_workflow(ACTOR, FULL)
    pause_workflow(ACTOR, made, "Runaway loop")
    assert undo_change(ACTOR, made).paused_at is None
    pause_workflow(ACTOR, made, "Runaway loop")
    resume_workflow(ACTOR, made, "mended")
    again = undo_change(ACTOR, made)
    assert again.paused_at and again.pause_reason == "Runaway loop"
