"""What the forecaster's choices are worth on series that had no part in them: `benchmarks.forecast --cross-validate`.

Ten times half of the series, drawn at random, chooses: which methods of the pool to leave out, how sharply errors of
the back-test weigh, how fast they fade, how much totals count, how much wider ranges are made. The other half is scored
with that, and with what is shipped. Where choosing anew wins nothing, what is shipped is not fitted to its series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from benchmarks.forecast import Floats, Score, Series, scale_of, score, summary
from reports.forecast import ranges, weights
from reports.forecast.ensemble import back_test, what_came
from reports.forecast.history import FINE, History, prepared
from reports.forecast.methods import Said, candidates

HALVINGS = 10
GRID = {"SHARPNESS": (3.0, 6.0, 12.0, 18.0), "FRESH": (2.0, 4.0, 8.0), "TOTALS": (0.0, 1.0, 2.0)}
WIDENINGS = np.arange(0.8, 1.81, 0.05)


@dataclass(frozen=True)
class Asked:
    """One series with what each method said of it, in units of its largest value."""

    series: Series
    history: History
    said: Said
    came: Floats  # clean, what weights are taken from
    real: Floats  # with gaps and zeros, what ranges are taken from
    naive: tuple[float, float]  # sMAPE and MASE of Naive2
    scale: float


@dataclass(frozen=True)
class Choice:
    """`left_out` are methods, `numbers` those of GRID, `wider` the factors of the 80 % and the 95 % range."""

    left_out: frozenset[str]
    numbers: tuple[float, ...]
    wider: tuple[float, float]


def ask(series: Series, horizon: int, season: int) -> Asked:
    """All that does not depend on the choice."""
    history = prepared(series.history.tolist(), season)
    unit = float(np.abs(history.clean).max())
    scaled = History(history.raw / unit, history.clean / unit, season, history.long)
    origins = back_test(scaled)
    said = candidates(scaled, (len(scaled.clean), *origins), horizon)
    came, real = (what_came(values, origins, horizon) for values in (scaled.clean, scaled.raw))
    same = Series(series.name, series.history / unit, series.came / unit)
    plain = score(same, np.tile(said.ahead[0, 0], (5, 1)), season)
    naive = (plain.smape2, plain.mase2)
    return Asked(same, scaled, said, came, real, naive, scale_of(same.history, season))


def combined(asked: Asked, choice: Choice, fine: bool) -> Floats:
    """Forecasts from all origins by the methods that are left."""
    kept = [place for place, name in enumerate(asked.said.names) if name not in choice.left_out]
    ahead = asked.said.ahead[kept]
    for name, value in zip(GRID, choice.numbers, strict=True):
        getattr(weights, name)[fine] = value
    counts = weights.weights(ahead[:, 1:] - asked.came, asked.said.before[kept], fine)
    return np.tensordot(counts, ahead, axes=1)


def cost(asked: Sequence[Asked], choice: Choice, fine: bool) -> float:
    """What is made small: the OWA, and a hundredth of the mean error of the total in percent."""
    found = []
    for each in asked:
        mean = combined(each, choice, fine)[0]
        came, known = each.series.came, np.isfinite(each.series.came)
        away = np.abs(came - mean)
        total = came[known].sum()
        found.append(
            (
                200 * np.nanmean(away / np.maximum(np.abs(came) + np.abs(mean), 1e-12)),
                np.nanmean(away) / each.scale,
                abs(mean[known].sum() - total) / total,
            )
        )
    ours = np.mean(found, axis=0)
    plain = np.mean([each.naive for each in asked], axis=0)
    return float((ours[:2] / plain).mean() + ours[2])


def choose(asked: Sequence[Asked], shipped: Choice, fine: bool) -> Choice:
    """Numbers first, then methods are left out one by one while that helps, then the ranges are made to hold."""
    tried = [Choice(frozenset(), numbers, shipped.wider) for numbers in product(*GRID.values())]
    best = min(tried, key=lambda choice: cost(asked, choice, fine))
    least = cost(asked, best, fine)
    names = sorted({name for each in asked for name in each.said.names})
    while True:
        fewer = [
            Choice(best.left_out | {name}, best.numbers, best.wider) for name in names if name not in best.left_out
        ]
        next_cost, place = min((cost(asked, choice, fine), place) for place, choice in enumerate(fewer))
        if next_cost >= least:
            break
        best, least = fewer[place], next_cost
    covered = {
        wider: summary(results(asked, Choice(best.left_out, best.numbers, (wider, wider)), fine))
        for wider in WIDENINGS.tolist()
    }
    wider80, wider95 = (
        min(covered, key=lambda wider: abs(covered[wider][f"coverage {share}"] - share / 100)) for share in (80, 95)
    )
    return Choice(best.left_out, best.numbers, (wider80, wider95))


def results(asked: Sequence[Asked], choice: Choice, fine: bool) -> list[Score]:
    """The score of each series by this choice."""
    ranges.WIDEN[fine] = dict(zip((80, 95), choice.wider, strict=True))
    found = []
    for each in asked:
        ahead = combined(each, choice, fine)
        edges = np.stack(ranges.step_ranges(each.history, ahead[0], each.real - ahead[1:]))
        found.append(score(each.series, edges, each.history.season))
    return found


def cross_validate(series: list[Series], horizon: int, season: int) -> None:
    """Prints a line for each halving, and means."""
    fine = season >= FINE
    asked = [ask(each, horizon, season) for each in series]
    shipped = Choice(
        frozenset(), tuple(getattr(weights, name)[fine] for name in GRID), tuple(ranges.WIDEN[fine].values())
    )
    draw = np.random.default_rng(7)
    told = ("OWA", "coverage 80", "coverage 95", "MSIS 95", "total APE, median %")
    kept: dict[str, list[list[float]]] = {"chosen": [], "shipped": []}
    for number in range(1, HALVINGS + 1):
        order = draw.permutation(len(asked)).tolist()
        learn, unseen = ([asked[at] for at in half] for half in (order[::2], order[1::2]))
        chosen = choose(learn, shipped, fine)
        for name, choice in (("chosen", chosen), ("shipped", shipped)):
            figures = summary(results(unseen, choice, fine))
            kept[name].append([figures[figure] for figure in told])
            print(f"{number:2} {name:8}", *(f"{figure} {figures[figure]:.3f} " for figure in told), flush=True)
        left_out = ", ".join(sorted(chosen.left_out)) or "nothing"
        print(f"   left out: {left_out}; {dict(zip(GRID, chosen.numbers, strict=True))}; wider {chosen.wider}")
    for name, rows in kept.items():
        mean = zip(told, np.mean(rows, axis=0), np.std(rows, axis=0), strict=True)
        print(f"mean {name:8}", *(f"{figure} {value:.3f} ± {spread:.3f} " for figure, value, spread in mean))
