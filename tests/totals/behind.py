"""The calls behind each part of why spend differs: just those it is about, and what they come to is what it says."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.totals.compare import Comparison
from tests.totals.plain_sum import Row, count, total

Rows = list[Row]


def compare_behind(c: Comparison, where: str, parts: list[dict[str, Any]], sides: list[Rows]) -> None:
    """`sides` are all rows of the time before and of the later one."""
    for part in parts:
        key = part["part"]
        if key in {"rounding", "untold"}:
            continue
        opened = []
        for link, rows, others in ((part["link_before"], *sides), (part["link"], *sides[::-1])):
            expected = behind(key, rows, others, parse_qs(urlsplit(link).query, keep_blank_values=True))
            opened.append(expected)
            only_before = rows is sides[1] and link == part["link_before"]
            if link and not only_before:
                _listed(c, f"{where}: calls behind {key}", link, expected)
            elif key not in OF_OTHERS:
                c.same(f"{where}: nothing behind {key}", len(expected), 0)
        amount, said = comes_to(key, *opened, *sides)
        if amount is not None:
            c.money(f"{where}: what the calls behind {key} come to", part["amount"], amount)
        if said:
            c.same(f"{where}: what {key} counts", part["explanation"][: len(said)], said)


def _listed(c: Comparison, where: str, link: str, expected: Rows) -> None:
    assert link.startswith("/spend/calls/?"), link
    lines = c.csv(link.replace("/spend/calls/", "/export/spend/calls.csv"))
    named = sorted((line["event_id"], line["kind_words"]) for line in lines)
    c.same(where, named, sorted((row.event_id, KINDS[row.kind]) for row in expected))
    found = c.json(link.replace("/spend/calls/", "/series/spend/calls.json"))
    c.money(f"{where}: JSON", found["all"]["cost"] or "0", total(expected))


KINDS = {0: "Call", 1: "Correction", 2: "Withdrawal"}


def behind(key: str, rows: Rows, others: Rows, asked: Mapping[str, list[str]]) -> Rows:
    """The rows that a part is about: calls that match with all that was posted for them in these days; or the rest."""
    here = {row.id for row in rows if row.kind == 0}
    if key in OF_OTHERS:
        return [row for row in rows if row.kind and row.corrects not in here and OF_OTHERS[key](row)]
    wide = _wide_runs(rows)
    used = {row.slug for row in others if row.kind == 0}
    matches: Callable[[Row], bool] = {
        "runs": lambda row: bool(row.run_id),
        "channels": lambda row: (row.slug, row.run_id) in wide,
        "steps": lambda row: bool(row.run_id) and not _retry(row),
        "calls": lambda row: not row.run_id,
        "workflows": lambda row: row.slug not in used,
        "retries": lambda row: _retry(row) or row.status != "ok",
        "cache": lambda row: (
            bool(row.cached_input_tokens or row.cache_write_tokens) or row.cache in {"semantic", "response"}
        ),
        "unknown": lambda row: row.cost is None and not any(one.corrects == row.id and one.kind == 1 for one in rows),
        "model": lambda row: "model" not in asked or (row.model or "-") in asked["model"],
        "price": lambda row: "model" not in asked or row.model in asked["model"],
        "terms": lambda row: "model" not in asked or row.model in asked["model"],
        "prompt_version": lambda row: (
            "prompt_version" not in asked or (row.prompt_version or "-") in asked["prompt_version"]
        ),
    }.get(key, lambda row: True)
    if key.startswith("context."):
        layer = key.removeprefix("context.")
        matches = lambda row: (row.context or {}).get(layer, 0) > 0  # noqa: E731
    mine = {row.id for row in rows if row.kind == 0 and matches(row)}
    return [row for row in rows if (row.corrects or row.id) in mine]


OF_OTHERS: dict[str, Callable[[Row], bool]] = {
    "later": lambda row: row.kind == 1 and row.unpriced < 0,
    "corrections": lambda row: row.kind == 1 and row.unpriced >= 0,
    "withdrawn": lambda row: row.kind == 2,
}


def comes_to(key: str, before: Rows, after: Rows, all_before: Rows, all_after: Rows) -> tuple[int | None, str]:
    """The amount where the calls alone make it, and how the sentence beside it begins."""
    if key in OF_OTHERS:
        return total(after) - total(before), ""
    if key == "workflows":
        return total(after) - total(before), ""
    low, high = _own(all_before), _own(all_after)
    runs = [len({(row.slug, row.run_id) for row in side if row.run_id}) for side in (low, high)]
    calls = [total(side, "calls") for side in (before, after)]
    if key == "runs":
        return None, f"{runs[1]:,} runs, before {runs[0]:,}."
    if key == "calls":
        return None, f"{calls[1]:,} calls outside runs, before {calls[0]:,}."
    if key == "steps":
        return None, f"{_mean(calls[1], runs[1], 2)} steps per run, before {_mean(calls[0], runs[0], 2)}."
    if key == "retries":
        said = [_percent(one, len(side)) for one, side in zip(calls, (low, high), strict=True)]
        return None, f"{said[1]} of calls were retries or failed, before {said[0]}."
    if key == "unknown":
        said = [_percent(one, len(side)) for one, side in zip(calls, (low, high), strict=True)]
        return None, f"{said[1]} of calls have no known cost, before {said[0]}."
    known = [_known(side) for side in (all_before, all_after)]
    if key in {"context", "output"}:
        what = {"context": "input_tokens", "output": "output_tokens"}[key]
        said = [_mean(count(side, what), len(side), 0) for side in known]
        return None, f"{said[1]} tokens of {'input' if key == 'context' else key} per call, before {said[0]}."
    if key == "cache":
        said = [_percent(count(side, "cached_input_tokens"), count(side, "input_tokens")) for side in known]
        return None, f"{said[1]} of the input came from a cache, before {said[0]}."
    return None, ""


def _own(rows: Rows) -> Rows:
    """Calls of these days that nothing took back in them."""
    taken = {row.corrects for row in rows if row.kind == 2}
    return [row for row in rows if row.kind == 0 and row.id not in taken]


def _known(rows: Rows) -> Rows:
    """Those of them with a cost."""
    priced = {row.corrects for row in rows if row.kind == 1}
    return [row for row in _own(rows) if row.cost is not None or row.id in priced]


def _retry(row: Row) -> bool:
    return (row.attempt or 1) > 1


def _wide_runs(rows: Rows) -> set[tuple[str, str]]:
    """Runs that make calls for several channels."""
    channels: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in _own(rows):
        if row.run_id and row.channel:
            channels[row.slug, row.run_id].add(row.channel)
    return {run for run, found in channels.items() if len(found) > 1}


def _mean(top: int, bottom: int, digits: int) -> str:
    return f"{top / bottom:,.{digits}f}" if bottom else "none"


def _percent(top: int, bottom: int) -> str:
    if not bottom:
        return "none"
    share = Fraction(top, bottom)
    return "under 1%" if 0 < share < Fraction(1, 200) else f"{round(share * 100)}%"
