"""How good forecasts of earlier times were: `benchmarks.forecast --earlier 0 4 8` and `--known 60`.

The last days of a file are one sample: one time of the year, one length of history. Moving the origin back gives more
that nobody tuned on, and shows whether ranges hold at other times; `known` shows what shorter histories cost.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.forecast import Series, scale_of, score, summary
from reports.forecast.ensemble import forecast
from reports.forecast.history import TooShort

OF_STEPS = ("OWA", "sMAPE", "coverage 80", "coverage 95", "MSIS 95", "total APE, median %", "total APE, mean %")
COLUMNS = (*OF_STEPS, "total within 80", "total within 95", "series")


def as_of(series: Series, earlier: int, horizon: int, known: int | None) -> Series:
    """The series `earlier` steps before the end of its history, of which the last `known` steps are kept."""
    values, origin = np.r_[series.history, series.came], max(len(series.history) - earlier, 0)
    start = 0 if known is None else max(origin - known, 0)
    return Series(series.name, values[start:origin], values[origin : origin + horizon])


def figures(series: Sequence[Series], season: int) -> dict[str, float]:
    """Means over the series that can be forecast and have errors to be measured by, how often the total was within its
    ranges, and `series`, their number. Unknown steps of a total came as expected."""
    scores, within = [], []
    for each in series:
        known = np.isfinite(each.came)
        if not known.any() or each.came[known].sum() <= 0:
            continue
        try:
            found = forecast(each.history.tolist(), len(each.came), season)
        except TooShort:
            continue
        if scale_of(each.history, season) == 0:
            continue
        edges = np.stack([found.mean, found.lo80, found.hi80, found.lo95, found.hi95])
        scores.append(score(each, edges, season))
        total, came = found.total(len(each.came)), np.where(known, each.came, found.mean).sum()
        within.append((total.lo80 <= came <= total.hi80, total.lo95 <= came <= total.hi95))
    if not scores:
        raise SystemExit("No series can be forecast from so early, or from so little.")
    of_all = summary(scores)
    total80, total95 = np.mean(within, axis=0).tolist()
    return {
        **{name: of_all[name] for name in OF_STEPS},
        "total within 80": total80,
        "total within 95": total95,
        "series": len(scores),
    }


def tell_origins(
    series: Sequence[Series], horizon: int, season: int, origins: Sequence[int], known: int | None
) -> None:
    """Prints a line for each origin, which are seasons before the end of the history, and their mean."""
    rows = []
    print("seasons earlier", *COLUMNS, sep="  ")
    for earlier in origins:
        found = figures([as_of(each, earlier * season, horizon, known) for each in series], season)
        rows.append([found[name] for name in COLUMNS])
        print(in_columns(str(earlier), rows[-1]), flush=True)
    print(in_columns("mean", np.mean(rows, axis=0).tolist()))


def in_columns(first: str, values: Sequence[float]) -> str:
    """Under the names."""
    return "  ".join([f"{first:15}", *(f"{value:{len(name)}.3f}" for name, value in zip(COLUMNS, values, strict=True))])
