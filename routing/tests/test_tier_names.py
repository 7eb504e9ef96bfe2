"""Requests for premium models know the tiers there are, and what they are called now."""

import pytest

from budgets.approvals.facts import Facts
from budgets.approvals.open import InvalidRequest, open_request
from budgets.approvals.words import subject
from budgets.tests.asking import ACTOR, NOW, a_workflow, premium
from routing.models import Tier

pytestmark = pytest.mark.django_db


def test_a_request_names_the_tier_as_it_is_called_now():
    a_workflow()
    Tier.objects.filter(number=3).update(name="Best")
    request = open_request(ACTOR, premium(), Facts(), NOW)
    assert subject(request) == "Best models for SEO briefs"


def test_a_tier_that_is_not_there_cannot_be_asked_for():
    a_workflow()
    Tier.objects.filter(number=3).delete()
    with pytest.raises(InvalidRequest, match="1 for Economy, 2 for Standard"):
        open_request(ACTOR, premium(), Facts(), NOW)
