"""Cursor usage, one line for each request. Identity: every column that is not a count or an amount.

Readers of this export disagree whether `Input (w/ Cache Write)` contains `Input (w/o Cache Write)`. We go by the
line's own total: where it is the sum of all four columns they are apart, where it is the sum without the second the
first contains it. A line whose total fits neither is refused. The option settles it for files without totals.
"""

from collections.abc import Mapping
from typing import Any

from usage.imports.exports import Export, Found, decimal, moment, named, whole
from usage.imports.kind import LineError, Option

WITH, WITHOUT, READ, OUT, TOTAL = (
    "input (w/ cache write)", "input (w/o cache write)", "cache read", "output tokens", "total tokens",
)  # fmt: skip


def read(line: Mapping[str, str], options: Mapping[str, str]) -> Found | None:
    counts = {name: whole(line, name) for name in (WITH, WITHOUT, READ, OUT)}
    if "model" not in line:
        raise LineError("model", "The model is missing.")
    cost = decimal(line, "cost") if any(letter.isdigit() for letter in line.get("cost", "")) else None
    kind = line.get("kind", "")
    if not any(counts.values()) and not cost:
        return None
    written = counts[WITH] - counts[WITHOUT] if contains(line, counts, options) else counts[WITH]
    if written < 0:
        raise LineError(WITHOUT, "This is more than the column before it, which is read as containing it.")
    members: dict[str, Any] = {
        "time": moment(line, "date"),
        "model": line["model"],
        "status": "error" if kind.casefold().startswith(("error", "abort")) else "ok",
        "input_tokens": written + counts[WITHOUT] + counts[READ],
        "cached_input_tokens": counts[READ],
        "cache_write_tokens": written,
        "output_tokens": counts[OUT],
    }
    if cost is not None:
        members["cost_usd"] = cost
    if "user" in line:
        members["user"] = line["user"][:128]
    return Found(members, tags={"client": "cursor", **named(line, cursor_kind="kind", max_mode="max mode")})


def contains(line: Mapping[str, str], counts: Mapping[str, int], options: Mapping[str, str]) -> bool:
    """Whether the first input column contains the second."""
    reading = options.get("cursor_input") or "total"
    if reading != "total":
        return reading == "contains"
    if TOTAL not in line:
        raise LineError("", "There is no total to tell how the input columns are meant. Choose it in the options.")
    total, rest = whole(line, TOTAL), counts[READ] + counts[OUT]
    if total == counts[WITH] + counts[WITHOUT] + rest:
        return False
    if total == counts[WITH] + rest:
        return True
    raise LineError(TOTAL, "The total is not the sum of this line's columns, whichever way they are read.")


EXPORT = Export(
    key="cursor",
    title="Cursor usage",
    source="import-cursor",
    needs=(frozenset({"date", "kind", "model", WITH, WITHOUT, READ, OUT}),),
    identity=("date", "cloud agent id", "automation id", "user", "kind", "model", "max mode"),
    read=read,
    note="Requests that a plan includes are priced as others are: what they would cost by the token.",
    options=(
        Option(
            "cursor_input",
            "The first input column",
            "Readers of this export disagree; by each line's total it can be told.",
            (
                ("total", "As each line's total says"),
                ("apart", "Does not contain the second"),
                ("contains", "Contains the second"),
            ),
            "total",
        ),
    ),
    workflow_from=(("user", "User"), ("automation id", "Automation")),
)
