"""Saved views: whose they are, who may change them, and that nothing else can be saved."""

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from budgets.models import AuditEntry, Membership, Team
from reports.models import SavedView

pytestmark = pytest.mark.django_db
ASKED = "period=7d&group=team&model=a%26b"


def somebody(name: str, role: str = "viewer", team: Team | None = None) -> Client:
    user = User.objects.create_user(name, first_name=name.title())
    Membership.objects.create(user=user, role=role, team=team)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def lena() -> Client:
    return somebody("lena")


def save(client: Client, name: str = "Weekly", **more: str):
    values = {"name": name, "path": "/spend/", "query": ASKED} | more
    return client.post(reverse("saved-view-new"), values)


def test_a_view_is_saved_opened_renamed_removed_and_brought_back(lena: Client) -> None:
    answer = save(lena, query=ASKED + "&page=3")
    assert answer.status_code == 302
    assert answer["Location"] == f"/spend/?{ASKED}"
    view = SavedView.objects.get()
    assert (view.name, view.query, view.shared) == ("Weekly", ASKED, False)
    page = lena.get(f"/spend/?{ASKED}").content.decode()
    assert "Weekly" in page
    changed = lena.post(reverse("saved-view-edit", args=[view.pk]), {"name": "Teams", "shared": "on"})
    assert changed.status_code == 302
    assert "Teams" in lena.get(reverse("saved-views")).content.decode()
    lena.post(reverse("saved-view-remove", args=[view.pk]))
    assert "No saved views yet" in lena.get(reverse("saved-views")).content.decode()
    lena.post(reverse("saved-view-restore", args=[view.pk]))
    view.refresh_from_db()
    assert (view.name, view.shared, view.removed_at) == ("Teams", True, None)
    acts = AuditEntry.objects.filter(object_type="reports.savedview").order_by("pk").values_list("act", flat=True)
    assert list(acts) == ["created", "changed", "removed", "restored"]


def test_others_see_shared_views_only_and_change_none(lena: Client) -> None:
    save(lena, "Mine")
    save(lena, "Ours", shared="on")
    mine, ours = SavedView.objects.order_by("pk")
    sam = somebody("sam", team=Team.objects.create(slug="brand", name="Brand"))
    listed = sam.get(reverse("saved-views")).content.decode()
    assert "Ours" in listed and "Mine" not in listed
    assert sam.get(reverse("saved-view-edit", args=[mine.pk])).status_code == 404
    assert sam.post(reverse("saved-view-remove", args=[mine.pk])).status_code == 404
    assert sam.get(reverse("saved-view-edit", args=[ours.pk])).status_code == 403
    assert sam.post(reverse("saved-view-remove", args=[ours.pk])).status_code == 403
    assert SavedView.objects.filter(removed_at=None).count() == 2
    root = somebody("root", "administrator")
    assert root.post(reverse("saved-view-remove", args=[mine.pk])).status_code == 404
    assert root.post(reverse("saved-view-remove", args=[ours.pk])).status_code == 302
    rows = list(csv.DictReader(io.StringIO(lena.get(reverse("views-csv")).getvalue().decode())))
    assert [(row["name"], row["owner"], row["shared"]) for row in rows] == [("Mine", "Lena", "no")]


def test_a_name_is_taken_once_by_each_and_free_again_when_removed(lena: Client) -> None:
    assert save(lena).status_code == 302
    again = save(lena, " Weekly ")
    assert again.status_code == 422
    assert "You have a view of this name already" in again.content.decode()
    assert save(somebody("sam")).status_code == 302
    first = SavedView.objects.get(owner__username="lena")
    lena.post(reverse("saved-view-remove", args=[first.pk]))
    assert save(lena).status_code == 302
    lena.post(reverse("saved-view-restore", args=[first.pk]))
    first.refresh_from_db()
    assert first.removed_at is not None


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "This field is required"),
        ("name", "x" * 81, "at most 80 characters"),
        ("path", "//evil.example/", "Only pages of spend"),
        ("path", "/settings/people/", "Only pages of spend"),
        ("path", "/spend/../settings/", "Only pages of spend"),
        ("path", "https://evil.example/spend/", "Only pages of spend"),
        ("path", "/spend/?x", "Only pages of spend"),
        ("path", "/spend/%2e%2e/settings/", "Only pages of spend"),
        ("path", "/spend/no-such-page/", "Only pages of spend"),
        ("query", "team=" + "x" * 5000, "too many filters"),
        ("query", "&".join(["team=x"] * 1001), "too many filters"),
    ],
)
def test_what_is_no_view_is_refused_with_a_sentence(lena: Client, field: str, value: str, said: str) -> None:
    answer = save(lena, **{field: value})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not SavedView.objects.exists()
