"""The price pages by test client: what they say, refuse, change and take back, and in how many statements."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.audit.record import Actor
from budgets.models import NANO, AuditEntry, Organisation
from tests.people import viewer
from usage.models import PriceEntry, PriceRefresh, QuarterHour
from usage.prices import book, refresh
from usage.prices.overrides import create_override
from usage.prices.seed import SEED_ORIGIN, plant
from usage.tests.price_cases import the_seed

pytestmark = pytest.mark.django_db
ACTOR = Actor.command("test")
SOME = {"gpt-4o", "gpt-4.1", "claude-sonnet-4-5", "gemini-2.5-pro", "deepseek-v4-flash"}
LISTS = {
    f"{name}-{part}": value
    for name in ("units", "steps", "hours")
    for part, value in (("TOTAL_FORMS", "1"), ("INITIAL_FORMS", "0"))
}
FORM = {
    **LISTS, "provider": "openai", "model": "gpt-4o", "service_tier": "standard", "first_day": "2026-01-01",
    "last_day": "", "input": "2.00", "output": "8", "cached_input": "", "cache_write": "", "origin_note": "Contract 17",
    "reason": "Agreed in spring",
}  # fmt: skip


@pytest.fixture(autouse=True)
def some_prices() -> Any:
    """A few published prices, in a zone whose days are not UTC's."""
    PriceEntry.objects.all().delete()
    plant(PriceEntry, [entry for entry in the_seed().entries if entry.model in SOME])
    Organisation.objects.update(time_zone="Asia/Kolkata")
    book.forget()
    yield
    book.forget()


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("lena", password="x"))
    return client


@pytest.fixture
def reader() -> Client:
    client = Client()
    client.force_login(viewer("tim"))
    return client


def used(model: str, calls: int, cost: int, provider: str = "openai", **more: Any) -> QuarterHour:
    """Usage of an hour ago."""
    when = timezone.now() - timedelta(hours=1)
    bucket = when.replace(minute=0, second=0, microsecond=0)
    names = {"team": "", "tier": 0, "environment": "production", "stage": "", "task_type": "", "status": "ok"}
    values = {"service_tier": "standard", "input_tokens": 1000 * calls, "output_tokens": 100 * calls, **more}
    row = QuarterHour(bucket=bucket, workflow_id=1, provider=provider, model=model, calls=calls, cost=cost, **names)
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return row


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))


def toast(answer: Any) -> Any:
    return list(answer.context["messages"])[-1]


# ---------- the book


def test_unpriced_models_come_first_with_what_to_do(browser: Client) -> None:
    used("nobody-knows", 12, 0, provider="acme", unpriced=12)
    used("gpt-4o", 5, 0, unpriced=5)
    page = text(browser.get("/settings/prices/"))
    assert "No price yet: 2 models, 17 calls" in page
    assert page.index("nobody-knows") < page.index("Where from")
    assert "/settings/prices/new/?provider=acme&amp;model=nobody-knows&amp;tier=standard&amp;from=" in page
    assert "/settings/prices/reprice/?model=gpt-4o&amp;from=" in page  # it has a price by now
    assert "$0" not in page.split("Where from")[0]
    assert [(one["model"], one["calls_without_price"], one["tokens"]) for one in rows_of(
        browser.get("/export/unpriced-models.csv")
    )] == [("nobody-knows", "12", "13200"), ("gpt-4o", "5", "5500")]  # fmt: skip


def test_what_a_correction_in_another_month_priced_is_not_unpriced(browser: Client) -> None:
    old = used("late", 3, 0, unpriced=3)
    QuarterHour.objects.filter(pk=old.pk).update(bucket=old.bucket - timedelta(days=40))
    used("late", 0, 9, unpriced=-3, input_tokens=0, output_tokens=0)
    assert "No price yet:" not in text(browser.get("/settings/prices/"))


def test_the_book_is_searched_filtered_and_exported_alike(browser: Client) -> None:
    create_override(
        ACTOR,
        {"provider": "openai", "model": "gpt-4o", "service_tier": "standard", "valid_from": timezone.now(),
         "valid_to": None, "input": Decimal("2.10"), "output": Decimal("8.4"), "origin_note": ""},
    )  # fmt: skip
    for query in ("", "q=gpt", "provider=openai&tier=batch", "whose=own", "q=nothing-like-it"):
        page = browser.get(f"/settings/prices/?{query}")
        lines = rows_of(browser.get(f"/export/prices.csv?{query}"))
        assert page.context["page"].paginator.count == len(lines), query
        assert [row["entry"].model for row in page.context["rows"]] == [line["model"] for line in lines][:50]
    own = browser.get("/settings/prices/?whose=own")
    assert "Set here by command test" in text(own)
    assert "$2.10" in text(own)
    assert "$2.50" not in text(own)
    assert "No price matches" in text(browser.get("/settings/prices/?q=nothing-like-it"))
    assert "“turbo” is no filter" in text(browser.get("/settings/prices/?tier=turbo"))
    assert browser.get("/settings/prices/?q=%00&page=99").status_code == 200


def test_in_use_means_under_every_name(browser: Client) -> None:
    used("gpt-4o-2024-08-06", 3, 5)
    found = browser.get("/settings/prices/?whose=used")
    assert {row["entry"].model for row in found.context["rows"]} == {"gpt-4o"}
    QuarterHour.objects.all().delete()
    assert "was used in the last 30 days" in text(browser.get("/settings/prices/?whose=used"))


def test_an_empty_book_says_what_to_do(browser: Client) -> None:
    PriceEntry.objects.all().delete()
    assert "No prices yet" in text(browser.get("/settings/prices/"))


def test_statements_do_not_grow_with_models(browser: Client, django_assert_num_queries: Any) -> None:
    for provider in ("aaa", "openai"):  # one on the first page, one of the model
        browser.post("/settings/prices/new/", {**FORM, "provider": provider})
    used("gpt-4o", 2, 3)
    used("unknown", 2, 0, unpriced=2)
    for more in (0, 60):
        for n in range(more):
            used(f"unknown-{n}", 2, 0, unpriced=2)
        PriceEntry.objects.bulk_create(
            PriceEntry(provider="acme", model=f"m{n}", valid_from=timezone.now(), input=1, origin="override")
            for n in range(more * 5)
        )
        book.forget()
        for path, count in COUNTS.items():
            browser.get(path)  # has the toasts, and fills the book's memory
            with django_assert_num_queries(count):
                browser.get(path)


COUNTS = {
    "/settings/prices/": 10,
    "/settings/prices/?whose=used": 12,
    "/settings/prices/model/?provider=openai&model=gpt-4o": 8,
}


# ---------- one model


def test_a_model_shows_its_history_in_words(browser: Client) -> None:
    used("gemini-2.5-pro", 4, 3 * NANO, provider="google")
    page = text(browser.get("/settings/prices/model/?provider=google&model=gemini-2.5-pro"))
    assert "From 200,001 tokens of input on, the whole call:" in page
    assert "Holds now" in page
    assert "4 calls in the last 30 days, $3.00" in page
    flash = text(browser.get("/settings/prices/model/?provider=deepseek&model=deepseek-v4-flash"))
    assert "01:00–04:00 UTC, Mon–Fri, not on 25 Sep 2026" in flash


def test_odd_names_have_a_page_and_unknown_ones_have_none(browser: Client) -> None:
    name = "a/b?c&d=ü <b>%00 x"
    used(name, 3, 0, provider="", unpriced=3)
    page = browser.get("/settings/prices/")
    url = page.context["unpriced"][0]["url"]
    found = browser.get(url)
    assert found.status_code == 200
    assert "No price yet: what these calls cost is not known." in text(found)
    assert "<b>%00" not in text(found)
    assert browser.get("/settings/prices/model/?provider=x&model=y").status_code == 404
    assert browser.get("/settings/prices/model/").status_code == 404


# ---------- a price set here


def test_a_price_is_set_seen_replaced_ended_and_each_undone(browser: Client) -> None:
    made = browser.post("/settings/prices/new/", FORM, follow=True)
    entry = PriceEntry.objects.get(origin="override")
    assert entry.valid_from == datetime(2025, 12, 31, 18, 30, tzinfo=UTC)  # midnight in Kolkata
    assert (entry.input, entry.output, entry.cached_input, entry.units, entry.steps) == (2, 8, None, {}, [])
    page = text(made)
    assert "Price saved. gpt-4o costs input $2.00, output $8.00, from 1 Jan 2026." in page
    assert "Set here by lena" in page
    assert "Contract 17 · “Agreed in spring”" in page
    assert "Your own price holds" in page

    edited = browser.post(f"/settings/prices/{entry.pk}/edit/", {**FORM, "input": "1.5"}, follow=True)
    entry.refresh_from_db()
    assert entry.superseded_at is not None
    second = PriceEntry.objects.get(origin="override", superseded_at=None)
    assert second.valid_from == entry.valid_from
    assert "1 that was replaced" in text(edited)

    back = browser.post(toast(edited).extra_tags, follow=True)
    assert "is as it was before" in text(back)
    entry.refresh_from_db()
    assert entry.superseded_at is None

    ended = browser.post(f"/settings/prices/{entry.pk}/end/", {"last_day": "2026-03-31"}, follow=True)
    entry.refresh_from_db()
    assert entry.valid_to == datetime(2026, 3, 31, 18, 30, tzinfo=UTC)
    assert "1 Jan 2026 to 31 Mar 2026" in text(ended)
    undo = toast(ended).extra_tags
    browser.post(undo)
    entry.refresh_from_db()
    assert entry.valid_to is None
    assert "changed again since" in text(browser.post(undo, follow=True))

    browser.post(toast(made).extra_tags)
    entry.refresh_from_db()
    assert entry.superseded_at is None  # something happened since it was made
    acts = AuditEntry.objects.filter(object_type="usage.priceentry").order_by("pk").values_list("act", flat=True)
    assert list(acts) == ["created", "changed", "undone", "restored", "ended", "undone"]


def test_making_one_is_undone_by_taking_it_out_of_use(browser: Client) -> None:
    made = browser.post("/settings/prices/new/", FORM, follow=True)
    browser.post(toast(made).extra_tags)
    assert not PriceEntry.objects.filter(origin="override", superseded_at=None).exists()


def test_the_form_keeps_what_it_was_given(browser: Client) -> None:
    values = {
        **FORM, "units-0-name": "input_audio_tokens", "units-0-price": "$40", "units-0-per": "1000000",
        "steps-0-from_input_tokens": "200001", "steps-0-input": "4.00", "hours-0-starts": "01:00",
        "hours-0-ends": "04:00", "hours-0-weekdays": "1, 2", "hours-0-besides": "2026-10-01", "hours-0-output": "4",
    }  # fmt: skip
    browser.post("/settings/prices/new/", values)
    entry = PriceEntry.objects.get(origin="override")
    assert entry.units == {"input_audio_tokens": "0.00004"}
    assert entry.steps == [{"from_input_tokens": 200001, "input": "4"}]
    assert entry.hours == [
        {"from": "01:00", "to": "04:00", "weekdays": [1, 2], "except": ["2026-10-01"], "output": "4"}
    ]
    page = browser.get(f"/settings/prices/{entry.pk}/edit/")
    form = page.context["form"]
    assert form.units.forms[0].initial == {"name": "input_audio_tokens", "price": "40", "per": "1000000"}
    assert form.main.initial["first_day"].isoformat() == "2026-01-01"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"input": "cheap"}, "Write the price like 2.50"),
        ({"input": "", "output": ""}, "State at least one price."),
        ({"input": "0.000000001"}, "at most 8 decimals"),
        ({"input": "-1"}, "Write the price like"),
        ({"first_day": ""}, "Say from which day"),
        ({"first_day": "0001-01-01"}, "Choose a day"),
        ({"last_day": "2025-12-01"}, "The end must come after the start."),
        ({"model": " "}, "This field is required."),
        ({"service_tier": "turbo"}, "turbo is not one of the available choices"),
        ({"units-0-name": "web_search"}, "Say what it costs; 0 is free."),
        ({"steps-0-from_input_tokens": "x"}, "Enter a whole number."),
        ({"hours-0-starts": "01:00"}, "Say from when and until when"),
        ({"hours-0-starts": "01:00", "hours-0-ends": "04:00", "hours-0-besides": "soon"}, "YYYY-MM-DD"),
    ],
)
def test_a_wrong_price_is_refused_with_a_sentence(browser: Client, values: dict[str, str], sentence: str) -> None:
    answer = browser.post("/settings/prices/new/", {**FORM, **values})
    assert answer.status_code == 422
    assert sentence in text(answer)
    assert not PriceEntry.objects.filter(origin="override").exists()


def test_two_prices_at_once_and_a_missing_form_part_are_refused(browser: Client) -> None:
    browser.post("/settings/prices/new/", FORM)
    twice = browser.post("/settings/prices/new/", FORM)
    assert (twice.status_code, "already holds for this model" in text(twice)) == (422, True)
    assert browser.post("/settings/prices/new/", {"provider": "x"}).status_code == 422
    entry = PriceEntry.objects.get(origin="override")
    assert "Choose the last day" in text(
        browser.post(f"/settings/prices/{entry.pk}/end/", {"last_day": "x"}, follow=True)
    )
    seeded = PriceEntry.objects.filter(origin=SEED_ORIGIN).first()
    assert seeded is not None
    assert browser.post(f"/settings/prices/{seeded.pk}/end/").status_code == 404


def test_what_it_would_mean(browser: Client) -> None:
    # 10 calls of 1,000 and 100 tokens: $0.0035 each at 2.50 and 10; at 2 and 8 it is $0.0028.
    used("gpt-4o-2024-08-06", 10, 35_000_000)
    used("gpt-4o", 10, 0, unpriced=10, stage="x")
    used("gpt-4o", 10, 7, service_tier="batch")
    page = browser.post("/settings/prices/new/", {**FORM, "look": "1"})
    assert page.status_code == 200
    assert not PriceEntry.objects.filter(origin="override").exists()
    found = page.context["meaning"].lately
    assert (found.calls, found.priced, found.before, found.after) == (20, 10, 35_000_000, 56_000_000)
    assert "would cost <b>$0.003</b> instead of $0.004" in text(page)
    part = browser.post("/settings/prices/meaning/", FORM)
    assert "would have been <b>$0.06</b> instead of $0.04" in text(part)
    assert "Once the price is complete" in text(browser.post("/settings/prices/meaning/", {**FORM, "input": "x"}))
    short = browser.post("/settings/prices/meaning/", {**FORM, "output": ""})
    assert "does not cover" in text(short)


# ---------- who may


def test_looking_needs_a_sign_in_and_changing_the_right(reader: Client, client: Client) -> None:
    assert client.get("/settings/prices/").status_code == 302
    page = text(reader.get("/settings/prices/"))
    assert "an administrator can give it to you" in page
    assert "Set a price" not in page
    for path in ("new/", "discount/"):
        answer = reader.get(f"/settings/prices/{path}")
        assert (answer.status_code, "right to change" in text(answer)) == (403, True)
    for path in ("new/", "meaning/", "discount/", "1/end/", "undo/1/", "refresh/check/", "refresh/1/apply/",
                 "refresh/1/discard/", "reprice/", "reprice/1/confirm/", "reprice/1/discard/", "reprice/1/again/",
                 "discount/undo/1/2/"):  # fmt: skip
        assert reader.post(f"/settings/prices/{path}").status_code == 403, path
    User.objects.get(username="tim").memberships.create(role="finance")
    assert reader.get("/settings/prices/new/").status_code == 200


# ---------- refreshes


def test_a_refresh_is_checked_shown_with_what_it_touches_and_applied(browser: Client) -> None:
    PriceEntry.objects.filter(model="gpt-4o", service_tier="standard").update(input=Decimal("9"))
    PriceEntry.objects.filter(model="gpt-4.1").delete()
    used("gpt-4o", 3, 3 * NANO)
    used("claude-sonnet-4-5", 3, NANO, provider="anthropic")
    assert "Nothing waits" in text(browser.get("/settings/prices/refresh/"))
    browser.post("/settings/prices/refresh/check/")
    waiting = PriceRefresh.objects.get()
    page = text(browser.get("/settings/prices/refresh/"))
    assert "Input <s>$9.00</s> <b>$2.50</b>" in page
    assert "That touches 75% of what was spent in the last 30 days ($3.00" in page
    changes = len(waiting.added) + len(waiting.changed) + len(waiting.ended)
    assert f"<b>{changes} prices would change</b>" in text(browser.get("/settings/prices/"))
    lines = rows_of(browser.get("/export/price-refresh.csv"))
    assert len(lines) == changes + len(waiting.unlisted)

    applied = browser.post(f"/settings/prices/refresh/{waiting.pk}/apply/", follow=True)
    assert "brought up to date" in text(applied)
    assert PriceEntry.objects.get(model="gpt-4o", service_tier="standard", superseded_at=None).input == Decimal("2.5")
    assert "applied by lena" in text(applied)
    again = browser.post(f"/settings/prices/refresh/{waiting.pk}/apply/")
    assert (again.status_code, "was applied" in text(again)) == (409, True)
    assert "agrees with" in text(browser.post("/settings/prices/refresh/check/", follow=True))


def test_a_refresh_is_discarded(browser: Client) -> None:
    PriceEntry.objects.filter(model="gpt-4.1").delete()
    made = refresh.propose(ACTOR)
    assert made is not None
    assert "Discarded." in text(browser.post(f"/settings/prices/refresh/{made.pk}/discard/", follow=True))
    assert "discarded by lena" in text(browser.get("/settings/prices/refresh/"))
    assert "was discarded" in text(browser.post(f"/settings/prices/refresh/{made.pk}/discard/", follow=True))
    assert browser.post("/settings/prices/refresh/9999/apply/").status_code == 404
