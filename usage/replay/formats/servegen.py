"""ServeGen's workload in ten-minute windows: a row says how fast one client sent, not what it sent.

A row stands for rate_rps x 600 requests, times `scale` because the published volume is a provider's whole traffic. The
fractions are carried on within a client, so that the total is right however small the scale. Sizes are log-normal
through the published median and 95th percentile, gaps between requests gamma with the published burstiness; both are
drawn from the row's own numbers, so the same file and scale give the same calls. Where no sizes were published the
call's tokens are unknown, and are left out.

Identity: client, window and number within the window. A client is a workflow.
Source of the shape: alibaba/ServeGen, per-client files.
"""

import math
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from usage.replay.rows import csv_rows
from usage.replay.trace import Event, Format, Given, Unreadable, first_line

WINDOW_SECONDS = 600
Z95 = 1.6448536269514722  # the standard normal's 95th percentile


def read(lines: Iterator[str], given: Given) -> Iterator[Event | Unreadable]:
    carried: defaultdict[str, float] = defaultdict(float)
    for line, row in csv_rows(lines):
        try:
            wanted = carried[row["client"]] + float(row["rate_rps"]) * WINDOW_SECONDS * given.scale
            count = int(wanted)
            carried[row["client"]] = wanted - count
            calls = list(window_calls(row, count, given))
        except (KeyError, ValueError, TypeError, OverflowError) as problem:
            yield Unreadable(line, f"{type(problem).__name__}: {problem}")
            continue
        yield from calls


def window_calls(row: dict[str, str], count: int, given: Given) -> Iterator[Event]:
    """The `count` calls of one row."""
    client, start = row["client"], int(row["t_s"])
    chance = random.Random(f"{client}/{start}/{given.scale}")  # noqa: S311 (a simulation, not a secret)
    opens = given.starts_at + timedelta(seconds=start)
    for number, second in enumerate(arrivals(chance, count, float(row["cv"] or 1)), 1):
        event: Event = {
            "id": f"servegen-{given.fingerprint}-{client}-{start}-{number}",
            "time": opens + timedelta(microseconds=round(second * 1_000_000)),
            "model": given.model,
            "provider": given.provider,
            "workflow": f"{given.workflow or 'servegen'}-client-{client}",
            "operation": "chat",
        }
        if row["in_p50"] and row["out_p50"]:
            event["input_tokens"] = size(chance, float(row["in_p50"]), float(row["in_p95"]))
            event["output_tokens"] = size(chance, float(row["out_p50"]), float(row["out_p95"]))
        yield event


def arrivals(chance: random.Random, count: int, burstiness: float) -> list[float]:
    """Seconds within the window, ascending; gaps are gamma with the given coefficient of variation."""
    shape = 1 / max(burstiness, 0.05) ** 2
    gaps = [chance.gammavariate(shape, 1.0) for _ in range(count + 1)]
    whole = sum(gaps) or 1.0
    passed, seconds = 0.0, []
    for gap in gaps[:count]:
        passed += gap
        seconds.append(min(passed / whole * WINDOW_SECONDS, WINDOW_SECONDS - 1e-6))
    return seconds


def size(chance: random.Random, median: float, p95: float) -> int:
    """Tokens of one request, log-normal through the two percentiles."""
    if median <= 0:
        return 0
    spread = math.log(max(p95, median) / median) / Z95
    return max(1, round(median * math.exp(spread * chance.gauss(0, 1))))


FORMAT = Format(
    name="servegen",
    what="ServeGen windows, CSV with client, t_s, rate_rps, cv and token percentiles",
    identity="client, window and number within the window",
    recognises=lambda head: first_line(head).startswith("client,t_s,rate_rps,cv"),
    read=read,
    in_time_order=False,  # all of client 0, then all of client 1
)
