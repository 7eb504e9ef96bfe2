"""Tiers and the dated catalogue that the ledger charges by."""

from datetime import timedelta

import msgspec
import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from budgets.models import Organisation
from budgets.organisation.configuration import changing_configuration
from routing.models import Tier
from routing.policy.document import PolicyModel
from routing.tests.policies import live, published
from routing.tiers.publish import FROM_THE_BEGINNING, publish_tiers
from tests.people import viewer
from usage.models import ModelTier, PriceEntry
from usage.prices import book as price_book
from usage.prices.tiers import tier_of


def generation() -> int:
    return Organisation.get().generation


def publish_with(change):
    """Publish the policy in force with its tiers' lists of models changed: number → models."""
    policy = live()
    models = {tier.number: list(tier.models) for tier in policy.tiers}
    change(models)
    tiers = [msgspec.structs.replace(tier, models=models[tier.number]) for tier in policy.tiers]
    return published(msgspec.structs.replace(policy, tiers=tiers))


@pytest.mark.django_db
def test_the_catalogue_is_filled_by_the_migration():
    assert ModelTier.objects.count() == sum(len(tier.models) for tier in Tier.objects.all())
    assert set(ModelTier.objects.values_list("valid_from", flat=True)) == {FROM_THE_BEGINNING}
    assert publish_tiers() == 0, "the first tiers are named in the price book's words"


@pytest.mark.django_db
def test_publishing_that_is_rolled_back_leaves_no_book_in_memory():
    """The generation it had comes again, with whatever prices another process then writes under it."""
    with pytest.raises(RuntimeError), transaction.atomic():
        publish_tiers()
        raise RuntimeError
    with changing_configuration() as again:
        PriceEntry.objects.create(provider="acme", model="acme-1", valid_from=FROM_THE_BEGINNING, input=1, output=1)
    assert price_book.current(again).find("acme", "acme-1", "standard", timezone.now()) is not None


@pytest.mark.django_db
def test_a_move_is_dated_and_the_past_keeps_its_tier():
    moved = live().tiers[0].models[-1]
    before = timezone.now()
    publish_with(lambda models: models[3].append(models[1].pop()))
    after = timezone.now() + timedelta(seconds=1)
    assert tier_of(generation(), moved.provider, moved.model, before) == 1
    assert tier_of(generation(), moved.provider, moved.model, after) == 3


@pytest.mark.django_db
def test_a_model_that_left_every_tier_has_none():
    gone = live().tiers[1].models[-1]
    publish_with(lambda models: models[2].pop())
    assert tier_of(generation(), gone.provider, gone.model, timezone.now() + timedelta(seconds=1)) == 0


@pytest.mark.django_db
def test_an_alias_is_published_under_its_own_model():
    publish_with(lambda models: models[2].append(PolicyModel("openai", "gpt-4o-2024-08-06")))
    assert ModelTier.objects.filter(provider="openai", model="gpt-4o", tier=2).exists()


@pytest.mark.django_db
def test_no_tier_is_changed_past_the_policy(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    assert client.get("/admin/routing/tier/").status_code == 404


@pytest.mark.django_db
def test_tiers_are_read_by_api(client):
    assert client.get("/api/v1/tiers").status_code == 401
    client.force_login(viewer("reader"))
    listed = client.get("/api/v1/tiers").json()["results"]
    assert [tier["number"] for tier in listed] == [1, 2, 3]
    first = {"provider": "openai", "model": "gpt-4.1-mini", "latency_ms": None, "quality": None}
    assert (listed[0]["models"][0], listed[2]["review_note"]) == (first, "")


@pytest.mark.django_db
def test_the_bundle_is_in_the_api_description(client):
    from drf_spectacular.generators import SchemaGenerator

    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    assert paths["/api/v1/policy-bundle"]["get"]["security"] == [{"ApiKey": []}]
    assert "/.well-known/jwks.json" in paths
