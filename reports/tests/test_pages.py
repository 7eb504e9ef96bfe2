"""Every page over Django's client: who may, what is said, how many statements it takes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from budgets.audit.record import Actor
from budgets.limits.edit import BudgetValues, create_budget, values_of
from budgets.models import NANO, AuditEntry, Budget, Organisation, Workflow
from reports.reference.views import coded
from reports.tests.rows import arrived, budget_with, fill_company, summed, usage_row
from tests.people import viewer as reader

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)  # no first hours of a month, which know less
PAGES = ["overview", "budgets", "budget-new", "menu", "api-reference", "spend-series", "spend-csv", "budgets-csv"]
TYPED = {
    "name": "SEO briefs",
    "covers_0": "workflow",
    "value_0": "seo-briefs",
    "metric": "money",
    "amount": "1,500",
    "period": "month",
    "thresholds": "50, 80, 100",
    "on_exhausted": "block",
    "pace": "even",
    "carry_over": "0",
}


@pytest.fixture
def viewer(client):
    client.force_login(reader("vera"))
    return client


@pytest.fixture
def seo():
    return Workflow.objects.create(slug="seo-briefs", name="SEO briefs", status="production")


@pytest.mark.parametrize("name", PAGES)
def test_pages_need_sign_in_and_lead_back(client, name):
    answer = client.get(reverse(name))
    assert answer.status_code == 302
    assert answer["Location"] == f"{reverse('sign-in')}?next={reverse(name)}"


def test_a_fragment_request_of_a_signed_out_person_loads_the_sign_in_page(client):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/?period=7d"}
    answer = client.get(reverse("overview-live"), headers=headers)
    assert answer["HX-Redirect"] == f"{reverse('sign-in')}?next=/%3Fperiod%3D7d"
    assert answer.status_code == 204


@pytest.mark.parametrize("name", PAGES)
def test_pages_open_when_there_is_nothing_yet(admin_client, name):
    assert admin_client.get(reverse(name)).status_code == 200


def test_sign_in_tells_what_is_wrong_and_slows_guessing(client):
    cache.clear()
    User.objects.create_user("lena", password="right-horse")
    wrong = {"username": "lena", "password": "wrong"}
    for _ in range(8):
        assert "is not right" in client.post(reverse("sign-in"), wrong).content.decode()
    right = {"username": "lena", "password": "right-horse"}
    assert "Too many wrong tries" in client.post(reverse("sign-in"), right).content.decode()
    cache.clear()
    assert client.post(reverse("sign-in") + "?next=/budgets/", right)["Location"] == "/budgets/"
    assert client.get(reverse("sign-out")).status_code == 405
    assert client.post(reverse("sign-out"))["Location"] == reverse("sign-in")


def test_sign_in_leads_nowhere_else(client):
    User.objects.create_user("lena", password="right-horse")
    answer = client.post(
        reverse("sign-in") + "?next=https://evil.example/", {"username": "lena", "password": "right-horse"}
    )
    assert answer["Location"] == "/"


def test_overview_says_what_it_does_not_know(admin_client):
    summed([usage_row(timezone.now(), model="acme-7b", calls=12, unpriced=12)])
    arrived(timezone.now())
    text = admin_client.get("/").content.decode()
    assert "acme-7b: no price yet" in text
    assert "12 calls without a price" in text
    assert "Not yet" in text  # no landing before a full day
    assert "premium" not in text.casefold()


def test_overview_notes_unknown_filters_and_never_breaks(admin_client):
    arrived(timezone.now())
    answer = admin_client.get("/?period=%00forever&team=x&chart=pie")
    assert answer.status_code == 200
    assert "is no period that TokenOps knows" in answer.content.decode()


def test_a_quiet_hour_and_a_slow_sum_are_told(admin_client):
    arrived(timezone.now() - timedelta(hours=2))
    assert "No usage has arrived since" in admin_client.get("/").content.decode()
    arrived(timezone.now() - timedelta(minutes=5), events=1234, folded=False)
    text = admin_client.get("/").content.decode()
    assert "No usage has arrived" not in text
    assert "<b>1,234</b> calls have arrived and are still being added up" in text


def test_paused_workflows_are_on_the_overview(admin_client, seo):
    arrived(timezone.now())
    seo.paused_at, seo.pause_reason = timezone.now(), "Loop found."
    seo.save()
    assert "SEO briefs</a> is paused" in admin_client.get("/").content.decode()


def test_demo_data_says_so_on_every_page(admin_client):
    Organisation.objects.update(is_demo=True)
    for name in ("overview", "budgets", "budget-new", "menu", "api-reference"):
        assert "<b>Demo data:</b>" in admin_client.get(reverse(name)).content.decode(), name


def test_live_answers_204_until_something_changed(admin_client):
    arrived(timezone.now())
    page = admin_client.get("/")
    url = page.context["live_url"]
    assert admin_client.get(url).status_code == 204
    arrived(timezone.now())
    answer = admin_client.get(url)
    assert answer.status_code == 200
    assert "HX-Retarget" not in answer
    text = answer.content.decode()
    assert "<html" not in text
    assert 'id="overview-budgets" hx-swap-oob="true"' in text
    summed([usage_row(timezone.now(), NANO, model="new-model")])
    arrived(timezone.now())
    answer = admin_client.get(url)
    assert (answer["HX-Retarget"], answer["HX-Reselect"]) == ("#main", "#main")


@time_machine.travel(NOON, tick=False)
def test_statements_do_not_grow_with_models_and_budgets(admin_client, django_assert_max_num_queries):
    def count(url: str) -> int:
        with django_assert_max_num_queries(30) as queries:
            assert admin_client.get(url).status_code == 200
        return len(queries)

    now = timezone.now()
    fill_company(now)
    admin_client.get("/")
    few = [count("/"), count("/budgets/"), count("/budgets/ad-copy/")]
    for i in range(30):
        workflow = Workflow.objects.create(slug=f"w{i}", name=f"W {i}", status="discovered")
        summed([usage_row(now, NANO, model=f"m{i}", workflow_id=workflow.pk)])
        budget_with(f"B {i}", 9 * NANO, {now.date(): NANO}, now, scope={"workflow": f"w{i}"})
    assert [count("/"), count("/budgets/"), count("/budgets/ad-copy/")] == few
    assert few == [26, 12, 12]


def test_the_list_finds_filters_and_pages(admin_client):
    now = timezone.now()
    for i in range(60):
        budget_with(f"Budget {i:02}", 100 * NANO, {now.date(): (100 if i < 3 else 1) * NANO}, now)
    assert admin_client.get("/budgets/").context["page"].paginator.num_pages == 2
    assert [row.name for row in admin_client.get("/budgets/?q=budget 07").context["rows"]] == ["Budget 07"]
    assert len(admin_client.get("/budgets/?status=over").context["rows"]) == 3
    assert "No budget matches" in admin_client.get("/budgets/?q=zzz").content.decode()
    assert "is no status that TokenOps knows" in admin_client.get("/budgets/?status=sad&page=x").content.decode()
    lines = admin_client.get("/export/budgets.csv?status=over").getvalue().decode().splitlines()
    assert len(lines) == 4


def test_a_budget_is_made_from_what_people_type(admin_client, admin_user, seo):
    answer = admin_client.post(reverse("budget-new"), TYPED)
    assert answer["Location"] == "/budgets/seo-briefs/"
    made = Budget.objects.get()
    assert (made.amount, made.scope, made.owner) == (1500 * NANO, {"workflow": "seo-briefs"}, admin_user)
    entry = AuditEntry.objects.get(object_type="budgets.budget")
    assert (entry.act, entry.who) == ("created", admin_user)
    page = admin_client.get(answer["Location"]).content.decode()
    assert "Budget saved. SEO briefs may use $1,500 a month." in page
    assert f"/budgets/seo-briefs/undo/{entry.pk}/" in page
    admin_client.post(f"/budgets/seo-briefs/undo/{entry.pk}/")
    page = admin_client.get("/budgets/seo-briefs/").content.decode()
    assert "It counts and limits nothing." in page and "Restore</button>" in page
    assert admin_client.get("/budgets/seo-briefs/edit/").status_code == 404


def test_a_workflow_may_be_given_by_its_name(admin_client, seo):
    admin_client.post(reverse("budget-new"), TYPED | {"value_0": "seo BRIEFS"})
    assert Budget.objects.get().scope == {"workflow": "seo-briefs"}


def test_a_budget_called_new_does_not_take_the_forms_address(admin_client, seo):
    assert admin_client.post(reverse("budget-new"), TYPED | {"name": "New"})["Location"] == "/budgets/new-budget/"


def test_everything_wrong_is_said_at_once_beside_its_field(admin_client):
    wrong = {"name": "", "amount": "lots", "thresholds": "half", "value_0": "nobody", "carry_over": "200"}
    wrong |= {"period": "fixed", "on_exhausted": "throttle", "per_minute": "-1"}
    answer = admin_client.post(reverse("budget-new"), TYPED | wrong)
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {
        "name", "amount", "thresholds", "scope", "carry_over", "starts_on", "ends_on", "action_settings",
    }  # fmt: skip
    text = answer.content.decode()
    assert 'aria-describedby="amount-err amount-facts" aria-invalid="true"' in text
    assert "Write the amount like 1,500 or 1500.50." in text
    assert 'value="lots"' in text
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    "hostile", ["\x00", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "9" * 4000, "9e99999999", "🧨" * 200]
)
def test_hostile_text_is_refused_or_shown_as_text(admin_client, seo, hostile):
    for field in TYPED:
        answer = admin_client.post(reverse("budget-new"), TYPED | {field: hostile})
        assert answer.status_code in {302, 422}, field
        assert b"<script>alert" not in answer.content
    assert b"<script>alert" not in admin_client.get("/budgets/").content
    assert b"<script>alert" not in admin_client.get("/").content


@pytest.mark.parametrize(
    "address", ["/budgets/%00/", "/budgets/%00/edit/", "/export/budgets/%00.csv", "/series/budgets/a%00.json"]
)
def test_addresses_that_no_budget_can_have_are_not_found(admin_client, address):
    assert admin_client.get(address).status_code == 404


def test_one_field_is_checked_while_it_is_typed(admin_client, seo):
    url = reverse("budget-check") + "?field=amount"
    assert admin_client.post(url, TYPED).status_code == 200
    answer = admin_client.post(url, TYPED | {"amount": "x"})
    assert answer.status_code == 422
    assert answer.content.decode().startswith('<p class="err" id="amount-err">')
    assert admin_client.post(reverse("budget-check") + "?field=__class__", TYPED).status_code == 404


def test_the_side_panel_says_what_an_amount_means(admin_client, seo):
    summed([usage_row(timezone.now(), 300 * NANO, workflow_id=seo.pk)])
    text = admin_client.post(reverse("budget-meaning"), TYPED).content.decode()
    assert "Workflow SEO briefs may use <b>$1,500</b> a month." in text
    assert "<b>$300</b> is used so far this month, 20% of it." in text
    assert "Fill in" in admin_client.post(reverse("budget-meaning"), TYPED | {"amount": ""}).content.decode()


def test_saving_a_form_as_it_stands_changes_nothing_that_it_cannot_show(admin_client, seo):
    """What the API made and the form has no field for: more digits, more conditions, another tier, a lost owner."""
    gone = User.objects.create_user("gone", is_active=False)
    scope = {"workflow": "seo-briefs", "environment": "production", "customer": "acme", "model": "gpt-5", "tag": "a=b"}
    made = create_budget(
        Actor.command("test"),
        BudgetValues(
            name="SEO briefs",
            amount=10_005_000_001,
            scope=scope,
            on_exhausted="downgrade",
            action_settings={"tier": 3},
            owner_id=gone.pk,
        ),
    )
    url = reverse("budget-edit", args=[made.slug])
    page = admin_client.get(url)
    assert '<option value="3" selected>' in page.content.decode()
    assert 'name="covers_4"' in page.content.decode()
    answer = admin_client.post(url, dict(page.context["form"].typed) | {"name": "Renamed"})
    assert answer.status_code == 302, answer.context["form"].errors
    before = values_of(made)
    made.refresh_from_db()
    assert values_of(made) == replace(before, name="Renamed")


def test_an_edit_made_on_an_old_page_is_refused(admin_client, seo):
    admin_client.post(reverse("budget-new"), TYPED)
    url = reverse("budget-edit", args=["seo-briefs"])
    typed = dict(admin_client.get(url).context["form"].typed) | {"amount": "2,000", "reason": "Q4"}
    assert admin_client.post(url, typed).status_code == 302
    assert Budget.objects.get().amount == 2000 * NANO
    answer = admin_client.post(url, typed | {"amount": "9,000"})
    assert answer.status_code == 409
    assert "Nothing was saved" in answer.content.decode()
    assert Budget.objects.get().amount == 2000 * NANO
    page = admin_client.get("/budgets/seo-briefs/").content.decode()
    assert "amount <s>$1,500</s> to <b>$2,000</b>" in page
    assert "“Q4”" in page


def test_pause_and_undo(admin_client, seo):
    admin_client.post(reverse("budget-new"), TYPED)
    assert admin_client.get("/budgets/seo-briefs/pause/").status_code == 405
    admin_client.post("/budgets/seo-briefs/pause/")
    assert Budget.objects.get().status == "paused"
    entry = AuditEntry.objects.order_by("-pk").first()
    admin_client.post(f"/budgets/seo-briefs/undo/{entry.pk}/")
    assert Budget.objects.get().status == "active"
    # That row is no longer the newest: undoing it again must not undo the undo.
    page = admin_client.post(f"/budgets/seo-briefs/undo/{entry.pk}/", follow=True).content.decode()
    assert Budget.objects.get().status == "active"
    assert "Nothing was saved" in page


def test_a_viewer_sees_everything_changes_nothing_and_is_told_who_can(viewer, seo):
    now = timezone.now()
    budget_with("Ads", 100 * NANO, {now.date(): NANO}, now)
    assert "New budget" not in viewer.get("/budgets/").content.decode()
    page = viewer.get("/budgets/ads/").content.decode()
    assert "Pause" not in page
    assert "Edit" not in page
    for url in (
        "/budgets/new/",
        "/budgets/ads/edit/",
        "/budgets/ads/pause/",
        "/budgets/ads/undo/1/",
        "/budget-meaning/",
    ):
        answer = viewer.post(url, TYPED)
        assert answer.status_code == 403, url
        assert "an administrator of your organisation has it" in answer.content.decode().replace("\n", " ")
    assert Budget.objects.get().status == "active"
    user = User.objects.get(username="vera")
    user.memberships.create(role="finance")
    assert "New budget" in viewer.get("/budgets/").content.decode()


def test_a_form_from_elsewhere_is_refused_in_words(admin_user):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    answer = strict.post("/budgets/new/", TYPED)
    assert answer.status_code == 403
    assert "too old to be safe" in answer.content.decode()


def test_a_wrong_address_is_answered_in_words(admin_client):
    answer = admin_client.get("/budgets/none/")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


@pytest.mark.parametrize(
    ("metric", "limit", "words"), [("tokens", 5_000_000, "of 5M tokens"), ("calls", 400, "of 400 calls")]
)
@pytest.mark.parametrize("period", ["day", "week", "month", "quarter", "year", "fixed"])
def test_each_period_and_metric_has_a_page(admin_client, metric, limit, words, period):
    now = timezone.now()
    today = now.date()
    more = {"starts_on": today - timedelta(days=3), "ends_on": today + timedelta(days=3)} if period == "fixed" else {}
    daily = {today - timedelta(days=i): limit // 50 for i in range(20)}
    budget_with("Any", limit, daily, now, metric=metric, period=period, scope={"tag": "a=b"}, **more)
    page = admin_client.get("/budgets/any/")
    assert page.status_code == 200
    text = page.content.decode()
    assert words in text
    # Days of a daily budget are not added up: each stands against the limit.
    assert (">In all<" in text, ">Limit<" in text) == (period != "day", period == "day")
    assert admin_client.get("/series/budgets/any.json").status_code == 200
    assert admin_client.get("/budgets/any/edit/").status_code == 200
    assert "running_total" in admin_client.get("/export/budgets/any.csv").getvalue().decode()


def test_the_api_page_lists_what_the_schema_has(admin_client):
    text = admin_client.get("/api/").content.decode()
    assert "/api/v1/events" in text
    assert admin_client.get("/api/schema/").status_code == 200


def test_reference_starts_with_sending_usage_and_shows_names_as_code(admin_client):
    text = admin_client.get(reverse("api-reference")).content.decode()
    assert text.index("<code>/api/v1/events</code>") < text.index("<code>/api/v1/budgets</code>")
    assert "<code>TokenOps-Signature</code>" in text
    assert "`" not in text
    assert "TOKENOPS_DEMO=1" not in text
    Organisation.objects.update(is_demo=True)
    assert "TOKENOPS_DEMO=1 .venv/bin/python manage.py create_api_key" in admin_client.get("/api/").content.decode()


def test_reference_escapes_what_the_schema_says():
    assert coded("<b> `a<b`\n is") == "&lt;b&gt; <code>a&lt;b</code> is"


def test_administration_speaks_of_tokenops_in_plain_plurals(admin_client):
    text = admin_client.get(reverse("admin:index")).content.decode()
    for words in ("TokenOps administration", "API keys", "Audit entries", "Price refreshes", "Re-price runs"):
        assert words in text, words
