"""The pages of workflows and teams: what they show, refuse, total and cost in statements."""

import csv
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from budgets.limits.calendar import quarter_hour
from budgets.limits.edit import BudgetValues, create_budget
from budgets.models import NANO, AuditEntry, Team, Workflow
from budgets.tests.made import ACTOR
from budgets.workflows.merge import merge_workflow
from tests.people import viewer
from usage.models import QuarterHour, Run
from usage.rollups.days import make_days_anew

pytestmark = pytest.mark.django_db
QUERIES = (
    "", "status=discovered", "status=ignored", "status=all", "q=lena", "team=growth", "team=-&status=all",
    "status=all&sort=name",
)  # fmt: skip
PAGES = (
    "/workflows/", "/workflows/?status=discovered&q=a", "/workflows/unassigned/", "/workflows/seo/", "/settings/teams/",
)  # fmt: skip
BRAND = {"name": "Brand", "cost_centre": "B1"}
CAPS = {"max_output_tokens": 2000, "max_run_money": "2.5", "max_run_steps": 12}


def used(workflow, cost, calls=1, model="gpt-4.1", when=None, **more):
    fields = {"team": "", "provider": "openai", "tier": 0, "environment": "production", "service_tier": "standard"}
    fields |= {"stage": "", "task_type": "", "status": "ok"}
    QuarterHour.objects.create(
        bucket=quarter_hour(when or timezone.now()), workflow_id=workflow.pk, model=model, cost=cost, calls=calls,
        **(fields | more),
    )  # fmt: skip


@pytest.fixture
def flows():
    """Three in use, two found, one ignored, one paused; with spend."""
    team = Team.objects.create(slug="growth", name="Growth", cost_centre="CC-1")
    lena = get_user_model().objects.create_user("lena-k", first_name="Lena", last_name="Kraus")
    made = {}
    for n, (slug, status) in enumerate(
        [("seo", "production"), ("ads", "draft"), ("news", "draft"), ("stray", "discovered"), ("test-7", "discovered"),
         ("noise", "ignored")]
    ):  # fmt: skip
        claimed = status in {"draft", "production"}
        made[slug] = Workflow.objects.create(
            slug=slug, name=slug.upper(), status=status, team=team if slug == "seo" else None,
            owner=lena if claimed else None,
        )  # fmt: skip
        used(made[slug], (n + 1) * NANO * 10 + 1, calls=n + 1)
    Workflow.objects.filter(slug="news").update(paused_at=timezone.now(), pause_reason="Looping")
    used(Workflow.objects.get(slug="unassigned"), 7 * NANO, calls=3)
    return made


@pytest.fixture
def boss(client):
    client.force_login(get_user_model().objects.create_superuser("boss", first_name="Bo", last_name="Ss"))
    return client


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def rows_of(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))


def test_every_page_needs_sign_in(client, flows):
    for path in (*PAGES, "/export/workflows.csv"):
        assert client.get(path)["Location"].startswith("/sign-in/")


def test_the_list_shows_who_answers_and_what_it_spent(boss, flows):
    Run.objects.create(
        workflow_id=flows["seo"].pk, run_id="r", first_call=timezone.now(), last_call=timezone.now(), cost=6 * NANO,
        outcome="approved", calls=1,
    )  # fmt: skip
    Run.objects.create(
        workflow_id=flows["seo"].pk, run_id="s", first_call=timezone.now(), last_call=timezone.now(), cost=2 * NANO,
        outcome="failed", calls=1,
    )  # fmt: skip
    QuarterHour.objects.filter(workflow_id=flows["seo"].pk).update(cost_in_runs=8 * NANO)
    make_days_anew("UTC")
    page = boss.get("/workflows/")
    said = text(page)
    assert (
        "In use 3" in said and "Discovered 2" in said and "Ignored 1" in said and "Paused 1" in said and "All 7" in said
    )
    assert re.findall(r'class="row-name" href="/workflows/([\w-]+)/"', page.content.decode()) == ["news", "ads", "seo"]
    assert "Lena Kraus" in said and "Growth" in said and "no outcomes yet" in said
    assert "$8.000 1 approved" in said, "the cost of all runs, failures too, over those approved"
    assert "$60.00" in said and "of $217.00 in all" in said
    assert boss.get("/workflows/?status=paused").content.decode().count("row-name") == 1


@pytest.mark.parametrize("query", QUERIES)
def test_the_csv_has_the_pages_rows_and_totals(boss, flows, query):
    page, listed = boss.get(f"/workflows/?{query}"), rows_of(boss.get(f"/export/workflows.csv?{query}"))
    slugs = re.findall(r'class="row-name" href="/workflows/(?:-/)?([\w-]+)/"', page.content.decode())
    assert [row["short_name"] for row in listed] == slugs and slugs
    total = sum(float(row["spent"]) for row in listed)
    assert f"{total:.2f}" in page.content.decode().split("<tfoot")[1]
    if query.startswith("status=all"):
        ledger = sum(QuarterHour.objects.values_list("cost", flat=True))
        assert round(total * NANO) == ledger


def test_filters_search_sort_and_say_what_they_did_not_understand(boss, flows):
    assert "No workflow matches" in text(boss.get("/workflows/?q=100%25"))
    assert "TEST-7" in text(boss.get("/workflows/?status=discovered&q=TEST"))
    odd = text(boss.get("/workflows/?status=nonsense&sort=colour&page=99"))
    assert "“nonsense” is no status" in odd and "cannot be sorted by “colour”" in odd
    for sort in ("name", "-name", "team", "owner", "tier", "status", "spend", "-calls"):
        assert boss.get(f"/workflows/?sort={sort}").status_code == 200
    assert boss.get("/workflows/?q=%00&team=%00").status_code == 200
    assert 'aria-sort="descending"' in boss.get("/workflows/").content.decode()


def test_nothing_yet_differs_from_nothing_found(boss):
    Workflow.objects.all().delete()
    assert "No workflows yet" in text(boss.get("/workflows/"))
    assert "Nothing to claim" in text(boss.get("/workflows/unassigned/"))
    assert "No teams yet" in text(boss.get("/settings/teams/"))


def test_statements_do_not_grow_with_workflows(boss, flows):
    team = Team.objects.get()

    def statements(path: str) -> int:
        boss.get(path)
        with CaptureQueriesContext(connection) as captured:
            assert boss.get(path).status_code == 200
        return len(captured)

    before = {path: statements(path) for path in PAGES}
    many = Workflow.objects.bulk_create(
        [
            Workflow(slug=f"w{n}", name=f"W {n}", status="draft" if n % 2 else "discovered", team=team)
            for n in range(150)
        ]
    )
    for workflow in many[:40]:
        used(workflow, NANO)
    Team.objects.bulk_create([Team(slug=f"t{n}", name=f"T {n}") for n in range(20)])
    assert {path: statements(path) for path in PAGES} == before
    assert before["/workflows/"] <= 10 and before["/workflows/unassigned/"] <= 13 and before["/workflows/seo/"] <= 24
    assert boss.get("/workflows/?page=2").content.decode().count("row-name") > 20


def test_unclaimed_spend_is_claimed_merged_and_ignored_from_its_rows(boss, flows):
    page = text(boss.get("/workflows/unassigned/"))
    assert "$97.00 from 12 calls" in page and "3 calls came without a workflow" in page
    claimed = boss.post("/workflows/stray/claim/", {"back": "unassigned"}, headers={"HX-Request": "true"})
    body = claimed.content.decode()
    assert claimed.status_code == 200 and "$57.00" in body and 'hx-swap-oob="true"' in body and "<tr" not in body
    undo = re.search(r'action="(/workflows/stray/undo/\d+/\?back=unassigned)"', body)[1]
    stray = Workflow.objects.get(slug="stray")
    assert (stray.status, stray.owner.username) == ("draft", "boss")
    again = boss.post("/workflows/stray/claim/", {"back": "unassigned"}, headers={"HX-Request": "true"})
    assert again.status_code == 409 and again["HX-Reswap"] == "none" and "claimed already" in again.content.decode()
    assert boss.post(undo)["Location"] == "/workflows/unassigned/"
    assert Workflow.objects.get(slug="stray").status == "discovered"
    plain = boss.post("/workflows/stray/ignore/", {"back": "unassigned"}, follow=True)
    assert "STRAY is ignored" in text(plain) and plain.redirect_chain[-1][0] == "/workflows/unassigned/"
    assert boss.post("/workflows/stray/take-back/", follow=True).status_code == 200
    assert Workflow.objects.get(slug="stray").status == "discovered"


def test_many_are_claimed_at_once(boss, flows):
    refused = boss.post("/workflows/assign/", {"chosen": ["stray"], "owner": "", "team": ""})
    assert refused.status_code == 422 and "Choose who answers for them" in text(refused)
    assert 'value="stray" form="assign" aria-label="Choose STRAY" checked' in refused.content.decode()
    assert boss.post("/workflows/assign/", {"owner": "boss"}).status_code == 422
    done = boss.post("/workflows/assign/", {"chosen": ["stray", "test-7"], "owner": "", "team": "growth"}, follow=True)
    assert "2 workflows are claimed." in text(done)
    assert Workflow.objects.filter(team__slug="growth", status="draft").count() == 2


def test_merging_is_previewed_and_confirmed(boss, flows):
    create_budget(ACTOR, BudgetValues("SEO budget", 10**9, {"workflow": "seo"}))
    create_budget(ACTOR, BudgetValues("Stray budget", 10**9, {"workflow": "stray"}))
    assert boss.get("/workflows/stray/merge/").status_code == 200
    unknown = boss.get("/workflows/stray/merge/?into=nowhere")
    assert unknown.status_code == 422 and "There is no workflow called “nowhere”" in text(unknown)
    refused = boss.get("/workflows/stray/merge/?into=test-7")
    assert refused.status_code == 422 and "Claim it first" in text(refused)
    preview = text(boss.get("/workflows/stray/merge/?into=Seo"))
    assert "Its 4 calls, $40.00 , will count under SEO" in preview
    assert "This budget is counted anew with it: SEO budget" in preview
    assert "Stray budget covers only STRAY and will count nothing" in preview
    done = boss.post("/workflows/stray/merge/", {"into": "seo", "back": "unassigned"}, follow=True)
    assert "STRAY counts under SEO now." in text(done)
    assert "$50 " in text(boss.get("/workflows/")) and "STRAY" in text(boss.get("/workflows/?status=merged"))
    shown = text(boss.get("/workflows/stray/"))
    assert "everything that names it counts under SEO" in shown and "Take apart again" in shown
    assert "Also counts here: STRAY" in text(boss.get("/workflows/seo/"))
    assert boss.get("/workflows/stray/edit/", follow=True).redirect_chain
    assert "counts for itself again" in text(boss.post("/workflows/stray/unmerge/", follow=True))
    assert boss.post("/workflows/stray/merge/", {"into": ""}).status_code == 422


def form_data(page) -> dict[str, str]:
    """What a browser would send back of the form as it stands."""
    form = page.context["form"]
    found = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in found.items() if value not in (None, "", False, [])}


def test_a_workflow_is_made_with_limits_and_edited(boss, flows):
    sent = {
        "name": "Blog drafts", "owner": "boss", "team": "growth", "stages": "draft, verify",
        "taken_back": "irreversible", "is_public": "on", "risks": "legal", "value_weight": "1,5", "default_tier": "2",
        "limit_max_output_tokens": "2,000",
        "limit_max_run_money": "$2.50", "limit_max_steps_by_kind": "retrieve 3, troubleshoot=2", "limit_daily_tokens":
        "production 2M", "limit_cache_kinds": ["prompt", "semantic"], "limit_cache_floor": "92%", "limit_cache_fresh":
        "24 hours", "limit_human_review": "public", "type_0": "extraction", "type_0_max_output_tokens": "500",
    }  # fmt: skip
    made = boss.post("/workflows/new/", sent, follow=True)
    assert "Blog drafts is a draft now" in text(made), made.context.get("form") and made.context["form"].errors
    row = Workflow.objects.get(slug="blog-drafts")
    assert row.guardrails == {
        "max_output_tokens": 2000, "max_run_money": "2.5", "max_steps_by_kind": {"retrieve": 3, "troubleshoot": 2},
        "daily_tokens": {"production": 2_000_000},
        "cache": {"kinds": ["prompt", "semantic"], "similarity_floor": "0.92", "fresh_seconds": 86_400},
        "human_review": ["public"], "by_task_type": {"extraction": {"max_output_tokens": 500}},
    }  # fmt: skip
    assert row.risk_categories == ["irreversible", "legal", "public"] and str(row.value_weight) == "1.50"
    page = boss.get("/workflows/blog-drafts/edit/")
    unchanged = boss.post("/workflows/blog-drafts/edit/", form_data(page))
    assert unchanged.status_code == 302, unchanged.context["form"].errors
    assert Workflow.objects.get(pk=row.pk).edit_version == row.edit_version, "what the form shows is what was stored"
    changed = boss.post(
        "/workflows/blog-drafts/edit/",
        form_data(page) | {"limit_max_output_tokens": "3000", "reason": "longer"},
        follow=True,
    )
    said = text(changed)
    assert "longest answer Answers have at most 2,000 tokens. to Answers have at most 3,000 tokens." in said
    assert "“longer”" in said and "For the task type extraction:" in said
    stale = boss.post("/workflows/blog-drafts/edit/", form_data(page) | {"name": "Other"})
    assert stale.status_code == 409 and "Somebody changed this workflow meanwhile" in text(stale)
    entry = AuditEntry.objects.filter(act="changed").latest("id")
    boss.post(f"/workflows/blog-drafts/undo/{entry.pk}/")
    assert Workflow.objects.get(pk=row.pk).guardrails["max_output_tokens"] == 2000


@pytest.mark.parametrize(
    ("sent", "field", "says"),
    [
        ({"name": ""}, "name", "Give the workflow a name"),
        ({"limit_max_output_tokens": "lots"}, "limit_max_output_tokens", "whole number of tokens"),
        ({"limit_max_output_tokens": "0"}, "limit_max_output_tokens", "from 1 to"),
        ({"limit_max_run_money": "two"}, "limit_max_run_money", "above zero"),
        ({"limit_max_steps_by_kind": "retrieve"}, "limit_max_steps_by_kind", "retrieve 3"),
        ({"limit_cache_floor": "120"}, "limit_cache_floor", "percent above 0"),
        ({"limit_cache_fresh": "a while"}, "limit_cache_fresh", "24 hours"),
        ({"limit_cache_kinds": ["none", "prompt"]}, "limit_cache_kinds", "Choose either"),
        ({"limit_cache_kinds": ["prompt"], "is_sensitive": "on"}, "limit_cache_kinds", "never answered from a cache"),
        ({"value_weight": "heavy"}, "value_weight", "from 0.5 to 5"),
        ({"type_0": "", "type_0_max_run_steps": "3"}, "type_0", "Name the task type"),
        ({"type_0": "chat", "type_0_max_run_steps": "0"}, "type_0_max_run_steps", "whole number of steps"),
        ({"type_0": "chat", "type_1": "chat", "type_0_max_run_steps": "1"}, "type_1", "already"),
        ({"slug": "seo"}, "slug", "already a workflow"),
        ({"risks": ",".join("abcdefghijklmn")}, "risks", "at most 12"),
        ({"owner": "nobody-here"}, "owner", "nobody-here"),
    ],
)
def test_faults_stand_under_their_field(boss, flows, sent, field, says):
    refused = boss.post("/workflows/new/", {"name": "Blog", "owner": "boss"} | sent)
    assert refused.status_code == 422
    assert says in " ".join(refused.context["form"].errors[field])
    assert f'id="{field}-err"' in refused.content.decode() and "Nothing was saved." in text(refused)


def test_claiming_by_the_form(boss, flows):
    page = boss.get("/workflows/stray/edit/")
    assert "Claim STRAY" in text(page) and page.context["form"]["owner"].value() == "boss"
    done = boss.post("/workflows/stray/edit/", form_data(page) | {"name": "Social posts"}, follow=True)
    assert "Social posts is claimed." in text(done)
    assert Workflow.objects.get(slug="stray").status == "draft"


def test_the_detail_page_leads_to_production(boss, flows):
    used(flows["seo"], 3 * NANO, when=timezone.now() - timedelta(days=40), model="old-model")
    used(flows["ads"], 0, calls=4, unpriced=4, model="mystery")
    page = text(boss.get("/workflows/ads/"))
    assert "An active budget covers all its calls" in page and "Set a budget that covers it" in page
    assert "no price yet" in page and "Nobody" not in page
    missing = text(boss.post("/workflows/ads/production/", follow=True))
    assert "Not in production yet. Set a budget that covers it" in missing
    create_budget(ACTOR, BudgetValues("All of it", 10**12))
    Workflow.objects.filter(slug="ads").update(guardrails=CAPS)
    assert "ADS is in production." in text(boss.post("/workflows/ads/production/", follow=True))
    assert "ADS is a draft again." in text(boss.post("/workflows/ads/draft/", follow=True))
    listed = rows_of(boss.get("/export/workflows/seo.csv"))
    assert {row["model"] for row in listed} == {"gpt-4.1", "old-model"} and listed[-1]["spent"] == "3.00"
    assert boss.get("/series/workflows/seo.json").status_code == 200


def test_pause_and_resume_with_reason_and_undo(boss, flows):
    paused = text(boss.post("/workflows/seo/pause/", {"reason": "Runaway loop"}, follow=True))
    assert "all its calls are stopped" in paused and "Runaway loop" in paused
    assert "runs again" in text(boss.post("/workflows/seo/resume/", follow=True))
    entry = AuditEntry.objects.latest("id")
    boss.post(f"/workflows/seo/undo/{entry.pk}/")
    assert Workflow.objects.get(slug="seo").pause_reason == "Runaway loop"
    gone = boss.post(f"/workflows/seo/undo/{entry.pk}/", follow=True)
    assert "Somebody changed this workflow meanwhile" in text(gone)
    assert boss.post("/workflows/ads/undo/999999/").status_code == 404


def test_a_workflow_may_be_called_like_a_page(boss, flows):
    Workflow.objects.create(slug="new", name="new", status="discovered")
    assert "/workflows/-/new/" in boss.get("/workflows/?status=discovered").content.decode()
    assert "<h1>new</h1>" in boss.get("/workflows/-/new/").content.decode()
    assert "named no workflow" in text(boss.get("/workflows/unassigned/"))
    assert "Calls that name no workflow are kept here" in text(boss.get("/workflows/-/unassigned/"))


def test_who_may_only_look_sees_no_buttons_and_changes_nothing(client, flows):
    looker = viewer("viewer")
    client.force_login(looker)
    for path in ("/workflows/", "/workflows/unassigned/", "/workflows/seo/", "/settings/teams/"):
        page = client.get(path)
        assert page.status_code == 200 and "an administrator can give it to you" in text(page)
        assert '<form method="post"' not in page.content.decode().split("<main")[1].split("</main")[0]
    acts = ("claim", "ignore", "take-back", "merge", "unmerge", "pause", "resume", "production", "draft", "edit")
    for act in acts:
        assert client.post(f"/workflows/stray/{act}/").status_code == 403
    for path in ("/workflows/new/", "/workflows/assign/", "/settings/teams/new/", "/settings/teams/-/growth/"):
        assert client.post(path).status_code == 403
    assert not AuditEntry.objects.exists()
    looker.memberships.create(role="policy_admin")
    assert client.post("/workflows/stray/ignore/").status_code == 302


def test_teams_are_made_changed_deleted_and_had_back(boss, flows):
    used(flows["seo"], 5 * NANO, team="growth")
    page = text(boss.get("/settings/teams/"))
    assert "Growth" in page and "CC-1" in page and "$5.00" in page
    assert rows_of(boss.get("/export/teams.csv"))[0]["spent"] == "5.00"
    refused = boss.post("/settings/teams/new/", {"name": "x" * 200})
    assert refused.status_code == 422 and "at most 128 characters" in text(refused)
    assert boss.post("/settings/teams/new/", {"name": "Growth", "slug": "growth"}).status_code == 422
    assert "Brand is added." in text(boss.post("/settings/teams/new/", BRAND, follow=True))
    form = form_data(boss.get("/settings/teams/-/brand/"))
    saved = boss.post("/settings/teams/-/brand/", form | {"name": "Brand and PR", "ledger_code": "640"}, follow=True)
    assert "Brand and PR is saved." in text(saved)
    stale = boss.post("/settings/teams/-/brand/", form | {"name": "Other"})
    assert stale.status_code == 409 and "Somebody changed this team meanwhile" in text(stale)
    kept = boss.post("/settings/teams/-/growth/delete/", follow=True)
    assert "Growth cannot be deleted: 1 workflow belongs to it" in text(kept)
    brand = Team.objects.get(slug="brand")
    gone = boss.post("/settings/teams/-/brand/delete/", follow=True)
    assert "Brand and PR is deleted." in text(gone) and not Team.objects.filter(slug="brand").exists()
    boss.post(f"/settings/teams/undo/{AuditEntry.objects.latest('id').pk}/")
    back = Team.objects.get(slug="brand")
    assert (back.pk, back.name, back.ledger_code) == (brand.pk, "Brand and PR", "640")
    changed = AuditEntry.objects.get(act="changed")
    late = boss.post(f"/settings/teams/undo/{changed.pk}/", follow=True)
    assert "Nothing was undone" in text(late)
    assert "No team matches" in text(boss.get("/settings/teams/?q=zzz"))


def test_a_merged_workflows_past_counts_under_the_other_on_every_page(boss, flows):
    merge_workflow(ACTOR, flows["stray"], flows["seo"])
    listed = {row["short_name"]: row for row in rows_of(boss.get("/export/workflows.csv?status=all"))}
    assert listed["seo"]["spent"] == "50.000000002" and listed["seo"]["calls"] == "5" and "stray" not in listed
    assert round(sum(float(row["spent"]) for row in listed.values()) * NANO) == sum(
        QuarterHour.objects.values_list("cost", flat=True)
    )
    assert "$50 " in text(boss.get("/workflows/seo/"))
