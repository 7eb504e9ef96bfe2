"""How good the forecaster is: forecasts of `manage.py bench_forecast` against what came.

    python -m benchmarks.forecast DATA.csv.gz --horizon 48 --season 24
    python -m benchmarks.forecast DATA.csv.gz --horizon 48 --season 24 --predictions OUT.csv
    python -m benchmarks.forecast DATA.csv.gz --horizon 48 --season 24 --cross-validate
    python -m benchmarks.forecast DATA.csv.gz --horizon 48 --season 24 --earlier 0 2 4 --known 480

DATA holds `series,t,value,part`; `train` rows are the history, `test` rows what came. Without `--predictions` the
command is run on it, and its CPU time counted, start included. Needs no database. The definitions are those of the M4
competition (Makridakis et al. 2020):

    sMAPE = 200 mean(|y - f| / (|y| + |f|));  MASE = mean|y - f| / mean over the history |y_t - y_(t-m)|
    OWA = the mean of both, each averaged over series and divided by Naive2's
    MSIS(95) = mean(hi - lo + 40 (lo - y)+ + 40 (y - hi)+), on the scale of MASE;  total APE = |sum f - sum y| / sum y

A step whose value is unknown does not count, nor does it in the total.
"""

import argparse
import csv
import gzip
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reports.forecast.histories import BadFile, opened

Floats = NDArray[np.float64]
CHECKOUT = Path(__file__).resolve().parent.parent
EDGES = ("mean", "lo80", "hi80", "lo95", "hi95")


@dataclass(frozen=True)
class Series:
    """History and what came; NaN where unknown."""

    name: str
    history: Floats
    came: Floats


@dataclass(frozen=True)
class Score:
    """Of one series. Coverage is a share, `ape` in percent; `smape2` and `mase2` are Naive2's."""

    smape: float
    mase: float
    smape2: float
    mase2: float
    within80: float
    within95: float
    msis: float
    ape: float


def read_series(path: Path) -> list[Series]:
    """The series of a file with `part`, in its order. Rows are taken in the order of the file."""
    parts: dict[str, dict[str, list[float]]] = {}
    with opened(path) as file:
        for row in csv.DictReader(file):
            value = float(row["value"]) if row["value"] else np.nan
            parts.setdefault(row["series"], {"train": [], "test": []})[row["part"]].append(value)
    return [Series(name, np.array(of["train"]), np.array(of["test"])) for name, of in parts.items()]


def read_predictions(path: Path) -> dict[str, Floats]:
    """Of each series the rows mean, lo80, hi80, lo95, hi95 (5 x horizon)."""
    steps: dict[str, list[tuple[int, list[float]]]] = {}
    with opened(path) as file:
        for row in csv.DictReader(file):
            steps.setdefault(row["series"], []).append((int(row["h"]), [float(row[edge]) for edge in EDGES]))
    for name, rows in steps.items():
        if [step for step, _ in sorted(rows)] != list(range(1, len(rows) + 1)):
            raise BadFile(f"{name}: h must go from 1 on, each once.")
    return {name: np.array([edges for _, edges in sorted(rows)]).T for name, rows in steps.items()}


def filled(history: Floats, season: int) -> Floats:
    """Gaps are the value a season before, else the median."""
    out, middle = history.copy(), np.nanmedian(history)
    for gap in np.flatnonzero(np.isnan(history)):
        out[gap] = out[gap - season] if gap >= season else middle
    return out


def scale_of(history: Floats, season: int) -> float:
    """What MASE and MSIS are divided by: the mean error of the seasonal naive forecast within the history."""
    known = filled(history, season)
    return float(np.abs(known[season:] - known[:-season]).mean())


def seasonal_naive(history: Floats, horizon: int, season: int) -> Floats:
    """The last season again and again."""
    return np.resize(filled(history, season)[-season:], horizon)


def naive2(history: Floats, horizon: int, season: int) -> Floats:
    """The last value, seasonally adjusted where the history is seasonal; additive where it holds zeros."""
    known = filled(history, season)
    if not is_seasonal(known, season):
        return np.full(horizon, known[-1])
    ends = np.array([0.5, *[1.0] * (season - 1), 0.5]) if season % 2 == 0 else np.ones(season)
    trend = np.convolve(known, ends / season, mode="valid")
    start = (len(ends) - 1) // 2
    middle = known[start : start + len(trend)]
    times = bool((known > 0).all())
    rest = middle / trend if times else middle - trend
    phase = (np.arange(len(rest)) + start) % season
    index = np.array([rest[phase == at].mean() for at in range(season)])
    index = index / index.mean() if times else index - index.mean()
    last, ahead = index[(len(known) - 1) % season], index[(len(known) + np.arange(horizon)) % season]
    return np.asarray(known[-1] / last * ahead if times else known[-1] - last + ahead)


def is_seasonal(known: Floats, season: int) -> bool:
    """|acf(m)| > 1.645 sqrt((1 + 2 sum of acf(k)^2, k < m) / n), the competition's test."""
    away = known - known.mean()
    whole = float(away @ away)
    if season == 1 or whole == 0:
        return False
    acf = np.array([away[lag:] @ away[: len(away) - lag] for lag in range(season + 1)]) / whole
    return bool(abs(acf[season]) > 1.645 * np.sqrt((1 + 2 * (acf[1:season] ** 2).sum()) / len(known)))


def smape(came: Floats, mean: Floats) -> float:
    """In percent; 0 where both are 0."""
    both = np.abs(came) + np.abs(mean)
    return float(200 * np.nanmean(np.where(both == 0, 0.0, np.abs(came - mean) / np.where(both == 0, 1.0, both))))


def score(series: Series, edges: Floats, season: int) -> Score:
    """`edges` is mean, lo80, hi80, lo95, hi95 (5 x horizon)."""
    mean, lo80, hi80, lo95, hi95 = edges
    came, scale, plain = series.came, scale_of(series.history, season), naive2(series.history, len(mean), season)
    known = np.isfinite(came)
    missed = np.maximum(lo95 - came, 0) + np.maximum(came - hi95, 0)
    total = came[known].sum()
    return Score(
        smape=smape(came, mean),
        mase=float(np.nanmean(np.abs(came - mean)) / scale),
        smape2=smape(came, plain),
        mase2=float(np.nanmean(np.abs(came - plain)) / scale),
        within80=float(((came >= lo80) & (came <= hi80))[known].mean()),
        within95=float(((came >= lo95) & (came <= hi95))[known].mean()),
        msis=float(np.nanmean(hi95 - lo95 + 40 * missed) / scale),
        ape=float(100 * abs(mean[known].sum() - total) / total),
    )


def summary(scores: Sequence[Score]) -> dict[str, float]:
    """Over all series, with the standard error of the figures that are plain means."""
    column = {field.name: np.array([getattr(each, field.name) for each in scores]) for field in fields(Score)}
    mean = {name: float(values.mean()) for name, values in column.items()}
    error = {name: float(values.std() / np.sqrt(len(values))) for name, values in column.items()}
    return {
        "OWA": (mean["smape"] / mean["smape2"] + mean["mase"] / mean["mase2"]) / 2,
        "sMAPE": mean["smape"],
        "MASE": mean["mase"],
        "coverage 80": mean["within80"],
        "± (coverage 80)": error["within80"],
        "coverage 95": mean["within95"],
        "± (coverage 95)": error["within95"],
        "MSIS 95": mean["msis"],
        "± (MSIS 95)": error["msis"],
        "total APE, median %": float(np.median(column["ape"])),
        "total APE, mean %": mean["ape"],
    }


def forecast_by_command(series: list[Series], horizon: int, season: int, target: Path) -> float:
    """Runs `bench_forecast` with an empty environment on the histories. CPU seconds a series, start included."""
    source = target.with_name("histories.csv.gz")
    with gzip.open(source, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["series", "t", "value"])
        for each in series:
            writer.writerows(
                (each.name, at, "" if np.isnan(value) else repr(float(value))) for at, value in enumerate(each.history)
            )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "manage.py", "bench_forecast", str(source), str(target)]
    subprocess.run(
        [*command, "--horizon", str(horizon), "--season", str(season)],
        cwd=CHECKOUT,
        env={},
        check=True,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / len(series)


def tell(scores: Sequence[Score]) -> None:
    """One figure a line."""
    for name, value in summary(scores).items():
        print(f"{name:22} {value:9.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast")
    parser.add_argument("data", type=Path)
    parser.add_argument("--horizon", type=int, required=True)
    parser.add_argument("--season", type=int, required=True)
    parser.add_argument("--predictions", type=Path)
    parser.add_argument("--cross-validate", action="store_true")
    parser.add_argument("--earlier", type=int, nargs="+", help="score as of so many seasons before the end")
    parser.add_argument("--known", type=int, help="with --earlier: only so many last steps are history")
    options = parser.parse_args()
    series = read_series(options.data)
    if options.cross_validate:
        from benchmarks.forecast_choice import cross_validate

        cross_validate(series, options.horizon, options.season)
        return
    if options.earlier:
        from benchmarks.forecast_origins import tell_origins

        tell_origins(series, options.horizon, options.season, options.earlier, options.known)
        return
    with tempfile.TemporaryDirectory() as folder:
        target = options.predictions or Path(folder) / "forecasts.csv"
        cost = None if options.predictions else forecast_by_command(series, options.horizon, options.season, target)
        found = read_predictions(target)
    tell([score(each, found[each.name], options.season) for each in series])
    naive = [np.tile(seasonal_naive(each.history, options.horizon, options.season), (5, 1)) for each in series]
    plain = summary([score(each, edges, options.season) for each, edges in zip(series, naive, strict=True)])
    print(f"{'(seasonal naive) OWA':22} {plain['OWA']:9.4f}, sMAPE {plain['sMAPE']:.3f}, MASE {plain['MASE']:.3f}")
    if cost is not None:
        print(f"{'CPU seconds a series':22} {cost:9.4f}")


if __name__ == "__main__":
    main()
