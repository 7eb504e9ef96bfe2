"""Reports that come: what they say equals the ledger, each once, to whom may have it, ended with one click."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail
from django.urls import reverse

from budgets.audit.record import Actor
from budgets.delivery.channels import ChannelValues, create_channel
from budgets.delivery.message import message_of
from budgets.delivery.send import send_due
from budgets.delivery.transport import Target
from budgets.delivery.transports.webhook import event_of
from budgets.models import Delivery, Membership, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from reports.mailed.edit import MOST, RefusedReport, ReportValues, order, resume, stop
from reports.mailed.schedule import Times, days_of
from reports.mailed.sending import ASKED_FOR, put, send_reports
from reports.mailed.stopping import stop_path
from reports.models import SavedView, Subscription
from usage.rollups.fold import fold_all
from usage.tests.events import an_event, price_the_model, take

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday
MONDAY = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
ME = Actor.command("test")
BERLIN, KATHMANDU = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")
UTC_ZONE, TOKYO, ANGELES = ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Los_Angeles")


def test_weekly_at_the_readers_hour():
    times = Times(True, 1, 8, BERLIN, UTC_ZONE)
    assert times.last(MONDAY) == (date(2026, 11, 23), datetime(2026, 11, 23, 8, tzinfo=BERLIN))
    assert times.last(MONDAY - timedelta(hours=1))[0] == date(2026, 11, 16)
    assert times.next(MONDAY) == datetime(2026, 11, 30, 8, tzinfo=BERLIN)
    assert Times(True, 1, 8, KATHMANDU, UTC_ZONE).last(MONDAY - timedelta(hours=5))[0] == date(2026, 11, 23)


def test_monthly_on_the_first():
    times = Times(False, 1, 0, KATHMANDU, KATHMANDU)
    assert times.last(NOW)[0] == date(2026, 11, 1)
    assert times.next(NOW).astimezone(UTC) == datetime(2026, 11, 30, 18, 15, tzinfo=UTC)


def test_a_monthly_one_waits_until_the_organisations_month_is_over():
    times = Times(False, 1, 8, TOKYO, ANGELES)
    assert times.last(datetime(2026, 12, 1, 0, tzinfo=UTC))[0] == date(2026, 11, 1)
    assert times.last(datetime(2026, 12, 1, 8, tzinfo=UTC)) == (date(2026, 12, 1), datetime(2026, 12, 1, 8, tzinfo=UTC))
    assert days_of(False, date(2026, 12, 1), date(2026, 12, 1)) == (date(2026, 11, 1), date(2026, 11, 30))
    early = Times(False, 1, 8, ANGELES, TOKYO)
    assert early.last(datetime(2026, 12, 1, 16, tzinfo=UTC))[1] == datetime(2026, 12, 1, 8, tzinfo=ANGELES)


def test_an_hour_that_clocks_skip():
    times = Times(True, 7, 2, BERLIN, BERLIN)
    day, at = times.last(datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert (day, at.astimezone(UTC)) == (date(2026, 3, 29), datetime(2026, 3, 29, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("weekly", "day", "today", "days"),
    [
        (True, "2026-11-23", "2026-11-23", ("2026-11-16", "2026-11-22")),
        (True, "2026-11-23", "2026-11-22", ("2026-11-15", "2026-11-21")),
        (False, "2026-12-01", "2026-12-01", ("2026-11-01", "2026-11-30")),
        (False, "2026-12-01", "2026-11-30", ("2026-10-01", "2026-10-31")),
        (False, "2026-03-01", "2026-03-02", ("2026-02-01", "2026-02-28")),
    ],
)
def test_which_days_a_report_is_about(weekly, day, today, days):
    found = days_of(weekly, date.fromisoformat(day), date.fromisoformat(today))
    assert tuple(one.isoformat() for one in found) == days


@pytest.fixture
def lena(db, settings):
    """Somebody who sees all, two teams, two weeks of calls."""
    settings.EMAIL_HOST = "mail.example"
    price_the_model()
    with changing_configuration():
        for slug in ("growth", "brand"):
            team = Team.objects.create(slug=slug, name=slug.title())
            Workflow.objects.create(
                slug=f"{slug}-briefs", name=f"{slug.title()} briefs", team=team, status="production"
            )
    calls = [("2026-11-10", "growth", 1), ("2026-11-17", "growth", 3), ("2026-11-18", "brand", 2)]
    take(
        [
            an_event(f"{slug}-{n}", time=f"{day}T10:00:00Z", workflow=f"{slug}-briefs", tier=3, input_tokens=10**6 * n)
            for day, slug, n in calls
        ],
        now=datetime(2026, 11, 20, tzinfo=UTC),
    )
    fold_all()
    return User.objects.create_superuser("lena", email="lena@example.com")


def ordered(owner, **more):
    with time_machine.travel(NOW, tick=False):
        return order(ME, owner, ReportValues(**{"view": None, "cadence": "weekly", "weekday": 1, "hour": 8,
                                               "time_zone": "Europe/Berlin"} | more))  # fmt: skip


def attached(message):
    name, text, kind = message.attachments[0]
    assert (name, kind) == ("report.csv", "text/csv")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_report_by_mail_once_with_the_ledgers_figures(lena):
    one = ordered(lena)
    with time_machine.travel(MONDAY, tick=False):
        assert [send_reports() for _ in range(3)] == [1, 0, 0]
        assert send_due() == 1
    (message,) = mail.outbox
    assert message.subject == "$10 spent, 16–22 Nov 2026: 400% more than 9–15 Nov."
    assert message.to == ["lena@example.com"]
    assert "Spent: $10 ($2.00 before)" in message.body
    assert "Premium share: 100%" in message.body
    assert "Changed: Growth briefs: $6.00, $4.00 more" in message.body
    assert "Changed: Brand briefs: $4.00, new" in message.body
    rows = attached(message)
    assert [(row["workflow"], Decimal(row["spent"]), Decimal(row["before"])) for row in rows] == [
        ("Growth briefs", Decimal("6.001"), Decimal("2.001")),
        ("Brand briefs", Decimal("4.001"), Decimal(0)),
    ]
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert stop_path(one) in message.extra_headers["List-Unsubscribe"]
    assert Subscription.objects.get().sent_for == date(2026, 11, 23)
    with time_machine.travel(MONDAY + timedelta(days=7), tick=False):
        assert send_reports() == 1


def test_a_monthly_one_and_one_that_was_missed(lena):
    ordered(lena, cadence="monthly", hour=0)
    with time_machine.travel(datetime(2026, 12, 1, 1, tzinfo=UTC), tick=False):
        assert send_reports() == 1
    assert Delivery.objects.get().payload["title"].startswith("$12 spent, 1–30 Nov 2026")
    with time_machine.travel(datetime(2027, 1, 5, tzinfo=UTC), tick=False):
        assert send_reports() == 0


def test_a_view_with_its_filter_and_group_as_its_reader_sees_it(lena):
    reader = User.objects.create_user("ann", email="ann@example.com")
    Membership.objects.create(user=reader, role="viewer", team=Team.objects.get(slug="growth"))
    view = SavedView.objects.create(
        owner=lena, name="Models", path="/spend/", query="group=model&chart=money", shared=True
    )
    ordered(lena, view=view), ordered(reader, view=view), ordered(reader)
    with time_machine.travel(MONDAY, tick=False):
        assert send_reports() == 3
        send_due()
    sums = {
        message.to[0]: {(row["model"], row["spent"]) for row in attached(message)}
        for message in mail.outbox
        if "model" in attached(message)[0]
    }
    assert sums == {"lena@example.com": {("test-model", "10.002")}, "ann@example.com": {("test-model", "6.001")}}
    assert any("/spend/?period=custom&from=2026-11-16&to=2026-11-22&group=model" in m.body for m in mail.outbox)
    assert any("Your teams: your weekly report" in m.body for m in mail.outbox)


def test_who_lost_their_role_or_account_hears_nothing(lena):
    gone = User.objects.create_user("bo", email="bo@example.com")
    left = User.objects.create_user("cy", email="cy@example.com")
    membership = Membership.objects.create(user=gone, role="viewer")
    Membership.objects.create(user=left, role="viewer")
    ordered(gone), ordered(left)
    membership.delete()
    User.objects.filter(pk=left.pk).update(is_active=False)
    with time_machine.travel(MONDAY, tick=False):
        assert send_reports() == 0
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (lambda one: stop(ME, one), "ended"),
        (lambda one: User.objects.filter(pk=one.owner_id).update(is_active=False), "left"),
        (lambda one: Membership.objects.filter(user=one.owner_id).delete(), "left"),
        (lambda one: SavedView.objects.filter(pk=one.view_id).update(removed_at=MONDAY), "view"),
        (lambda one: one.delete(), "ended"),
    ],
)
def test_what_waits_in_the_outbox_does_not_leave_once_nobody_may_have_it(lena, happens, said):
    cy = User.objects.create_user("cy", email="cy@example.com")
    Membership.objects.create(user=cy, role="viewer")
    view = SavedView.objects.create(owner=cy, name="Mine", path="/spend/", query="", created_at=NOW)
    one = ordered(cy, view=view)
    with time_machine.travel(MONDAY, tick=False):
        assert send_reports() == 1
        happens(one)
        assert send_due() == 0
    waited = Delivery.objects.get()
    assert (waited.state, mail.outbox) == ("cancelled", [])
    assert said in waited.problem


def test_an_ended_one_that_is_taken_up_again_in_time_leaves_and_so_does_one_asked_for_now(lena):
    one = ordered(lena)
    with time_machine.travel(MONDAY, tick=False):
        assert send_reports() == 1
        stop(ME, one)
        resume(ME, one)
        assert send_due() == 1
        stop(ME, one)
        assert put(one, MONDAY, f"{ASKED_FOR}:{one.pk}:x", test=True)
        assert send_due() == 1


def test_a_view_that_was_removed_or_is_shared_no_more_is_not_sent(lena, client):
    reader = User.objects.create_user("ann", email="ann@example.com")
    Membership.objects.create(user=reader, role="viewer")
    view = SavedView.objects.create(owner=lena, name="Models", path="/spend/", query="group=model", shared=True)
    ordered(reader, view=view), ordered(lena, view=view)
    SavedView.objects.update(shared=False)
    with time_machine.travel(MONDAY, tick=False):
        client.force_login(reader)
        assert "so it is not sent" in client.get(reverse("mailed-reports")).content.decode()
        assert ">Models</option>" not in client.get(reverse("mailed-report-new")).content.decode()
        assert send_reports() == 1
        assert Delivery.objects.get().address == "lena@example.com"
    SavedView.objects.update(removed_at=MONDAY)
    with time_machine.travel(MONDAY + timedelta(days=7), tick=False):
        client.force_login(lena)
        assert ">Models</option>" not in client.get(reverse("mailed-report-new")).content.decode()
        one = Subscription.objects.get(owner=lena)
        assert "so it is not sent" in client.get(reverse("mailed-report", args=[one.pk])).content.decode()
        assert send_reports() == 0


def test_what_was_left_out_is_said_and_lines_still_add_up(lena, monkeypatch):
    view = SavedView.objects.create(owner=lena, name="Odd", path="/spend/", query="workflow=nope&group=workflow")
    ordered(lena, view=view)
    monkeypatch.setattr("reports.mailed.report.MOST_ROWS", 1)
    with time_machine.travel(MONDAY, tick=False):
        assert send_reports() == 1
        send_due()
    assert "No workflow is called “nope”" in mail.outbox[0].body
    assert [(row["workflow"], row["spent"], row["before"]) for row in attached(mail.outbox[0])] == [
        ("Everything else", "10.002", "2.001")
    ]


def test_too_many_calls_to_read_are_not_passed_off_as_all(lena, monkeypatch):
    view = SavedView.objects.create(owner=lena, name="Two", path="/spend/", query="campaign=-&group=customer")
    ordered(lena, view=view)
    monkeypatch.setattr("reports.spend.sums.READ_MOST", 1)
    with time_machine.travel(MONDAY, tick=False):
        assert send_reports() == 1
    found = message_of(Delivery.objects.get().payload)
    assert found.title.startswith("$4.00 spent, 18–22 Nov 2026")
    assert "Only 18–22 Nov 2026 could be read" in found.text


def test_to_a_channel(lena):
    channel = create_channel(ME, ChannelValues("News", "email", {"to": "all@example.com"}))
    ordered(lena, channel=channel)
    with time_machine.travel(MONDAY, tick=False):
        assert send_reports() == 1
    found = Delivery.objects.get()
    assert (found.channel, found.payload["stop_path"]) == (channel, "")
    sent = event_of(Target("hook", {}, {}, "1"), message_of(found.payload))["data"]
    assert not {"attachments", "stop_path"} & set(sent)


def test_one_that_fails_does_not_hold_up_the_others(lena, monkeypatch, caplog):
    other = User.objects.create_superuser("max", email="max@example.com")
    first = ordered(lena)
    ordered(other)
    from reports.mailed import sending

    whole = sending.report_of
    monkeypatch.setattr(sending, "report_of", lambda one, *more: 1 / 0 if one.pk == first.pk else whole(one, *more))
    with time_machine.travel(MONDAY, tick=False):
        assert send_reports() == 1
        monkeypatch.undo()
        assert send_reports() == 1
    assert "tried again" in caplog.text


def test_ended_with_one_click_and_without_signing_in(lena, client):
    one = ordered(lena)
    address = stop_path(one)
    page = client.get(address)
    assert (page.status_code, "End this report?" in page.content.decode()) == (200, True)
    assert Subscription.objects.get().stopped_at is None
    for _ in range(2):
        answer = client.post(address, {"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, "has ended" in answer.content.decode()) == (200, True)
    assert Subscription.objects.get().stopped_at is not None
    with time_machine.travel(MONDAY, tick=False):
        assert send_reports() == 0
    for wrong in ("1", f"{one.pk}:nonsense", "%00"):
        assert client.post(reverse("mailed-report-end", args=[wrong])).status_code == 404


def test_the_same_twice_without_an_address_or_too_many(lena):
    ordered(lena)
    with pytest.raises(RefusedReport, match="already"):
        ordered(lena)
    nobody = User.objects.create_superuser("max")
    with pytest.raises(RefusedReport, match="no e-mail address"):
        ordered(nobody)
    with pytest.raises(RefusedReport, match="time zone"):
        ordered(lena, time_zone="Mars/Base")
    one = Subscription.objects.get()
    stop(ME, one)
    ordered(lena)
    with pytest.raises(RefusedReport, match="already"):
        resume(ME, one)
    Subscription.objects.bulk_create(
        Subscription(owner=lena, cadence="monthly", time_zone="UTC", created_at=NOW, channel=None, view=view)
        for view in SavedView.objects.bulk_create(
            SavedView(owner=lena, name=f"{n}", path="/spend/") for n in range(MOST - 1)
        )
    )
    with pytest.raises(RefusedReport, match=f"{MOST} reports"):
        ordered(lena, cadence="monthly")


@time_machine.travel(MONDAY, tick=False)
def test_pages(lena, client, django_assert_max_num_queries):
    client.force_login(lena)
    assert "No reports yet" in client.get(reverse("mailed-reports")).content.decode()
    new = reverse("mailed-report-new")
    assert client.get(new).status_code == 200
    typed = {"view": "", "cadence": "weekly", "weekday": "1", "hour": "8", "time_zone": "Europe/Berlin", "to": "me"}
    for name, wrong in (("cadence", "daily"), ("hour", "99"), ("time_zone", "Mars/Base"), ("to", "7"), ("view", "\0")):
        assert client.post(new, typed | {name: wrong}).status_code == 422, name
    made = client.post(new, typed)
    one = Subscription.objects.get()
    assert made["Location"] == reverse("mailed-report", args=[one.pk])
    assert client.post(new, typed).status_code == 422
    with django_assert_max_num_queries(40):
        page = client.get(made["Location"]).content.decode()
    assert "$10 spent, 16–22 Nov 2026" in page
    assert "Mon" in client.get(reverse("mailed-reports")).content.decode()
    for _ in range(4):
        client.post(reverse("mailed-report-send", args=[one.pk]))
    assert Delivery.objects.filter(payload__test=True).count() == 3
    client.post(reverse("mailed-report-stop", args=[one.pk]))
    assert Subscription.objects.get().stopped_at is not None
    client.post(reverse("mailed-report-resume", args=[one.pk]))
    assert Subscription.objects.get().stopped_at is None
    client.force_login(User.objects.create_superuser("max"))
    for name in ("mailed-report-send", "mailed-report-stop", "mailed-report-resume"):
        assert client.post(reverse(name, args=[one.pk])).status_code == 404
    assert client.get(reverse("mailed-report", args=[one.pk])).status_code == 404
