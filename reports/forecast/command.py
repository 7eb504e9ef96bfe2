"""`manage.py bench_forecast IN.csv OUT.csv --horizon 48 --season 24`: forecasts of histories in a file.

Needs no database, no setting and no environment variable: `manage.py` calls it before Django is set up. It is the
forecaster that the product uses, by its defaults; `benchmarks/forecast.py` scores what it writes.
"""

import argparse
import csv
import gzip
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from reports.forecast.histories import BadFile, read_histories

COLUMNS = ("series", "h", "mean", "lo80", "hi80", "lo95", "hi95")


def main(arguments: Sequence[str]) -> int:
    """Exit status 0, or 1 after a sentence on stderr."""
    parser = argparse.ArgumentParser(prog="manage.py bench_forecast", description=__doc__.splitlines()[0])
    parser.add_argument("source", metavar="IN.csv", type=Path, help="series,t,value[,part]; gzip too; empty: a gap")
    parser.add_argument("target", metavar="OUT.csv", type=Path, help=f"is written: {','.join(COLUMNS)}")
    parser.add_argument("--horizon", type=at_least_one, required=True, help="steps to forecast")
    parser.add_argument("--season", type=at_least_one, required=True, help="steps after which things repeat")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is first imported; more threads only wait
    try:
        histories = read_histories(options.source)
        lines = forecast_all(histories, options.horizon, options.season)
        write(options.target, lines)
    except BadFile as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except OSError as problem:
        sys.stderr.write(f"{options.target} cannot be written: {problem.strerror or problem}.\n")
        return 1
    return 0


def at_least_one(text: str) -> int:
    """For argparse."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def forecast_all(histories: dict[str, list[float | None]], horizon: int, season: int) -> list[tuple[str, ...]]:
    """The lines of the file. Says on stderr how far it is."""
    from reports.forecast.ensemble import forecast
    from reports.forecast.history import TooShort

    lines = []
    told = time.monotonic()
    began = time.process_time()
    for number, (series, values) in enumerate(histories.items(), start=1):
        try:
            found = forecast(values, horizon, season)
        except TooShort as problem:
            raise BadFile(f"{series}: {problem}") from problem
        table = zip(found.mean, found.lo80, found.hi80, found.lo95, found.hi95, strict=True)
        lines += [
            (series, str(step), *(f"{float(number):.10g}" for number in row)) for step, row in enumerate(table, start=1)
        ]
        if time.monotonic() - told >= 2 or number == len(histories):
            told = time.monotonic()
            sys.stderr.write(f"{number} of {len(histories)} series\n")
    spent = (time.process_time() - began) / len(histories)
    sys.stderr.write(f"{spent:.3f} CPU seconds a series\n")
    return lines


def write(path: Path, lines: list[tuple[str, ...]]) -> None:
    """Packed if the name ends in .gz."""
    packed = path.suffix == ".gz"
    with (
        gzip.open(path, "wt", encoding="utf-8", newline="")
        if packed
        else path.open("w", encoding="utf-8", newline="") as file
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(lines)
