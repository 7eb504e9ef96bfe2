"""One small ledger for each lever, worked out by hand: a workflow each, in which only that lever finds something.

Prices in nano-dollars a token, input and output: `mid` 2,000 and 10,000; `small` half of that; `huge` and `big-1` five
times as much, `big-2` half of `big-1`; cached input costs a tenth. `mid` as a batch costs half. A usual call of `mid`
has 1,000 tokens in and 100 out and costs 3,000,000.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from budgets.models import Organisation, Team, Workflow
from reports.savings.take import ask, work_off
from routing.models import PolicyVersion
from routing.policy.document import Policy, PolicyModel, PolicyTier, written
from usage.ledger import partitions
from usage.models import PriceEntry
from usage.prices import book
from usage.tests.events import a_sender, price_the_model, take

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 11, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
USUAL = {"provider": "acme", "model": "mid", "tier": 2, "input_tokens": 1000, "output_tokens": 100, "user": "ada"}
# What each lever saves in the workflow that is named like it.
SAVED = {
    "retries": 3_000_000,  # the fourth attempt
    "loops": 6_000_000,  # two calls of the one run that has three steps
    "tools": 300_000_000,  # 100 x 1,500 of 2,000 tokens for 20 tools, of which 5 stay
    "prompt-cache": 356_400_000,  # 99 x 2,000 tokens at 200 instead of 2,000
    "batch": 150_000_000,  # 100 calls at half
    "answers": 9_000_000,  # 900 of 1,000 tokens of one answer
    "retrieval": 1_200_000,  # 600 of the 1,000 tokens of ten passages, of which 4 stay
    "history": 10_000_000,  # 5 x 1,000 of 1,100 tokens
    "structured": 50_000_000,  # 100 answers of 140 tokens by `small` become 40
    "semantic-cache": 75_000_000,  # a quarter of 100 calls, as the other application's cache answers
    "newer-model": 7_500_000,  # half of 15,000,000
    "routing-down": 1_500_000,  # one draft at half
    "small-model": 549_000_000_000,  # 61,000,000 tokens at 1,000 instead of 10,000
}
BOTH_ALONE = {"answers": 9_000_000, "routing-down": 154_500_000}  # of 309,000,000
BOTH_TOGETHER = {"answers": 9_000_000, "routing-down": 150_000_000}


def calls() -> Iterator[dict[str, Any]]:
    """Every call."""
    for n in range(4):
        yield one("retries", n, run_id="r", step=1, attempt=n + 1)
    for n in range(99):
        yield one("loops", n, run_id=f"r{n}", step=1)
    for n in range(3):
        yield one("loops", 99 + n, run_id="r99", step=n + 1)
    for n in range(100):
        layers = {"tools": 2000, "user": 1000}
        yield one("tools", n * 10, input_tokens=3000, tools_exposed=20, tools_used=1, context=layers)
        yield one("prompt-cache", n, input_tokens=3000, context={"system": 2000, "user": 1000})
        yield one("batch", n, NIGHT, user=None)
        yield one("answers", n, output_tokens=1000 if n == 7 else 100)
        many = n == 7
        looked = {"retrieval": 1000 if many else 200, "user": 800}
        size = 2000 if many else 1000
        yield one("retrieval", n, retrieved_chunks=10 if many else 2, input_tokens=size, context=looked)
        yield one("history", n, input_tokens=2000, context={"history": 1100 if n < 5 else 100, "user": 700})
        narrow: dict[str, Any] = {"task_type": "extraction", "model": "small", "tier": 1}
        yield one("structured", n, response_format="schema", output_tokens=40, **narrow)
        yield one("structured", 100 + n, response_format="text", output_tokens=140, **narrow)
        hit: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0, "cache": "semantic"} if n < 25 else {}
        yield one("semantic-cache", n, application="shop", **hit)
        yield one("semantic-cache", 100 + n, application="mail")
        yield one("both", n, stage="draft", output_tokens=1000 if n == 7 else 100)
    yield one("newer-model", 0, model="big-1", tier=3)
    yield one("routing-down", 0, stage="draft")
    yield one("small-model", 0, model="huge", tier=3, task_type="translation", input_tokens=61_000_000, output_tokens=0)
    yield one("nothing-known", 0, model="no-price")


def one(workflow: str, n: int, since: datetime = NOON, **values: Any) -> dict[str, Any]:
    """The n-th call, so many minutes later."""
    stated = {
        **USUAL,
        "id": f"{workflow}-{n}",
        "workflow": workflow,
        "time": (since + n * MINUTE).isoformat(),
        **values,
    }
    return {name: value for name, value in stated.items() if value is not None}


def company() -> None:
    """Prices, tiers and the workflows of one team."""
    partitions.forget()
    for model, price, answer in (("small", "1", "5"), ("mid", "2", "10"), ("big-2", "5", "25"), ("big-1", "10", "50")):
        price_the_model(price, answer, model)
    price_the_model("10", "50", "huge")
    PriceEntry.objects.create(
        provider="acme", model="mid", service_tier="batch", valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        input=Decimal(1), output=Decimal(5),
    )  # fmt: skip
    book.forget()
    tiers = [
        PolicyTier(number, name, [PolicyModel("acme", model)])
        for number, name, model in ((1, "Economy", "small"), (2, "Standard", "mid"), (3, "Premium", "huge"))
    ]
    PolicyVersion.objects.filter(live=True).update(live=False)
    PolicyVersion.objects.create(
        state="published", number=7, live=True, title="In force", document=written(Policy(tiers)), published_at=NOW
    )
    team = Team.objects.create(slug="growth", name="Growth")
    Organisation.objects.update(time_zone="UTC")
    for slug in (*SAVED, "both", "nothing-known"):
        Workflow.objects.create(slug=slug, name=slug.title(), status="production", team=team)


def sent() -> None:
    """All calls taken at NOW; the clock must stand there."""
    take(list(calls()), a_sender(), NOW)


def worked_out() -> Any:
    """The company with its calls, and the run that the levers were tried in; the clock must stand at NOW."""
    company()
    sent()
    run, _ = ask()
    assert work_off() == 1
    run.refresh_from_db()
    return run
