"""`client.outcome`, in both clients: what is sent, tried again, refused."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tokenops_sdk import AsyncPolicyClient, OutcomeNotSent, OutcomeRefused, outcomes


@pytest.fixture(params=["threads", "asyncio"])
def tell(request, server, make):
    """`tell(…)`: by either client."""
    if request.param == "threads":
        return lambda *args, **facts: make().outcome(*args, **facts)

    def run(*args, **facts):
        async def go():
            client = AsyncPolicyClient(server.url, "tok_key")  # not started: it follows nothing
            try:
                return await client.outcome(*args, **facts)
            finally:
                await client.aclose()

        return asyncio.run(go())

    return run


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(outcomes, "LONGEST_PAUSE", 0.0)
    for name in ("client", "aio"):
        monkeypatch.setattr(f"tokenops_sdk.{name}.pause", lambda attempt: 0.0)


@pytest.fixture
def said(server):
    """What was posted, answered in turn by `said.answers`; the last one again and again."""

    class Said(list):
        answers = [(200, {"status": "accepted"})]

    found = Said()

    def answer(path, body, headers):
        found.append((path, body))
        return found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]

    server.answer_post = answer
    return found


def test_it_sends_what_is_stated_with_an_id_and_a_time(tell, said):
    when = datetime(2026, 11, 18, 11, 5, tzinfo=UTC)
    assert (
        tell("a/b c", "approved", workflow="seo", reviewer="ann", revenue_usd=Decimal("1.50"), time=when) == "accepted"
    )
    ((path, body),) = said
    assert path == "/api/v1/runs/a%2Fb%20c/outcome"
    assert len(body.pop("id")) == 36
    assert body == {"workflow": "seo", "outcome": "approved", "reviewer": "ann", "revenue_usd": "1.50",
                    "time": "2026-11-18T11:05:00+00:00"}  # fmt: skip


def test_what_was_not_decided_is_sent_again_word_for_word(tell, said):
    said.answers[:] = [(503, {"title": "Later"}), (200, {"page": "of a proxy"}), (200, {"status": "duplicate"})]
    assert tell("r", "shipped", workflow="seo") == "duplicate"
    assert len(said) == 3 and said[0] == said[1] == said[2]


def test_what_is_refused_is_told_and_not_sent_again(tell, said):
    said.answers[:] = [(422, {"title": "Outcome refused", "detail": "satisfaction must be from 0 to 5."})]
    with pytest.raises(OutcomeRefused, match="from 0 to 5") as told:
        tell("r", "approved", workflow="seo", satisfaction=9)
    assert told.value.problem["title"] == "Outcome refused" and len(said) == 1


def test_after_three_tries_the_message_is_handed_back(tell, said):
    said.answers[:] = [(503, {"title": "Later"})]
    with pytest.raises(OutcomeNotSent) as told:
        tell("r", "approved", workflow="seo", id="mine")
    assert told.value.message["id"] == "mine" and len(said) == 3


def test_a_fact_that_there_is_not_is_a_mistake_of_the_program(tell):
    with pytest.raises(TypeError, match="no satisfcation"):
        tell("r", "approved", workflow="seo", satisfcation=4)
