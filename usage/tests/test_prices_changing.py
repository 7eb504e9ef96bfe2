"""Overrides and refreshes: who may, what is refused, what is kept, what is audited."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from budgets.access import drf
from budgets.access.keys import KeyHolder
from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.models import AuditEntry
from budgets.organisation.configuration import current_generation
from usage.models import PriceEntry, PriceRefresh, RepriceRun
from usage.prices import book, refresh, tasks
from usage.prices.seed import Seed, plant, read_seed
from usage.prices.urls import urlpatterns as routes
from usage.tests.price_cases import the_seed

pytestmark = pytest.mark.django_db
ACTOR = Actor.command("test")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OVERRIDE = {"provider": "openai", "model": "gpt-4o", "input": "2.1", "output": "8.4", "valid_from": "2026-01-01T00:00Z"}
PROBLEM = "application/problem+json"


SOME = {("openai", "gpt-4o"), ("deepseek", "deepseek-v4-flash")}
KEYS: dict[str, KeyHolder] = {}


@pytest.fixture(autouse=True)
def known_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory reads committed keys only, by a connection of its own."""
    monkeypatch.setattr(drf, "find", KEYS.get)


@pytest.fixture(autouse=True)
def some_prices() -> Iterator[None]:
    """A few seeded prices, where a test that flushed the tables took the migration's away."""
    plant(PriceEntry, [entry for entry in the_seed().entries if (entry.provider, entry.model) in SOME])
    book.forget()
    yield
    book.forget()


@pytest.fixture
def whole_book() -> None:
    if PriceEntry.objects.count() < 2000:
        PriceEntry.objects.all().delete()
        plant(PriceEntry, the_seed().entries)


def client_with(*scopes: str) -> APIClient:
    KEYS["tok_" + "-".join(scopes)] = KeyHolder(1, "test", 1, "gateway", (), frozenset(scopes), None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer tok_{'-'.join(scopes)}")
    return client


def found(model: str = "gpt-4o", provider: str = "openai", when: datetime = NOW) -> Any:
    return book.current(current_generation()).find(provider, model, "standard", when)


def test_an_override_by_api_holds_at_once_and_ends() -> None:
    admin = client_with("admin")
    seeded = found()
    made = admin.post("/api/v1/prices", {**OVERRIDE, "reason": "Contract 17"}, format="json")
    assert made.status_code == 201, made.content
    assert made.json()["input"] == "2.1"
    assert made.json()["origin"] == "override"
    assert found().price_id == made.json()["id"]
    assert found("gpt-4o-2024-08-06").price_id == made.json()["id"]

    ended = admin.post(f"/api/v1/prices/{made.json()['id']}/end", {"at": "2026-06-01T00:00Z"}, format="json")
    assert ended.status_code == 200, ended.content
    assert found().price_id == seeded.price_id
    assert found(when=datetime(2026, 3, 1, tzinfo=UTC)).price_id == made.json()["id"]
    again = admin.post(f"/api/v1/prices/{made.json()['id']}/end", {}, format="json")
    assert (again.status_code, again.json()["type"].rsplit("/", 1)[1]) == (409, "already-ended")

    trail = AuditEntry.objects.filter(object_type="usage.priceentry", object_id=str(made.json()["id"]))
    assert [(one.act, one.reason) for one in trail] == [("ended", ""), ("created", "Contract 17")]
    assert trail[1].after == {
        "valid_from": "2026-01-01T00:00:00+00:00",
        "input": "2.1",
        "output": "8.4",
    }


def test_a_host_by_another_name_is_the_same_host() -> None:
    client_with("admin").post("/api/v1/prices", {**OVERRIDE, "provider": "azure_openai"}, format="json")
    assert found(provider="azure").rates.input == 210_000_000
    assert found(provider="az.ai.openai").rates.input == 210_000_000
    assert found(provider="openai").rates.input == 250_000_000


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"input": "-1"}, "input"),
        ({"input": "0.000000001"}, "input"),
        ({"input": "NaN"}, "input"),
        ({"input": None, "output": None}, "input"),
        ({"valid_to": "2025-01-01T00:00Z"}, "valid_to"),
        ({"service_tier": "turbo"}, "service_tier"),
        ({"units": {"web_search": "cheap"}}, "units"),
        ({"units": {"web_search": "-1"}}, "units"),
        ({"steps": [{"from_input_tokens": 0}]}, "steps"),
        ({"steps": [{"from_input_tokens": 9, "input": "x"}]}, "steps"),
        ({"steps": [{"from_input_tokens": 9}, {"from_input_tokens": 9}]}, "steps"),
        ({"hours": [{"from": "1", "to": "2"}]}, "hours"),
        ({"hours": [{"from": "01:00", "to": "02:00", "weekdays": [8]}]}, "hours"),
        ({"hours": [{"from": "01:00", "to": "02:00", "price": "1"}]}, "hours"),
        ({"model": " "}, "model"),
    ],
)
def test_a_wrong_override_is_refused_with_the_field(values: dict[str, Any], field: str) -> None:
    before = PriceEntry.objects.count()
    answer = client_with("admin").post("/api/v1/prices", {**OVERRIDE, **values}, format="json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM), answer.content
    assert field in answer.json()["errors"], answer.json()
    assert PriceEntry.objects.count() == before


def test_two_overrides_do_not_hold_at_once() -> None:
    admin = client_with("admin")
    first = admin.post("/api/v1/prices", OVERRIDE, format="json").json()["id"]
    answer = admin.post("/api/v1/prices", {**OVERRIDE, "valid_from": "2026-07-01T00:00Z"}, format="json")
    assert answer.status_code == 422
    assert answer.json()["errors"]["valid_from"].startswith(f"Override {first} already holds")


def test_reading_needs_read_and_writing_admin() -> None:
    assert client_with("read").get("/api/v1/prices").status_code == 200
    assert client_with("read").post("/api/v1/prices", OVERRIDE, format="json").status_code == 403
    assert client_with("ingest").get("/api/v1/prices").status_code == 403
    assert APIClient().get("/api/v1/prices").status_code == 401


def test_listing_filters_and_pages(django_assert_max_num_queries: Any) -> None:
    reader = client_with("read")
    with django_assert_max_num_queries(3):
        page = reader.get("/api/v1/prices", {"search": "gpt-4o", "provider": "openai", "service_tier": "batch"}).json()
    assert page["count"] == len(page["results"]) >= 1
    assert {one["provider"] for one in page["results"]} == {"openai"}
    held = reader.get(
        "/api/v1/prices", {"model": "deepseek-v4-flash", "provider": "deepseek", "at": "2026-08-20T00:00Z"}
    )
    assert [one["input"] for one in held.json()["results"]] == ["0.22"]
    assert reader.get("/api/v1/prices", {"at": "yesterday"}).status_code == 422
    assert reader.get("/api/v1/prices/99999999999999999999").status_code == 404
    assert "gpt-4o" in reader.get(f"/api/v1/prices/{page['results'][0]['id']}").json()["model"]


def test_a_seeded_price_cannot_be_ended() -> None:
    seeded = PriceEntry.objects.filter(origin="genai-prices").first()
    assert seeded is not None
    answer = client_with("admin").post(f"/api/v1/prices/{seeded.pk}/end", {}, format="json")
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (409, "seeded-price")


def test_reprice_by_api_is_previewed_then_decided() -> None:
    admin = client_with("admin")
    window = {"starts_at": "2026-11-01T00:00Z", "ends_at": "2026-12-01T00:00Z"}
    run = admin.post("/api/v1/reprice-runs", window, format="json")
    assert (run.status_code, run.json()["status"], run.json()["preview"]) == (202, "previewing", [])
    backwards = {"starts_at": "2026-12-01T00:00Z", "ends_at": "2026-11-01T00:00Z"}
    assert admin.post("/api/v1/reprice-runs", backwards, format="json").status_code == 422
    address = f"/api/v1/reprice-runs/{run.json()['id']}"
    assert admin.post(f"{address}/confirm").status_code == 409  # nobody knows yet what it would do
    assert tasks.preview_reprices() == 1
    assert client_with("read").get(address).json()["status"] == "preview"
    assert admin.post(f"{address}/confirm").status_code == 202
    assert client_with("read").get(address).json()["status"] == "running"
    assert admin.post(f"{address}/discard").status_code == 409
    assert admin.post("/api/v1/reprice-runs/999999/confirm").status_code == 404


def test_the_book_as_seeded_agrees_with_the_package(whole_book: None) -> None:
    assert refresh.propose(ACTOR) is None
    assert client_with("admin").post("/api/v1/price-refreshes").status_code == 204
    assert not PriceRefresh.objects.exists()


def newer_seed() -> Seed:
    """As installed, but: gpt-4o dearer, mistral-large-2512 dated otherwise, one model new, one gone."""
    entries = []
    for entry in the_seed().entries:
        if (entry.provider, entry.model, entry.service_tier) == ("openai", "gpt-4o", "standard"):
            entries.append(dataclasses.replace(entry, input=Decimal("2.6")))
        elif (entry.provider, entry.model, entry.service_tier) == ("mistral", "mistral-large-2512", "standard"):
            entries.append(dataclasses.replace(entry, valid_to=NOW))
            entries.append(dataclasses.replace(entry, valid_from=NOW, input=Decimal("0.4")))
        elif (entry.provider, entry.model) != ("groq", "llama-3.3-70b-versatile"):
            entries.append(entry)
    new = dataclasses.replace(entries[0], provider="openai", model="gpt-99", valid_from=NOW, valid_to=None)
    return Seed([*entries, new], [])


def test_a_refresh_shows_first_and_changes_only_when_confirmed(
    whole_book: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dated = found("mistral-large-2512", "mistral").price_id
    old = found().price_id
    monkeypatch.setattr(refresh, "newest_seed", newer_seed)
    made = refresh.propose(ACTOR)
    assert made is not None
    assert refresh.propose(ACTOR) == made
    assert [(one["model"], one["before"]["input"], one["after"]["input"]) for one in made.changed] == [
        ("gpt-4o", "2.5", "2.6")
    ]
    assert [one["model"] for one in made.ended] == ["mistral-large-2512"]
    assert {one["model"] for one in made.added} == {"gpt-99", "mistral-large-2512"}
    assert {one["model"] for one in made.unlisted} == {"llama-3.3-70b-versatile"}
    assert found().price_id == old

    admin = client_with("admin")
    assert admin.post(f"/api/v1/price-refreshes/{made.pk}/apply").json()["status"] == "applied"
    assert found().rates.input == 260_000_000
    assert PriceEntry.objects.get(pk=old).superseded_at is not None
    assert found("mistral-large-2512", "mistral", NOW - timedelta(seconds=1)).price_id == dated
    assert found("mistral-large-2512", "mistral").rates.input == 40_000_000
    assert found("llama-3.3-70b-versatile", "groq") is not None
    assert admin.post(f"/api/v1/price-refreshes/{made.pk}/apply").status_code == 409
    assert refresh.propose(ACTOR) is None
    acts = AuditEntry.objects.filter(object_type="usage.pricerefresh").values_list("act", flat=True)
    assert list(acts) == ["applied", "previewed"]


def test_a_stale_preview_is_not_applied(whole_book: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "newest_seed", newer_seed)
    made = refresh.propose(ACTOR)
    assert made is not None
    monkeypatch.setattr(refresh, "newest_seed", read_seed)
    with pytest.raises(Problem, match="changed since"):
        refresh.apply(made.pk, ACTOR)
    assert refresh.propose(ACTOR) is None
    made.refresh_from_db()
    assert made.status == "discarded"


def admin_browser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="x"))
    return client


FORM = {
    "provider": "openai", "model": "gpt-4o", "service_tier": "standard", "valid_from_0": "2026-01-01",
    "valid_from_1": "00:00:00", "input": "2.1", "output": "8.4", "units": "{}", "steps": "[]", "hours": "[]",
    "reason": "Contract 17",
}  # fmt: skip


def test_overrides_in_django_admin(client: Client) -> None:
    browser = admin_browser(client)
    assert browser.get("/admin/usage/priceentry/").status_code == 200
    seeded = PriceEntry.objects.filter(origin="genai-prices").first()
    assert seeded is not None
    page = browser.get(f"/admin/usage/priceentry/{seeded.pk}/change/")
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()

    refused = browser.post("/admin/usage/priceentry/add/", {**FORM, "input": "", "output": ""})
    assert "State at least one price" in refused.content.decode()
    assert browser.post("/admin/usage/priceentry/add/", FORM).status_code == 302
    entry = PriceEntry.objects.get(origin="override")
    assert found().price_id == entry.pk

    twice = browser.post("/admin/usage/priceentry/add/", FORM)
    assert f"Override {entry.pk} already holds" in twice.content.decode()
    changed = browser.post(f"/admin/usage/priceentry/{entry.pk}/change/", {**FORM, "input": "1.9"})
    assert changed.status_code == 302, changed.content.decode()
    entry.refresh_from_db()
    assert entry.superseded_at is not None
    assert found().rates.input == 190_000_000
    assert list(AuditEntry.objects.values_list("act", "who_text", "reason")) == [
        ("changed", "root", "Contract 17"),
        ("created", "root", "Contract 17"),
    ]
    now_in_force = found().price_id
    browser.post("/admin/usage/priceentry/", {"action": "end_now", "_selected_action": [now_in_force]})
    assert PriceEntry.objects.get(pk=now_in_force).valid_to is not None


def test_reprice_in_django_admin(client: Client) -> None:
    browser = admin_browser(client)
    starts = {"starts_at_0": "2026-11-01", "starts_at_1": "00:00"}
    window = {**starts, "ends_at_0": "2026-12-01", "ends_at_1": "00:00"}
    assert browser.post("/admin/usage/repricerun/add/", {**window, "only_unpriced": "on"}).status_code == 302
    run = RepriceRun.objects.get()
    assert run.status == "previewing"
    tasks.preview_reprices()
    run.refresh_from_db()
    assert run.status == "preview"
    assert browser.get(f"/admin/usage/repricerun/{run.pk}/change/").status_code == 200
    browser.post("/admin/usage/repricerun/", {"action": "discard", "_selected_action": [run.pk]})
    run.refresh_from_db()
    assert run.status == "discarded"
    answer = browser.post("/admin/usage/repricerun/", {"action": "confirm", "_selected_action": [run.pk]}, follow=True)
    assert "This run is discarded." in answer.content.decode()
    assert browser.get("/admin/usage/pricerefresh/").status_code == 200


def test_the_schema_describes_every_route() -> None:
    patterns = [path(f"api/v1/{route.pattern}", route.callback, name=route.name) for route in routes]
    schema = SchemaGenerator(patterns=patterns).get_schema(request=None, public=True)
    assert len(schema["paths"]) == len(routes)
    created = schema["paths"]["/api/v1/prices"]["post"]
    assert created["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Override")
    names = {parameter["name"] for parameter in schema["paths"]["/api/v1/prices"]["get"]["parameters"]}
    assert {"search", "at", "provider", "limit", "offset"} <= names
