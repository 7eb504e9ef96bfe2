"""Stopping a run by hand: from its page and from unusual spend, undone, by whom, over HTTP."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone
from tokenops_sdk import Prepared, Request, decide_prepared

from budgets.models import AuditEntry, Organisation, StoppedRun
from reports.tests.test_unusual_pages import a_finding
from reports.tests.unusual_made import NOW, a_company, a_workflow
from reports.unusual.switches import told
from routing.bundle.content import Stamp, document
from routing.bundle.snapshot import read_content
from routing.tests.alerting import client_of
from usage.rollups.fold import fold_all
from usage.tests.events import a_sender, an_event, take

pytestmark = pytest.mark.django_db
ODD = "a/b c?d=é&.."
RUN = "/spend/runs/ad-copy/r-17/"


@pytest.fixture(autouse=True)
def noon():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def copy():
    a_company()
    workflow = a_workflow()
    events = [
        an_event(f"e-{n}", time=(NOW - ago).isoformat(), workflow="ad-copy", run_id=run, step=1)
        for n, (run, ago) in enumerate(
            [("r-17", timedelta(minutes=3)), (ODD, timedelta(minutes=3)), ("old", timedelta(days=2))]
        )
    ]
    assert take(events, a_sender()).accepted == len(events)
    fold_all()
    return workflow


@pytest.fixture
def lena(client):
    client.force_login(User.objects.create_superuser("lena", password="a-long-horse-for-tests"))
    return client


def decided(run):
    said = document(read_content(Organisation.get()), Stamp(1, 1, 0, 0, "2026-11-22T12:00:00Z"))
    return decide_prepared(Prepared(said), Request(workflow="ad-copy", run_id=run), timezone.now()).action


@pytest.mark.parametrize("run", ["r-17", ODD])
def test_from_its_page_and_back(lena, copy, run):
    page = lena.get(RUN if run == "r-17" else f"/spend/runs/ad-copy/?id={'a%2Fb+c%3Fd%3D%C3%A9%26..'}")
    assert "Stop this run" in page.content.decode()
    address = page.context["switch"].address
    assert lena.get(address).status_code == 405
    after = lena.post(address, {"reason": "Goes in circles."}, follow=True)
    text = after.content.decode()
    assert f"Stopped run {run}".replace("&", "&amp;") in text and "Goes in circles." in text and "Let it go on" in text
    assert (decided(run), decided("another")) == ("block", "allow")
    undo = next(iter(after.context["messages"])).extra_tags
    assert undo == after.context["switch"].address
    text = lena.post(undo, follow=True).content.decode()
    assert "may make calls again" in text and "Stop this run" in text
    assert decided(run) == "allow"
    assert list(AuditEntry.objects.filter(object_type="budgets.stoppedrun").order_by("pk").values_list(
        "act", "who__username", "reason"
    )) == [("stopped", "lena", "Goes in circles."), ("let go on", "lena", "")]  # fmt: skip
    history = lena.get("/history/").content.decode()
    assert "stopped the run" in history and "let the run" in history


def test_from_the_unusual_spend_that_comes_from_it(lena, copy):
    finding = a_finding(copy, kind="loop", subject="r-17", runs=["r-17"])
    page = lena.get(f"/unusual/{finding.pk}/")
    (switch,) = page.context["switches"]
    assert "Stop this run" in page.content.decode() and not switch.said
    text = lena.post(switch.address, follow=True).content.decode()
    (stop,) = StoppedRun.objects.all()
    assert (stop.finding, stop.reason) == (finding.pk, "$66 more than usual for Ad copy: one run goes in circles.")
    assert told(stop, Organisation.get(), timezone.now()) in text and "Let it go on" in text
    page = lena.get(f"/unusual/{finding.pk}/")
    lena.post(page.context["switches"][0].address)
    assert "was stopped at" in lena.get(f"/unusual/{finding.pk}/").content.decode()
    assert decided("r-17") == "allow"


def test_what_was_stopped_stays_on_the_page_when_other_runs_are_behind_it(lena, copy):
    finding = a_finding(copy, kind="retries", runs=["r-17"])
    lena.post(lena.get(f"/unusual/{finding.pk}/").context["switches"][0].address)
    finding.runs, finding.ended_at = [ODD], timezone.now()
    finding.save()
    (switch,) = lena.get(f"/unusual/{finding.pk}/").context["switches"]  # of one that is over, what was done
    assert (switch.run_id, switch.is_stopped) == ("r-17", True)


def test_a_run_whose_last_call_is_long_ago_needs_no_stopping(lena, copy):
    page = lena.get("/spend/runs/ad-copy/old/")
    assert page.status_code == 200 and "Stop this run" not in page.content.decode()


@pytest.mark.parametrize("path", ["/runs/ad-copy/stop/", "/runs/ad-copy/stop/?id=none", "/runs/none/stop/?id=r-17",
                                  "/runs/ad-copy/go-on/?id=none", "/runs/ad-copy/stop/?id=r-17%00"])  # fmt: skip
def test_a_run_that_there_is_not_is_not_found(lena, copy, path):
    assert lena.post(path).status_code == 404
    assert not StoppedRun.objects.exists()


def test_another_workflows_unusual_spend_is_not_what_it_was_stopped_for(lena, copy):
    other = a_finding(a_workflow("logs", "ops"))
    for finding in (other.pk, "x", "9" * 30, "-1"):
        answer = lena.post(f"/runs/ad-copy/stop/?id=r-17&finding={finding}")
        assert answer.url == RUN
    assert StoppedRun.objects.get().finding is None


def test_whoever_may_pause_the_workflow_may_stop_its_run_and_others_see_who_can(copy):
    finding = a_finding(copy, kind="loop", subject="r-17", runs=["r-17"])
    stop = "/runs/ad-copy/stop/?id=r-17"
    viewer, owner = client_of("vera", "viewer", copy.team), client_of("olga", "budget_owner", copy.team)
    stranger = client_of("otto", "budget_owner", a_workflow("logs", "ops").team)
    for page in (RUN, f"/unusual/{finding.pk}/"):
        text = viewer.get(page).content.decode()
        assert "Whoever may change" in text and 'action="/runs/' not in text
    assert (viewer.post(stop).status_code, stranger.post(stop).status_code) == (403, 404)
    assert not StoppedRun.objects.exists()
    assert owner.post(stop).status_code == 302
    assert viewer.post("/runs/ad-copy/go-on/?id=r-17").status_code == 403
    assert decided("r-17") == "block"


def test_over_http(lena, copy):
    def post(act, run="r-17", query="?workflow=ad-copy", **sent):
        answer = lena.post(f"/api/v1/runs/{run}/{act}{query}", sent, content_type="application/json")
        return answer.status_code, answer.json()

    status, said = post("stop", reason="Loops.")
    assert (status, said["stopped"], said["reason"], said["workflow"]) == (200, True, "Loops.", "ad-copy")
    assert decided("r-17") == "block"
    assert post("stop")[1] == said  # twice is once
    status, said = post("go-on")
    assert (status, said["stopped"]) == (200, False)
    assert decided("r-17") == "allow"
    assert post("go-on", run="none")[0] == 404
    assert post("stop", query="")[0] == 422
    assert post("stop", query="?workflow=none")[0] == 404
    assert post("stop", reason="x" * 501)[0] == 422
    unassigned = an_event("e-u", time=NOW.isoformat(), run_id="r-1")
    take([unassigned], a_sender())
    fold_all()
    status, said = post("stop", run="r-1", query="?workflow=unassigned")
    assert status == 409 and "cannot be stopped" in said["detail"]
