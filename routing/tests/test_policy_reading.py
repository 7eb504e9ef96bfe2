"""What the policy's pages show, to whom, as CSV too, and in how many statements."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.models import Team, Workflow
from routing.models import ModelMeasure, PolicyReplay, PolicyVersion
from routing.policy.edit import begin_draft, discard_draft
from routing.tests.policies import ACTOR, a_draft, a_policy, a_rule, a_tier, published
from tests.people import someone, viewer

pytestmark = pytest.mark.django_db
State = PolicyVersion.State


@pytest.fixture
def lena(client):
    user = User.objects.create_superuser("lena", first_name="Lena", last_name="Kraus")
    client.force_login(user)
    return user


def text_of(answer):
    return answer.content.decode()


def lines(answer):
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def a_two_model_policy(*rules, **values):
    tiers = [a_tier(1, "openai/gpt-4.1-mini", "made-up/one"), a_tier(3, "openai/gpt-5", needs_approval=True)]
    return a_policy(*rules, tiers=tiers, **values)


def test_the_page_shows_what_is_in_force_with_prices_and_what_is_measured(client, lena):
    ModelMeasure.objects.create(
        provider="made-up", model="one", calls=1240, latency_ms=790, reviewed_runs=25, approved_runs=20,
        measured_at=timezone.now(),
    )  # fmt: skip
    Workflow.objects.create(slug="briefs", name="SEO briefs", default_tier=1)
    rule = a_rule("final", {"stage": ["publish"], "workflow": ["briefs"]}, tier=3, review=True)
    version = published(a_two_model_policy(rule, daily_tokens={"*": 500}))
    page = text_of(client.get("/routing/"))
    assert f"Version {version.number}</a> is in force since" in page
    assert "If the workflow is SEO briefs and the stage is publish → Premium, a person reviews" in page
    for said in (
        "1. openai/gpt-4.1-mini", "$0.40", "$1.60", "no price yet", "800 ms", "measured on 1,240 calls", "0.8",
        "from 25 reviewed runs", "Needs approval", "Usual tier of 1 workflow",
        "Each workflow may use 500 tokens a day in every environment but production",
        "Tried from the top",
    ):  # fmt: skip
        assert said in page, said


def test_it_says_how_many_calls_each_rule_fitted_once_that_was_found_out(client, lena):
    version = published(a_policy(a_rule("first", {"stage": ["draft"]}, tier=1), a_rule("second", tier=2)))
    assert "Calls it fitted" not in text_of(client.get("/routing/"))
    now = timezone.now()
    PolicyReplay.objects.create(
        version=version, edit_version=1, starts_at=now - timedelta(days=30), ends_at=now, state="done", calls=90_000,
        taken=50_000, finished_at=timezone.now(),
        result={"live_number": version.number, "rules": {"first": {"live": 41_000, "draft": 1}}},
    )  # fmt: skip
    page = text_of(client.get("/routing/"))
    assert "Calls it fitted" in page
    assert ", a sample of them" in page
    assert 'data-label="Calls it fitted">41,000</td>' in page
    assert 'data-label="Calls it fitted">0</td>' in page
    rows = lines(client.get("/export/policy-rules.csv"))
    assert [row["calls_fitted"] for row in rows] == ["41000", "0"]


def test_the_csv_of_tiers_and_of_a_version(client, lena):
    version = published(a_two_model_policy(a_rule("only", tier=1)))
    published(a_policy())
    rows = lines(client.get(f"/export/policy-tiers.csv?version={version.number}"))
    assert [(row["tier"], row["model"], row["currency"], row["input_per_million"]) for row in rows] == [
        ("1", "gpt-4.1-mini", "USD", "0.4"), ("1", "one", "", ""), ("3", "gpt-5", "USD", "1.25"),
    ]  # fmt: skip
    assert lines(client.get(f"/export/policy-rules.csv?version={version.number}"))[0]["when"] == "Every call"
    for wrong in ("version=4444", "version=x", "draft=-1", "draft=99999999999999"):
        assert client.get(f"/export/policy-rules.csv?{wrong}").status_code == 404


@pytest.mark.parametrize("role", ["viewer", "finance", "approver"])
def test_those_who_may_not_change_it_see_everything_and_are_told_who_can(client, role):
    User.objects.create_superuser("lena", first_name="Lena", last_name="Kraus")
    draft = a_draft(a_policy(a_rule("a", tier=1)))
    client.force_login(someone(role))
    live_page, draft_page = text_of(client.get("/routing/")), text_of(client.get(f"/routing/drafts/{draft.pk}/"))
    assert "Changing them takes the role Policy admin; Lena Kraus can give it to you." in live_page
    for page in (live_page, draft_page):
        main = page.partition('id="main"')[2].partition("</main>")[0]
        assert "<button" not in main
    for path in (
        "",
        "discard/",
        "publish/",
        "undo/",
        "rules/new/",
        "tiers/1/remove/",
        "rule/a/move/",
        "default/check/",
    ):
        assert client.post(f"/routing/drafts/{draft.pk}/{path}").status_code in {403, 405}, path
    assert client.post("/routing/drafts/").status_code == 403
    assert client.get(f"/routing/drafts/{draft.pk}/rules/new/").status_code == 403
    assert client.get(f"/routing/drafts/{draft.pk}/compare/").status_code == 200


def test_a_policy_admin_may_and_a_team_s_role_sees_nothing_of_it(client):
    client.force_login(someone("policy_admin"))
    client.post("/routing/drafts/")
    draft = PolicyVersion.objects.get(state=State.DRAFT)
    answer = client.post(f"/routing/drafts/{draft.pk}/publish/", {"seen": 1, "over": draft.based_on.number})
    assert answer["Location"] == "/routing/"
    client.force_login(someone("budget_owner", Team.objects.create(slug="content", name="Content")))
    for path in ("/routing/", "/routing/try/", "/routing/versions/1/", "/export/policy-rules.csv"):
        assert client.get(path).status_code == 403
    assert Client().get("/routing/").status_code == 302


def test_statements_of_the_pages_do_not_grow(client, lena, django_assert_max_num_queries):
    rules = [a_rule(f"r{n}", {"stage": [f"s{n}"], "workflow": [f"w{n}"]}, tier=1) for n in range(40)]
    Workflow.objects.bulk_create(Workflow(slug=f"w{n}", name=f"W {n}", default_tier=1) for n in range(40))
    for _ in range(3):
        published(a_policy(*rules))
        rules = rules[1:]
    draft = a_draft(a_policy(*rules, tiers=[a_tier(1, *(f"a/m{n}" for n in range(30))), a_tier(2, "a/two")]))
    discard_draft(ACTOR, begin_draft(ACTOR, "Other"))
    for path, most in (
        ("/routing/", 13), (f"/routing/drafts/{draft.pk}/", 19), (f"/routing/drafts/{draft.pk}/compare/", 7),
        (f"/routing/drafts/{draft.pk}/rule/r5/", 14), (f"/routing/drafts/{draft.pk}/tiers/1/", 8),
        ("/routing/try/", 6), ("/routing/try/?workflow=w1", 21),
    ):  # fmt: skip
        client.get(path)
        with django_assert_max_num_queries(most):
            assert client.get(path).status_code == 200, path


def test_the_menu_leads_there(client):
    client.force_login(viewer())
    assert 'href="/routing/" aria-current="page"' in text_of(client.get("/routing/"))
