"""Costs worked by hand, with the arithmetic and the source written beside them."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from usage.prices import cost
from usage.prices.cost import cost_of
from usage.tests.price_cases import seeded_book

GOLDEN = Path(cost.__file__).parent / "golden"
VECTORS = [
    pytest.param({"provider": document["provider"], **vector}, id=f"{path.stem}: {vector['name']}")
    for path in sorted(GOLDEN.glob("*.json"))
    for document in [json.loads(path.read_text())]
    for vector in document["vectors"]
]


@pytest.mark.parametrize("vector", VECTORS)
def test_cost_as_worked_by_hand(vector: dict[str, Any]) -> None:
    price = seeded_book().find(
        vector["provider"], vector["model"], vector["service_tier"], datetime.fromisoformat(vector["time"])
    )
    units = {
        name: Decimal(count) if isinstance(count, str) else count for name, count in vector.get("units", {}).items()
    }
    counts = [vector[f"{kind}_tokens"] for kind in ("input", "cached_input", "cache_write", "output")]
    parts = None if price is None else cost_of(price, *counts, units)
    assert (None if parts is None else msgspec.structs.asdict(parts)) == vector["cost"], vector["arithmetic"]


def test_every_kind_of_price_has_a_vector() -> None:
    vectors = [case.values[0] for case in VECTORS]
    assert {"openai", "azure", "anthropic", "google", "mistral", "deepseek", "xai", "aws.bedrock"} <= {
        vector["provider"] for vector in vectors
    }
    priced = [vector["cost"] for vector in vectors if vector["cost"]]
    for part in ("input", "cached", "cache_write", "output", "units"):
        assert any(cost[part] for cost in priced), part
    assert any(vector["cost"] is None for vector in vectors)
