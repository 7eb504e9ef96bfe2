"""The set-up list: every step, in any order, resumable; the key shown once; the test call through the real intake."""

import pytest

from budgets.models import NANO, ApiKey, AuditEntry, Budget, Organisation, Workflow
from tests.people import viewer
from usage.models import LedgerEntry
from usage.rollups.fold import fold_all
from usage.welcome.steps import progress

pytestmark = pytest.mark.django_db


def states():
    return {step.key: step.state for step in progress(Organisation.get()).steps}


def test_a_fresh_installation_begins_with_the_first_step(admin_client):
    text = admin_client.get("/welcome/").content.decode()
    assert "0 of 5 done" in text
    assert 'id="step-title">Say who you are' in text
    assert set(states().values()) == {"open"}


def test_each_step_is_done_by_what_is_there(admin_client):
    admin_client.post("/welcome/company/confirm/")
    admin_client.post("/welcome/key/", {"name": "My gateway"})
    admin_client.post("/welcome/test/")
    Workflow.objects.filter(slug="welcome-test").update(status="draft")
    admin_client.post("/welcome/prices/confirm/")
    Budget.objects.create(slug="all", name="All", amount=NANO)
    fold_all()
    assert set(states().values()) == {"done"}
    text = admin_client.get("/welcome/").content.decode()
    assert "Everything is set up." in text
    assert "Everything is set up" in admin_client.get("/welcome/card/").content.decode()


def test_the_key_is_shown_on_one_page_only_and_works(admin_client, client):
    page = admin_client.post("/welcome/key/", {"name": "My gateway"})
    assert "no-store" in page["Cache-Control"]
    key = ApiKey.objects.get()
    assert key.scopes == ["bundle", "ingest"]
    assert page.content.decode().count(key.prefix) == 2  # the key, and the command with it
    assert key.prefix not in admin_client.get("/welcome/?step=usage").content.decode()
    again = admin_client.post("/welcome/key/", {"name": "My gateway"})  # a reload of the answer
    assert again.status_code == 422
    assert "is there already" in again.content.decode()
    assert ApiKey.objects.count() == 1
    entry = AuditEntry.objects.get(object_type="budgets.apikey")
    assert entry.after["name"] == "My gateway"
    assert "tok_" not in str(entry.after)


def test_a_name_without_letters_is_refused_with_a_sentence(admin_client):
    for name, sentence in (("", "This field is required."), ("!!!", "Say in a few letters or digits")):
        answer = admin_client.post("/welcome/key/", {"name": name})
        assert answer.status_code == 422
        assert sentence in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_the_test_call_arrives_and_costs_nothing(admin_client):
    assert "Nothing yet" in admin_client.get("/welcome/arrival/").content.decode()
    admin_client.post("/welcome/test/")  # no key yet: told, nothing sent
    assert not LedgerEntry.objects.exists()
    admin_client.post("/welcome/key/", {"name": "My gateway"})
    admin_client.post("/welcome/test/")
    row = LedgerEntry.objects.get()
    assert (row.cost, row.unpriced, row.environment) == (0, 0, "test")
    line = admin_client.get("/welcome/arrival/").content.decode()
    assert "Arrived" in line
    assert "workflow welcome-test, model gpt-4o-mini, $0.00" in line


def test_a_step_is_skipped_and_taken_up_again(admin_client):
    admin_client.post("/welcome/company/skip/")
    assert states()["company"] == "skipped"
    assert progress(Organisation.get()).next.key == "usage"
    assert "Do it after all" in admin_client.get("/welcome/?step=company").content.decode()
    admin_client.post("/welcome/company/reopen/")
    assert states()["company"] == "open"
    assert AuditEntry.objects.filter(act="set up").count() == 2


def test_unknown_steps_are_not_found_and_get_changes_nothing(admin_client):
    assert admin_client.post("/welcome/nothing/skip/").status_code == 404
    assert admin_client.post("/welcome/company/delete/").status_code == 404
    assert admin_client.get("/welcome/company/skip/").status_code == 405
    assert admin_client.get("/welcome/?step=nothing").status_code == 200


def test_the_list_is_put_away_and_brought_back(admin_client):
    assert "/welcome/card/" in admin_client.get("/budgets/").content.decode()
    admin_client.post("/welcome/finish/")
    assert "/welcome/card/" not in admin_client.get("/budgets/").content.decode()
    admin_client.post("/welcome/unfinish/")
    assert "/welcome/card/" in admin_client.get("/budgets/").content.decode()


def test_who_may_not_change_sees_and_is_refused(client):
    client.force_login(viewer())
    page = client.get("/welcome/?step=usage").content.decode()
    assert "An administrator of your organisation can make one." in page
    assert "<button" not in page.split('id="step"')[1].split("</section>")[0]
    for path in ("/welcome/key/", "/welcome/test/", "/welcome/company/skip/", "/welcome/finish/"):
        assert client.post(path).status_code == 403
    assert Organisation.get().setup == {}


def test_statements_are_few(admin_client, django_assert_max_num_queries):
    with django_assert_max_num_queries(8):
        admin_client.get("/welcome/?step=company")
