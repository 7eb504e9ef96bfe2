"""Tiers and the dated catalogue that the ledger charges by."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from budgets.audit.record import Actor
from budgets.models import AuditEntry, Organisation, Workflow
from budgets.organisation.configuration import changing_configuration
from routing.models import Tier
from routing.tiers.edit import InUse, read_models, remove_tier, save_tier
from routing.tiers.publish import FROM_THE_BEGINNING, publish_tiers
from usage.models import ModelTier, PriceEntry
from usage.prices import book as price_book
from usage.prices.tiers import tier_of

ACTOR = Actor.command("test")


def generation() -> int:
    return Organisation.get().generation


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("openai/gpt-4.1", [("openai", "gpt-4.1")]),
        ("\n a/b \r\n\n c / d/e \n", [("a", "b"), ("c", "d/e")]),
    ],
)
def test_models_as_text(text, models):
    assert [(entry["provider"], entry["model"]) for entry in read_models(text)] == models


@pytest.mark.parametrize(
    "text", ["", "\n", "gpt-4.1", "/x", "openai/", "a/b\na/b", "a/b\na / b", f"a/{'x' * 129}", f"{'x' * 65}/a",
             "\n".join(f"a/{n}" for n in range(51))]
)  # fmt: skip
def test_models_that_are_refused(text):
    with pytest.raises(ValueError, match=r"[.]$"):
        read_models(text)


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
    tier = Tier.objects.get(number=1)
    moved = tier.models.pop()
    before = timezone.now()
    save_tier(ACTOR, tier)
    premium = Tier.objects.get(number=3)
    premium.models.append(moved)
    save_tier(ACTOR, premium)
    after = timezone.now() + timedelta(seconds=1)
    assert tier_of(generation(), moved["provider"], moved["model"], before) == 1
    assert tier_of(generation(), moved["provider"], moved["model"], after) == 3


@pytest.mark.django_db
def test_a_model_that_left_every_tier_has_none():
    tier = Tier.objects.get(number=2)
    gone = tier.models.pop()
    save_tier(ACTOR, tier)
    assert tier_of(generation(), gone["provider"], gone["model"], timezone.now() + timedelta(seconds=1)) == 0


@pytest.mark.django_db
def test_an_alias_is_published_under_its_own_model():
    tier = Tier.objects.get(number=2)
    tier.models.append({"provider": "openai", "model": "gpt-4o-2024-08-06"})
    save_tier(ACTOR, tier)
    assert ModelTier.objects.filter(provider="openai", model="gpt-4o", tier=2).exists()


@pytest.mark.django_db
def test_changes_raise_the_generation_and_are_audited():
    before = generation()
    tier = Tier.objects.get(number=1)
    tier.name = "Cheap"
    save_tier(ACTOR, tier, "clearer")
    entry = AuditEntry.objects.latest("at")
    assert generation() > before
    assert (entry.act, entry.before["name"], entry.after["name"], entry.reason) == (
        "changed",
        "Economy",
        "Cheap",
        "clearer",
    )


@pytest.mark.django_db
def test_a_tier_that_workflows_use_stays():
    Workflow.objects.create(slug="w", name="w", default_tier=3)
    with pytest.raises(InUse, match="w"):
        remove_tier(ACTOR, Tier.objects.get(number=3))
    assert Tier.objects.filter(number=3).exists()


@pytest.fixture
def signed_in(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


def post_tier(client, tier, **values):
    form = {"number": tier.number, "name": tier.name, "models": "openai/gpt-4.1-mini", **values}
    return client.post(f"/admin/routing/tier/{tier.pk}/change/", form)


@pytest.mark.django_db
def test_admin_shows_and_saves_models_one_a_line(signed_in):
    tier = Tier.objects.get(number=1)
    assert b"openai/gpt-4.1-mini\n" in signed_in.get(f"/admin/routing/tier/{tier.pk}/change/").content
    assert post_tier(signed_in, tier, models="openai/gpt-4.1-mini\nopenai/gpt-4.1-nano").status_code == 302
    tier.refresh_from_db()
    assert [entry["model"] for entry in tier.models] == ["gpt-4.1-mini", "gpt-4.1-nano"]
    assert ModelTier.objects.filter(model="gpt-4.1-nano", tier=1).exists()
    assert AuditEntry.objects.latest("at").who_text == "boss"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("models", "says"), [("nonsense", "write provider/model"), ("openai/gpt-5", "is in tier 3 Premium already")]
)
def test_admin_refuses_with_a_sentence(signed_in, models, says):
    answer = post_tier(signed_in, Tier.objects.get(number=1), models=models)
    assert answer.status_code == 200
    assert says in answer.content.decode()


@pytest.mark.django_db
def test_admin_says_why_a_tier_in_use_stays(signed_in):
    Workflow.objects.create(slug="w", name="w", default_tier=3)
    tier = Tier.objects.get(number=3)
    answer = signed_in.post(f"/admin/routing/tier/{tier.pk}/delete/", {"post": "yes"}, follow=True)
    assert "is the default of w" in answer.content.decode()
    assert Tier.objects.filter(number=3).exists()


@pytest.mark.django_db
def test_tiers_are_read_by_api(client):
    assert client.get("/api/v1/tiers").status_code == 401
    client.force_login(get_user_model().objects.create_user("reader"))
    listed = client.get("/api/v1/tiers").json()["results"]
    assert [tier["number"] for tier in listed] == [1, 2, 3]
    assert listed[0]["models"][0] == {"provider": "openai", "model": "gpt-4.1-mini"}


@pytest.mark.django_db
def test_the_bundle_is_in_the_api_description(client):
    from drf_spectacular.generators import SchemaGenerator

    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    assert paths["/api/v1/policy-bundle"]["get"]["security"] == [{"ApiKey": []}]
    assert "/.well-known/jwks.json" in paths
