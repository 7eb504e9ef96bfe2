"""AWS cost and usage reports: lines of Amazon Bedrock, whose usage type names model and kind of token.

Each line has one kind of token and becomes a row of its own: cached and written tokens are input too. Lines of other
services, and taxes and credits, are left out. The amount is in thousands of tokens unless the report's unit says else.
Identity: usage type, time, account, operation, resource and kind of line.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from usage.imports.exports import Export, Found, decimal, moment, named
from usage.imports.kind import LineError, Option

USAGE_TYPE = re.compile(
    r"(?:(?P<region>[A-Z]{2,4}\d{1,2})-)?(?P<model>.+?)-(?:mantle-)?"
    r"(?P<what>cache-read-input|cache-write-input|cache-read|cache-write|input|output)-(?:tokens?-count|tokens?)"
    r"(?P<rest>(?:-.*)?)\Z"
)
CLAUDE = re.compile(r"claude-?(?P<number>\d+(?:\.\d+)?)-?(?P<family>opus|sonnet|haiku|instant)\Z", re.I)
THOUSANDS = {"1k tokens": 1000, "1m tokens": 1_000_000, "tokens": 1, "token": 1, "count": 1}
HEADINGS = {
    "type": ("line_item_usage_type", "lineitem/usagetype"),
    "amount": ("line_item_usage_amount", "lineitem/usageamount"),
    "start": ("line_item_usage_start_date", "lineitem/usagestartdate"),
    "cost": ("line_item_unblended_cost", "lineitem/unblendedcost"),
    "unit": ("pricing_unit", "pricing/unit"),
    "account": ("line_item_usage_account_id", "lineitem/usageaccountid"),
    "of": ("line_item_line_item_type", "lineitem/lineitemtype"),
}


def read(line: Mapping[str, str], options: Mapping[str, str]) -> Found | None:
    at = {name: next((heading for heading in names if heading in line), names[0]) for name, names in HEADINGS.items()}
    found = USAGE_TYPE.match(line.get(at["type"], ""))
    if found is None or line.get(at["of"], "Usage") not in {"Usage", "DiscountedUsage", "SavingsPlanCoveredUsage"}:
        return None
    tokens = tokens_of(line, at, options)
    if not tokens:
        return None
    what, rest = found["what"], found["rest"]
    members = {
        "time": moment(line, at["start"]),
        "provider": "aws-bedrock",
        "model": model_of(found["model"], found["rest"]),
        "service_tier": next((tier for tier in ("batch", "flex", "priority") if f"-{tier}" in rest), "standard"),
        "input_tokens": 0 if what == "output" else tokens,
        "cached_input_tokens": tokens if what.startswith("cache-read") else 0,
        "cache_write_tokens": tokens if what.startswith("cache-write") else 0,
        "output_tokens": tokens if what == "output" else 0,
    }
    cost = decimal(line, at["cost"])
    if cost is not None and cost >= 0:
        members["cost_usd"] = cost
    tags = named(line, account=at["account"])
    if found["region"]:
        tags["region"] = found["region"]
    return Found(members, is_sum=True, tags=tags)


def tokens_of(line: Mapping[str, str], at: Mapping[str, str], options: Mapping[str, str]) -> int:
    amount = decimal(line, at["amount"])
    if amount is None:
        raise LineError(at["amount"], "The amount is missing.")
    unit = line.get(at["unit"], options.get("bedrock_unit") or "1K tokens").casefold()
    if unit not in THOUSANDS:
        raise LineError(at["unit"], f"“{unit[:40]}” is no unit of tokens that we know.")
    tokens = amount * Decimal(THOUSANDS[unit])
    if tokens < 0 or abs(tokens - tokens.to_integral_value()) > Decimal("0.001"):
        raise LineError(at["amount"], "This is no whole number of tokens. Is the unit another one?")
    return int(tokens.to_integral_value())


def model_of(name: str, rest: str) -> str:
    """`Claude4.6Opus` as anthropic.claude-opus-4-6, other names as they are; routed globally it has another price."""
    found = CLAUDE.match(name)
    model = f"anthropic.claude-{found['family'].lower()}-{found['number'].replace('.', '-')}" if found else name
    return f"global.{model}" if "-global" in rest and not model.startswith("global.") else model


EXPORT = Export(
    key="bedrock",
    title="AWS cost and usage report (Bedrock)",
    source="import-aws-bedrock",
    needs=tuple(frozenset(HEADINGS[part][n] for part in ("type", "amount", "start")) for n in (0, 1)),
    identity=(
        *HEADINGS["type"], *HEADINGS["start"], *HEADINGS["account"], *HEADINGS["of"],
        "line_item_operation", "lineitem/operation", "line_item_resource_id", "lineitem/resourceid",
    ),
    read=read,
    note="Lines of other services, taxes and credits are left out.",
    options=(
        Option(
            "bedrock_unit",
            "Unit of the amounts",
            "Only where the report has no column for it.",
            (("1K tokens", "Thousands of tokens"), ("tokens", "Tokens"), ("1M tokens", "Millions of tokens")),
            "1K tokens",
        ),
    ),
    workflow_from=(("line_item_usage_account_id", "Account"), ("lineitem/usageaccountid", "Account (older reports)")),
)  # fmt: skip
