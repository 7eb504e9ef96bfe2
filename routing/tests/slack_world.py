"""A workspace of Slack with people and a request. A pytest plugin for the tests of Slack's buttons and dialogs."""

from types import SimpleNamespace

import pytest
from django.utils import timezone

from budgets.tests.asking import a_person, a_request, a_team, a_workflow, an_approver, by, dollars
from routing.models import Tier
from routing.tests.slack_people import a_slack_person
from tests.slack_server import set_up, slack_server


@pytest.fixture
def slack(settings):
    with slack_server() as server:
        set_up(settings, server)
        yield server


@pytest.fixture
def world(slack):
    team = a_team()
    workflow = a_workflow(team=team)
    kim = a_slack_person(a_person("Kim", "budget_owner", team), "U0KIM0001")
    lena = a_slack_person(an_approver("Lena", team), "U0LENA001")
    max_ = a_slack_person(an_approver("Max", team), "U0MAX0001")
    for number, name in ((1, "Economy"), (2, "Standard"), (3, "Premium")):
        Tier.objects.update_or_create(number=number, defaults={"name": name, "models": []})
    request = a_request(by(kim), now=timezone.now(), ceiling=dollars(300))
    return SimpleNamespace(team=team, workflow=workflow, kim=kim, lena=lena, max=max_, request=request)
