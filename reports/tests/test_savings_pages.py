"""The pages of the savings: totals, CSV, what is prepared and by whom, team reach, statements, how a run is held."""

import csv
import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.models import AuditEntry, Membership, Team, Workflow
from reports.models import SavingsRun
from reports.savings import take
from reports.savings.levers import BY_KEY
from reports.savings.reading import newest_for
from reports.savings.result import read, written
from reports.tests.savings_ledger import BOTH_ALONE, BOTH_TOGETHER, NOW, SAVED, worked_out
from routing.models import PolicyVersion
from routing.policy.document import read as read_policy
from tests.people import someone

pytestmark = pytest.mark.django_db
NANO = 10**9


@pytest.fixture(scope="module")
def run(lasting, django_db_blocker):
    with django_db_blocker.unblock(), time_machine.travel(NOW, tick=False):
        made = worked_out()
        User.objects.create_superuser("lena", password="a-long-horse-for-tests")
        return made


@pytest.fixture
def lena(run):
    client = Client()
    client.force_login(User.objects.get(username="lena"))
    return client


def signed_in(role, team=None):
    client = Client()
    client.force_login(someone(role, team))
    return client


def lines(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))


def text(answer):
    return answer.content.decode()


def test_totals_of_page_and_csv_are_one(lena, run):
    result = read(run.result)
    saved = sum(of.saved for of in result.workflows.values())
    assert saved == sum(SAVED.values()) + sum(BOTH_TOGETHER.values())
    shown = newest_for(User.objects.get(username="lena")).shown
    assert (shown.saved, shown.cost) == (saved, result.spent)
    by_lever = lines(lena, "/export/savings.csv")
    assert sum(Decimal(one["saved_on_top"] or 0) for one in by_lever) == Decimal(saved) / NANO
    by_workflow = lines(lena, "/export/savings-workflows.csv")
    assert sum(Decimal(one["saved"]) for one in by_workflow) == Decimal(saved) / NANO
    assert sum(Decimal(one["cost"]) for one in by_workflow) == Decimal(result.spent) / NANO
    alone = {one["short_name"]: one["saved_alone"] for one in lines(lena, "/export/savings/levers/answers.csv")}
    assert Decimal(alone["both"]) == Decimal(BOTH_ALONE["answers"]) / NANO
    page = text(lena.get("/savings/"))
    assert "$550" in page  # 549 for the small model, 0.97 for all others
    assert "all levers together would have saved $550" in page


def test_levers_stand_in_the_order_of_pulling(lena):
    page = text(lena.get("/savings/"))
    places = [page.index(f"/savings/levers/{one.key}/") for one in sorted(BY_KEY.values(), key=lambda one: one.place)]
    assert places == sorted(places)
    assert page.index("After an evaluation") < page.index("/savings/levers/routing-down/")


def test_every_lever_has_a_page_and_its_calls(lena):
    for key in BY_KEY:
        assert lena.get(f"/savings/levers/{key}/").status_code == 200
        page = text(lena.get(f"/savings/levers/{key}/in/{key}/"))
        assert "Calls behind it" in page
        assert (f'href="/spend/runs/{key}/r' in page) == (key in {"retries", "loops"})
        assert lines(lena, f"/export/savings/levers/{key}/{key}.csv")
    assert "is unknown" in text(lena.get("/savings/levers/history/in/retries/"))
    assert lena.get("/savings/levers/no-such/").status_code == 404
    assert lena.get("/savings/levers/answers/in/retries/").status_code == 404


def test_a_limit_is_prepared_in_the_form_and_saved_by_a_person(lena):
    page = text(lena.get("/savings/levers/answers/"))
    assert "/workflows/answers/edit/?limit_max_output_tokens=100#limits" in page
    form = lena.get("/workflows/answers/edit/?limit_max_output_tokens=100")
    assert "Filled in for you, not saved yet:" in text(form)
    assert form.context["form"]["limit_max_output_tokens"].value() == "100"
    assert Workflow.objects.get(slug="answers").guardrails == {}
    task = lena.get("/workflows/structured/edit/?task_type=extraction&task_max_output_tokens=80&sort=x")
    assert task.context["form"]["type_0"].value() == "extraction"
    assert task.context["form"]["type_0_max_output_tokens"].value() == "80"
    assert "This form has no sort" in text(task)


def test_a_draft_is_prepared_and_nothing_is_published(lena):
    live = PolicyVersion.objects.get(live=True)
    made = lena.post("/savings/levers/routing-down/prepare/", {"workflow": "routing-down"})
    draft = PolicyVersion.objects.get(state="draft", based_on=live)
    assert made["Location"] == f"/routing/drafts/{draft.pk}/"
    (rule,) = read_policy(draft.document).rules
    assert (rule.when.workflow, rule.when.stage, rule.then.tier) == (["routing-down"], ["draft"], 1)
    assert PolicyVersion.objects.get(live=True) == live
    assert AuditEntry.objects.filter(object_type="routing.policyversion", act="began").exists()


def test_a_draft_for_all_workflows_has_a_rule_each(lena):
    lena.post("/savings/levers/routing-down/prepare/")
    draft = PolicyVersion.objects.filter(state="draft").latest("pk")
    assert {rule.when.workflow[0] for rule in read_policy(draft.document).rules} == {"both", "routing-down"}


def test_a_model_that_no_tier_has_is_not_prepared(lena):
    before = PolicyVersion.objects.count()
    lena.post("/savings/levers/newer-model/prepare/")
    assert PolicyVersion.objects.count() == before
    assert "names none of the models" in text(lena.get("/savings/levers/newer-model/"))


def test_preparing_takes_the_right_of_the_edit(run):
    client = signed_in("viewer")
    page = text(client.get("/savings/levers/answers/"))
    assert "Prepare" not in page.replace('<span class="vh">Prepare</span>', "")
    assert "takes the right to change the policy" in text(client.get("/savings/levers/batch/"))
    assert client.post("/savings/levers/batch/prepare/").status_code == 403
    assert client.post("/savings/again/").status_code == 403
    assert "Work it out again" not in text(client.get("/savings/"))
    owner = signed_in("budget_owner", Team.objects.get(slug="growth"))
    assert "limit_max_output_tokens=100" in text(owner.get("/savings/levers/answers/"))


def test_people_of_a_team_see_their_workflows_only(run):
    other = Team.objects.create(slug="brand", name="Brand")
    Workflow.objects.filter(slug="answers").update(team=other)
    client = signed_in("viewer", other)
    assert {one["short_name"] for one in lines(client, "/export/savings-workflows.csv")} == {"answers"}
    assert "would have saved $0.01, 2% of $0.31" in text(client.get("/savings/"))
    assert client.get("/savings/levers/batch/in/batch/").status_code == 404
    assert {one["short_name"] for one in lines(client, "/export/what-if.csv")} == {"answers"}


@pytest.mark.parametrize(
    ("address", "statements"),
    [("/savings/", 7), ("/savings/levers/answers/", 8), ("/savings/levers/answers/in/answers/", 10)],
)
def test_statements(lena, django_assert_num_queries, address, statements):
    lena.get(address)
    with django_assert_num_queries(statements):
        lena.get(address)


def test_before_the_first_run_the_page_says_when(lena):
    SavingsRun.objects.all().delete()
    assert "Not worked out yet" in text(lena.get("/savings/"))
    assert lena.get("/savings/levers/answers/").status_code == 404
    assert lines(lena, "/export/savings.csv") == []
    assert "Not worked out yet" in text(lena.get("/savings/what-if/"))


def test_asked_for_watched_and_done(lena):
    assert lena.post("/savings/again/").status_code == 302
    assert lena.post("/savings/again/").status_code == 302
    waiting = SavingsRun.objects.get(state="waiting")
    assert waiting.asked_by.username == "lena"
    assert "It starts in a moment" in text(lena.get("/savings/progress/"))
    assert "It is being worked out" in text(lena.get("/savings/"))
    assert take.work_off() == 1
    assert lena.get("/savings/progress/").status_code == 204
    assert AuditEntry.objects.filter(object_type="reports.savingsrun", act="requested").count() == 1


def test_the_night_asks_once_a_day(run):
    with time_machine.travel(NOW, tick=False):
        assert not take.ask_nightly()
    with time_machine.travel(NOW + timedelta(days=1), tick=False):
        assert take.ask_nightly()
        assert not take.ask_nightly()
        assert take.work_off() == 1
        assert not take.ask_nightly()
        assert take.newest_done().last_day == run.last_day + timedelta(days=1)


def test_what_a_dead_worker_left_is_begun_anew(run):
    asked, _ = take.ask()
    SavingsRun.objects.filter(pk=asked.pk).update(state="running", claimed_at=timezone.now(), done=7)
    with time_machine.travel(NOW, tick=False):
        assert take.work_off() == 1
    asked.refresh_from_db()
    assert asked.state == "done"


def test_a_fault_is_on_the_run_and_on_the_page(lena, monkeypatch):
    take.ask()
    monkeypatch.setattr(take.basis, "read_basis", lambda window: 1 / 0)
    take.work_off()
    page = text(lena.get("/savings/"))
    assert "The last try stopped" in page
    assert "division by zero" not in page and "under the code" in page
    assert "would have saved" in page  # what was found before stays


def test_a_sample_is_said_and_scaled_to_what_was_spent(lena, monkeypatch):
    monkeypatch.setattr(take, "MOST_CALLS", 400)
    with time_machine.travel(NOW, tick=False):
        asked, _ = take.ask()
        take.work_off()
    asked.refresh_from_db()
    result = read(asked.result)
    assert 0 < result.taken < result.calls
    assert sum(of.cost for of in result.workflows.values()) == result.spent
    batch = result.workflows["batch"]
    assert batch.before < batch.cost == 300_000_000
    page = text(lena.get("/savings/"))
    assert "Scaled up from a sample" in page
    drafts = [one for of in result.workflows.values() if (one := of.levers.get("routing-down")) and one.terms]
    said = f"on {sum(one.calls for one in drafts)} calls of the sample, scaled up"
    assert said in text(lena.get("/savings/levers/routing-down/"))
    with time_machine.travel(NOW, tick=False):
        again, _ = take.ask()
        take.work_off()
    again.refresh_from_db()
    assert again.result == asked.result  # the same calls at each look


def test_only_the_newest_are_kept(run, monkeypatch):
    monkeypatch.setattr(take, "KEPT", 1)
    with time_machine.travel(NOW, tick=False):
        newest, _ = take.ask()
        take.work_off()
    assert list(SavingsRun.objects.values_list("pk", flat=True)) == [newest.pk]


def test_what_is_stored_comes_back(run):
    assert json.loads(json.dumps(written(read(run.result)))) == run.result


def test_unknown_filters_are_said(lena):
    assert "This page has no filter “team”" in text(lena.get("/savings/?team=x"))
    assert lena.get("/savings/?page=no").status_code == 200


def test_somebody_without_a_role_is_told(run):
    client = Client()
    client.force_login(User.objects.create_user("nobody"))
    assert client.get("/savings/").status_code == 403
    assert not Membership.objects.filter(user__username="nobody").exists()
