"""The API of outcomes: every field, bounds, nonsense, keys and teams, one and many."""

import json
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from budgets.access import directory
from budgets.access.keys import make_key
from budgets.models import Team, Workflow
from usage.ingest import workflows
from usage.models import OutcomeMessage
from usage.outcomes.take import MOST_OF_A_RUN

pytestmark = pytest.mark.django_db(transaction=True)
ONE = "/api/v1/runs/brief-481/outcome"
MANY = "/api/v1/outcomes"
FULL = {
    "id": "review-1", "outcome": "approved", "reviewer": "ann", "review_minutes": "4.50", "satisfaction": 4.25,
    "misrouted": False, "revenue_usd": "0.000000001", "minutes_saved": 90, "cases": 0, "asset": "cms/481",
    "time": "2026-11-18T11:05:00+01:00", "later": "ignored",
}  # fmt: skip


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to("2026-11-18T12:00:00Z", tick=False)
    workflows.forget()
    yield
    workflows.forget()


@pytest.fixture
def key() -> str:
    plain = make_key("cms", ["ingest"])[1]
    directory.directory().load()
    return plain


def post(url: str, body: object, key: str, **headers: str):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"HTTP_AUTHORIZATION": f"Bearer {key}"} | headers
    return Client().post(url, raw, content_type=headers.pop("content_type", "application/json"), **headers)


def test_one_outcome_is_kept_with_every_field(key):
    answer = post(f"{ONE}?workflow=seo-briefs", FULL, key)
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "accepted", "id": "review-1", "run_id": "brief-481"},
    )
    told = OutcomeMessage.objects.get()
    assert (told.run_id, told.outcome, told.reviewer, told.asset, told.misrouted, told.cases) == (
        "brief-481", "approved", "ann", "cms/481", False, 0,
    )  # fmt: skip
    assert (told.review_minutes, told.satisfaction, told.revenue, told.minutes_saved) == (
        Decimal("4.5"), Decimal("4.25"), 1, Decimal(90),
    )  # fmt: skip
    assert told.time.isoformat() == "2026-11-18T10:05:00+00:00"
    flow = Workflow.objects.get(slug="seo-briefs")
    assert (flow.status, told.workflow_id) == ("discovered", flow.pk), "as an event would have it"


def test_what_is_not_said_is_unknown_and_the_workflow_is_that_of_calls_without_one(key):
    assert post(ONE, {"outcome": "failed"}, key).status_code == 200
    told = OutcomeMessage.objects.get()
    assert (told.review_minutes, told.satisfaction, told.misrouted, told.revenue, told.cases) == (None,) * 5
    assert (told.time, told.workflow_id) == (timezone.now(), Workflow.objects.get(slug="unassigned").pk)


def test_sent_again_it_is_a_duplicate_and_with_other_content_a_conflict(key):
    post(f"{ONE}?workflow=seo", FULL, key)
    same = FULL | {"workflow": "seo", "run_id": "brief-481", "review_minutes": 4.5}
    assert post(ONE, same, key).json()["status"] == "duplicate"
    answer = post(f"{ONE}?workflow=seo", FULL | {"satisfaction": 1}, key)
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert answer.json()["type"].endswith("/conflict")
    assert OutcomeMessage.objects.get().satisfaction == Decimal("4.25"), "the first counts"


def test_the_header_is_an_id_where_the_body_has_none(key):
    said = {"outcome": "approved", "time": "2026-11-18T11:00:00Z"}
    assert post(ONE, said, key, HTTP_IDEMPOTENCY_KEY="k-1").json() == {
        "status": "accepted", "id": "k-1", "run_id": "brief-481",
    }  # fmt: skip
    assert post(ONE, said, key, HTTP_IDEMPOTENCY_KEY="k-1").json()["status"] == "duplicate"
    assert post(ONE, said | {"outcome": "failed"}, key, HTTP_IDEMPOTENCY_KEY="k-1").status_code == 409
    assert post(ONE, FULL, key, HTTP_IDEMPOTENCY_KEY="k-1").json()["id"] == "review-1"
    assert post(ONE, said, key, HTTP_IDEMPOTENCY_KEY="x" * 129).status_code == 422


BAD = [
    ({}, "outcome"),
    ({"outcome": "fine"}, "outcome"),
    ({"outcome": None}, "outcome"),
    ({"outcome": "approved", "satisfaction": "5.01"}, "satisfaction"),
    ({"outcome": "approved", "satisfaction": -1}, "satisfaction"),
    ({"outcome": "approved", "satisfaction": "4.125"}, "satisfaction"),
    ({"outcome": "approved", "satisfaction": "NaN"}, "satisfaction"),
    ({"outcome": "approved", "review_minutes": 100_001}, "review_minutes"),
    ({"outcome": "approved", "review_minutes": "1e-999999"}, "review_minutes"),
    ({"outcome": "approved", "revenue_usd": "100000000.01"}, "revenue_usd"),
    ({"outcome": "approved", "revenue_usd": "0.0000000001"}, "revenue_usd"),
    ({"outcome": "approved", "revenue_usd": "Infinity"}, "revenue_usd"),
    ({"outcome": "approved", "revenue_usd": "12 dollars"}, "revenue_usd"),
    ({"outcome": "approved", "minutes_saved": 10_000_000.5}, "minutes_saved"),
    ({"outcome": "approved", "cases": -1}, "cases"),
    ({"outcome": "approved", "cases": 10**30}, "cases"),
    ({"outcome": "approved", "cases": 1.5}, "cases"),
    ({"outcome": "approved", "misrouted": "yes"}, "misrouted"),
    ({"outcome": "approved", "reviewer": "x" * 129}, "reviewer"),
    ({"outcome": "approved", "asset": "x" * 501}, "asset"),
    ({"outcome": "approved", "id": ""}, "id"),
    ({"outcome": "approved", "workflow": "SEO Briefs"}, "workflow"),
    ({"outcome": "approved", "time": "2026-11-18T11:00:00"}, "time"),
    ({"outcome": "approved", "time": "2026-11-19T12:00:01Z"}, "time"),
    ({"outcome": "approved", "time": "2001-01-01T00:00:00Z"}, "time"),
    ({"outcome": "approved", "time": "0001-01-01T00:00:00+14:00"}, "time"),
    ({"outcome": "approved", "run_id": "another"}, "run_id"),
    ({"outcome": "approved", "source": "somebody-else"}, "source"),
    ({"outcome": "approved", "reviewer": "a\0b"}, ""),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_what_cannot_be_is_refused_at_its_field(key, body, field):
    answer = post(ONE, body, key)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json"), answer.content
    assert answer.json().get("field", "") == field
    assert answer.json()["detail"]
    assert not OutcomeMessage.objects.exists()


def test_an_outcome_that_is_none_is_refused_with_the_words_there_are(key):
    said = "outcome cannot be “marvellous”. Use one of: approved, completed, failed, rejected, reworked, shipped."
    assert post(ONE, {"outcome": "marvellous"}, key).json()["detail"] == said
    many = post(MANY, [{"run_id": "r", "outcome": "marvellous"}, {"run_id": "r"}], key).json()["items"]
    assert many[0]["problem"]["detail"] == said
    assert many[1]["problem"]["detail"].endswith(said.partition(". ")[2])


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"[]", 400),
        (b"3", 400),
        (b"\xff\xfe", 400),
        (b'{"outcome": "approved", "asset": "\\ud800"}', 400),
        (b'{"outcome":' + b"[" * 100_000, 400),
        (b'{"outcome": "approved", "note": "' + b"x" * 6_000_000 + b'"}', 413),
    ],
)
def test_a_body_that_is_none_is_a_problem(key, raw, status, settings):
    settings.INGEST_MAX_BYTES = 5_000_000
    answer = post(ONE, raw, key)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert post(ONE, {"outcome": "approved"}, key, content_type="text/csv").status_code == 415


@pytest.mark.parametrize("run_id", ["a%00b", "x" * 129])
def test_an_impossible_run_is_refused(key, run_id):
    assert post(f"/api/v1/runs/{run_id}/outcome", {"outcome": "approved"}, key).status_code == 422
    assert post(f"{ONE}?workflow=No%20Slug", {"outcome": "approved"}, key).status_code == 422
    assert post(f"{ONE}?workflow=a%00", {"outcome": "approved"}, key).status_code == 422


def test_a_run_may_have_slashes_and_any_letters(key):
    assert post("/api/v1/runs/a/b%2Fc%20é/outcome", {"outcome": "approved"}, key).status_code == 200
    assert OutcomeMessage.objects.get().run_id == "a/b/c é"


def test_many_are_answered_one_by_one(key):
    said = {"run_id": "r1", "workflow": "seo", "time": "2026-11-18T11:00:00Z"}
    sent = [
        said | {"id": "1", "outcome": "approved"},
        said | {"id": "1", "outcome": "approved"},
        said | {"id": "1", "outcome": "failed"},
        {"id": "2", "outcome": "approved"},
        said | {"id": "3", "outcome": "shipped"},
        "nonsense",
    ]
    answer = post(MANY, sent, key)
    found = answer.json()
    assert answer.status_code == 207
    assert [found[name] for name in ("accepted", "duplicate", "conflict", "rejected")] == [2, 1, 1, 2]
    assert [(one["index"], one["id"], one["status"]) for one in found["items"]] == [
        (1, "1", "duplicate"), (2, "1", "conflict"), (3, "2", "rejected"), (5, "", "rejected"),
    ]  # fmt: skip
    assert found["items"][2]["problem"]["field"] == "run_id"
    assert post(MANY, sent[:2], key).status_code == 200
    assert post(MANY, sent[0], key).json()["duplicate"] == 1
    assert post(MANY, [{}] * 10_001, key).status_code == 413
    assert OutcomeMessage.objects.count() == 2


def test_only_a_key_that_sends_may_send(key, client, admin_user):
    reader = make_key("reader", ["read"])[1]
    directory.directory().load()
    assert post(ONE, {"outcome": "approved"}, reader).status_code == 403
    assert post(ONE, {"outcome": "approved"}, "tok_wrong").status_code == 401
    client.force_login(admin_user)
    assert client.post(ONE, "{}", content_type="application/json").status_code in {401, 403}
    assert client.get(ONE, headers={"authorization": f"Bearer {key}"}).status_code == 403


def test_a_key_of_a_team_speaks_of_its_teams_workflows():
    brand, growth = (Team.objects.create(slug=slug, name=slug) for slug in ("brand", "growth"))
    for team in (brand, growth):
        Workflow.objects.create(slug=f"{team.slug}-flow", name=team.slug, team=team, status="production")
    _, key = make_key("brand's", ["ingest"], teams=["brand"])
    directory.directory().load()
    assert post(f"{ONE}?workflow=brand-flow", {"outcome": "approved"}, key).status_code == 200
    assert post(f"{ONE}?workflow=new-one", {"outcome": "approved"}, key).status_code == 200
    answer = post(f"{ONE}?workflow=growth-flow", {"outcome": "approved"}, key)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (422, "team-not-allowed")


def test_a_run_takes_so_many_messages_and_no_more(key):
    said = {"run_id": "r", "workflow": "seo", "outcome": "reworked"}
    assert post(MANY, [said | {"id": str(n)} for n in range(MOST_OF_A_RUN)], key).json()["accepted"] == MOST_OF_A_RUN
    answer = post(MANY, [said | {"id": "one-more"}, said | {"id": "other", "run_id": "s"}], key).json()
    assert (answer["accepted"], answer["items"][0]["problem"]["type"].rpartition("/")[2]) == (1, "too-many-outcomes")


def test_too_many_new_workflows_are_refused(key, settings):
    settings.INGEST_MAX_DISCOVERED = 0
    answer = post(f"{ONE}?workflow=one-more", {"outcome": "approved"}, key)
    assert answer.json()["type"].rpartition("/")[2] == "too-many-workflows"


def test_statements_do_not_grow_with_outcomes(key, django_assert_max_num_queries):
    said = {"workflow": "seo", "outcome": "approved"}
    post(MANY, [said | {"run_id": "first"}], key)
    with django_assert_max_num_queries(8):
        post(MANY, [said | {"run_id": f"r{n}", "id": str(n)} for n in range(300)], key)


def test_one_batch_brings_a_run_no_more_than_it_takes_and_sending_again_stays_safe(key):
    said = {"run_id": "r", "workflow": "seo-briefs", "outcome": "reworked"}
    many = [said | {"id": str(n)} for n in range(MOST_OF_A_RUN + 5)]
    answer = post(MANY, many, key).json()
    assert (answer["accepted"], answer["rejected"]) == (MOST_OF_A_RUN, 5)
    again = post(MANY, many, key).json()
    assert (again["accepted"], again["duplicate"], again["rejected"]) == (0, MOST_OF_A_RUN, 5)
    assert OutcomeMessage.objects.count() == MOST_OF_A_RUN
