"""Keys that are limited to teams: whose usage they may send, and that the bundle is not for them."""

import json

import pytest
from django.utils import timezone

from budgets.access import directory
from budgets.access.keys import make_key
from budgets.models import Team, Workflow
from usage.ingest import workflows
from usage.models import QuarantinedItem

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def teams():
    workflows.forget()
    made = [Team.objects.create(slug=slug, name=slug) for slug in ("brand", "growth")]
    for team in made:
        Workflow.objects.create(slug=f"{team.slug}-flow", name=team.slug, team=team, status="production")
    yield made
    workflows.forget()


def send(client, key, **event):
    event = {"id": event.pop("id"), "time": timezone.now().isoformat(), "model": "gpt-4.1", "input_tokens": 1} | event
    return client.post(
        "/api/v1/events",
        json.dumps([event]),
        content_type="application/json",
        headers={"authorization": f"Bearer {key}"},
    )


def test_it_sends_usage_of_its_teams_and_of_what_nobody_owns(client):
    _, key = make_key("brand's", ["ingest"], teams=["brand"])
    directory.directory().load()
    for n, event in enumerate(({"workflow": "brand-flow"}, {"workflow": "new-one"}, {}, {"team": "brand"})):
        assert send(client, key, id=f"good-{n}", **event).status_code == 200, event
    for n, event in enumerate(({"workflow": "growth-flow"}, {"team": "growth"})):
        answer = send(client, key, id=f"bad-{n}", **event)
        assert answer.status_code == 207
        assert answer.json()["items"][0]["problem"]["type"].endswith("team-not-allowed")
    assert QuarantinedItem.objects.filter(code="team-not-allowed").count() == 2
    _, free = make_key("everybody's", ["ingest"])
    directory.directory().load()
    assert send(client, free, id="free", workflow="growth-flow").status_code == 200


def test_the_bundle_is_not_for_it(client):
    _, key = make_key("old", ["bundle"], teams=["brand"])  # as one that was made before this was refused
    directory.directory().load()
    answer = client.get("/api/v1/policy-bundle", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 403 and "limited to teams" in answer.json()["detail"]
