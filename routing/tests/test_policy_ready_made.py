"""What an installation has in force from the beginning: a fresh one, and one that was there before policies."""

import pytest
from django.core.management import call_command
from django.db import connection

from budgets.audit.record import record
from budgets.models import Organisation
from routing.models import PolicyVersion, Tier
from routing.policy.edit import live_version
from routing.policy.publish import publish
from routing.policy.ready_made import RULES
from routing.tests.policies import ACTOR, a_draft, a_policy, live
from routing.tiers.first_rows import ensure_first_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def before_policies():
    """As the tables are after the migration of an installation that had tiers."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE routing_policyversion CASCADE")
    Tier.objects.filter(number=3).update(name="Best")


def test_a_fresh_installation_begins_with_the_rules(before_policies):
    ensure_first_rows()
    (first,) = PolicyVersion.objects.all()
    assert (first.number, first.live, first.published_text) == (1, True, "TokenOps")
    assert live().rules == list(RULES)
    assert [tier.name for tier in live().tiers] == ["Economy", "Standard", "Best"]
    ensure_first_rows()
    assert PolicyVersion.objects.count() == 1


def test_an_installation_in_use_behaves_as_before_and_is_offered_the_rules(before_policies):
    record(ACTOR, "changed", Organisation.get(), {}, {"name": "We"})
    ensure_first_rows()
    offered, first = PolicyVersion.objects.all()
    assert (first.number, first.live) == (1, True)
    assert (live().rules, live().daily_tokens, live().unlisted_models) == ([], {}, "allow")
    assert [tier.name for tier in live().tiers] == ["Economy", "Standard", "Best"]
    assert (offered.state, offered.title, offered.based_on) == ("draft", "Ready-made rules", first)
    assert publish(ACTOR, offered).number == 2
    assert live().rules == list(RULES)


def test_other_tiers_are_offered_nothing(before_policies):
    record(ACTOR, "changed", Organisation.get(), {}, {"name": "We"})
    Tier.objects.filter(number=3).delete()
    ensure_first_rows()
    assert [one.state for one in PolicyVersion.objects.all()] == ["published"]


def test_migrating_again_changes_nothing():
    publish(ACTOR, a_draft(a_policy()))
    call_command("migrate", verbosity=0)
    assert live_version().number == 2
    assert live() == a_policy()
