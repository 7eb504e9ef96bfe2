"""`manage.py bench_anomaly IN.csv OUT.csv`: how unusual each row of the series in a file is.

Needs no database, no setting and no environment variable: `manage.py` calls it before Django is set up. It is the
detector that the product uses, as shipped; `benchmarks/anomaly.py` scores what it writes.
"""

import argparse
import csv
import gzip
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from reports.forecast.histories import BadFile
from reports.unusual.detector import SHIPPED_THRESHOLD
from reports.unusual.scan import scan
from reports.unusual.series import Row, by_series, read_rows

COLUMNS = ("series", "timestamp", "score")


def main(arguments: Sequence[str]) -> int:
    """Exit status 0, or 1 after a sentence on stderr. Only the threshold goes to stdout."""
    parser = argparse.ArgumentParser(prog="manage.py bench_anomaly", description=__doc__.splitlines()[0])
    parser.add_argument("source", metavar="IN.csv", type=Path, help="series,timestamp,value; gzip too; empty: a gap")
    parser.add_argument("target", metavar="OUT.csv", type=Path, help=f"is written: {','.join(COLUMNS)}")
    parser.add_argument("--profile", choices=["default"], default="default", help="the only one: as shipped")
    options = parser.parse_args(arguments)
    try:
        rows = read_rows(options.source)
        write(options.target, rows, score_all(rows))
    except BadFile as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except OSError as problem:
        sys.stderr.write(f"{options.target} cannot be written: {problem.strerror or problem}.\n")
        return 1
    sys.stdout.write(f"threshold: {SHIPPED_THRESHOLD}\n")
    return 0


def score_all(rows: Sequence[Row]) -> list[float]:
    """A score for each row, in their order. Says on stderr how far it is."""
    scores = [0.0] * len(rows)
    series = by_series(rows)
    told = time.monotonic()
    began = time.process_time()
    for number, places in enumerate(series.values(), start=1):
        seen = scan([rows[place].when for place in places], [rows[place].value for place in places])
        for place, one in zip(places, seen, strict=True):
            scores[place] = one.score
        if time.monotonic() - told >= 2 or number == len(series):
            told = time.monotonic()
            sys.stderr.write(f"{number} of {len(series)} series\n")
    sys.stderr.write(f"{(time.process_time() - began) / len(rows) * 1e6:.1f} µs of CPU a row\n")
    return scores


def write(path: Path, rows: Sequence[Row], scores: Sequence[float]) -> None:
    """Packed if the name ends in .gz. Scores to their last digit, so that they compare exactly."""
    with created(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((row.series, row.timestamp, repr(score)) for row, score in zip(rows, scores, strict=True))


def created(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "wt", encoding="utf-8", newline="")
    return path.open("w", encoding="utf-8", newline="")
