"""How well unusual values are found in public series that people labelled: the Numenta benchmark, cloud monitoring.

    python -m benchmarks.anomaly FOLDER [--scores NAB.csv CLOUD.csv]

FOLDER holds `nab_*_series.csv.gz` (series, timestamp, value), `nab_*_windows.csv` (series, window_start, window_end)
and `cloudmon_*.csv.gz` (series, timestamp, value, label). Runs the detector as shipped, or takes what
`manage.py bench_anomaly` wrote (`--scores`), and prints the NAB score in its three profiles at the best and at the
shipped threshold; event F1, precision, recall and false alerts per series and week; microseconds of CPU a row; and,
where it runs the detector, how the score does on a group of files when the threshold is chosen on the other groups.

NAB (Lavin and Ahmad, 2015, numenta/NAB): a file's first min(15 %, 750) rows do not count. A detection inside a window
is worth sigma(-(r - i + 1) / w) / sigma(-1) with sigma(y) = 2 / (1 + exp(5 y)) - 1, the window's last row r and its
width w; the best one counts, none at all costs 1. Each detection outside costs the weight of false positives times
sigma((i - r) / (w - 1)) by the window before it, all of it beyond three widths or before the first window.
"""

import argparse
import csv
import gzip
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from reports.unusual.detector import SHIPPED_THRESHOLD
from reports.unusual.scan import scan

HOUR = timedelta(hours=1)
PROFILES = {"standard": (0.11, 1.0), "low-FP": (0.22, 1.0), "low-FN": (0.11, 2.0)}  # weight of FP, of FN
Scores = Mapping[str, np.ndarray]
Span = tuple[int, int]  # first and last row


@dataclass(frozen=True, slots=True)
class Series:
    when: list[datetime]
    values: list[float | None]
    labels: list[int]


@dataclass(frozen=True, slots=True)
class Events:
    found: int
    events: int
    right: int
    alerts: int
    weeks: float

    @property
    def precision(self) -> float:
        return self.right / max(self.alerts, 1)

    @property
    def recall(self) -> float:
        return self.found / max(self.events, 1)

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def false_a_week(self) -> float:
        return (self.alerts - self.right) / self.weeks


def sigma(y: np.ndarray | float) -> np.ndarray:
    return 2 / (1 + np.exp(5 * np.asarray(y, dtype=float))) - 1


def probation(rows: int) -> int:
    return min(int(0.15 * rows), 750)


def worths(rows: int, windows: Sequence[Span]) -> tuple[np.ndarray, np.ndarray]:
    """For each row the window it is in (-1: none), and what a detection there is worth, 1 to -1."""
    inside, worth = np.full(rows, -1), np.full(rows, -1.0)
    for number, (first, last) in enumerate(sorted(windows)):
        width = last - first + 1
        after = (np.arange(last + 1, rows) - last) / max(width - 1, 1)
        worth[last + 1 :] = np.where(after > 3, -1.0, sigma(np.minimum(after, 3)))
        inside[first : last + 1] = number
        worth[first : last + 1] = sigma(-(last - np.arange(first, last + 1) + 1) / width) / sigma(-1)
    return inside, worth


def nab_curve(
    scores: Scores, windows: Mapping[str, Sequence[Span]], profile: str = "standard"
) -> tuple[np.ndarray, np.ndarray]:
    """All thresholds, falling, and the NAB score at each: 100 is perfect, 0 finds nothing and tells nothing."""
    fp_weight, fn_weight = PROFILES[profile]
    at, gained, count = [np.empty(0)], [np.empty(0)], 0
    for name, score in scores.items():
        inside, worth = worths(len(score), windows.get(name, ()))
        counts = np.arange(len(score)) >= probation(len(score))
        outside = counts & (inside < 0)
        at.append(score[outside])
        gained.append(fp_weight * worth[outside])
        for number in range(len(windows.get(name, ()))):
            count += 1
            rows = np.flatnonzero(counts & (inside == number))
            if len(rows):
                rows = rows[np.argsort(-score[rows], kind="stable")]
                best = np.maximum.accumulate(worth[rows])
                at.append(score[rows])
                gained.append(np.diff(best, prepend=-fn_weight))
    thresholds, gain = np.concatenate(at), np.concatenate(gained)
    order = np.argsort(-thresholds, kind="stable")
    thresholds, total = thresholds[order], np.cumsum(gain[order])
    ends = np.append(thresholds[1:] != thresholds[:-1], True)
    return thresholds[ends], 100 * total[ends] / (max(count, 1) * (1 + fn_weight))


def nab_best(curve: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """Score and threshold."""
    place = int(np.argmax(curve[1]))
    return float(curve[1][place]), float(curve[0][place])


def nab_at(curve: tuple[np.ndarray, np.ndarray], threshold: float) -> float:
    place = int(np.searchsorted(-curve[0], -threshold, side="right")) - 1
    return float(curve[1][place]) if place >= 0 else 0.0


def runs(marked: np.ndarray, when: Sequence[datetime], gap: timedelta) -> list[tuple[datetime, datetime]]:
    """First and last time of each run of marked rows; those no more than `gap` apart are one."""
    found: list[tuple[datetime, datetime]] = []
    for row in np.flatnonzero(marked):
        if found and when[row] - found[-1][1] <= gap:
            found[-1] = (found[-1][0], when[row])
        else:
            found.append((when[row], when[row]))
    return found


def events(scores: Scores, series: Mapping[str, Series], threshold: float, near: timedelta = 2 * HOUR) -> Events:
    """Alerts against labelled events over all series; the first min(168, n / 4) hours of each do not count."""
    found = total = right = alerts = 0
    weeks = 0.0
    for name, one in series.items():
        rows = len(one.when)
        counts = np.arange(rows) >= min(168, rows // 4)
        labelled = runs(counts & (np.array(one.labels) == 1), one.when, HOUR)
        told = runs(counts & (scores[name] >= threshold), one.when, 2 * HOUR)
        meet = [[a[0] <= b[1] + near and b[0] <= a[1] + near for b in told] for a in labelled]
        found += sum(any(row) for row in meet)
        right += sum(any(row[n] for row in meet) for n in range(len(told)))
        total, alerts, weeks = total + len(labelled), alerts + len(told), weeks + counts.sum() / 168
    return Events(found, total, right, alerts, float(weeks))


def left_out(scores: Scores, windows: Mapping[str, Sequence[Span]]) -> tuple[float, dict[str, float]]:
    """Each group of files (its folder) at the threshold that is best on the others; the mean weighs by windows."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in scores:
        groups[name.split("/")[0]].append(name)
    each, weight = {}, {}
    for group, names in groups.items():
        chosen = nab_best(nab_curve({n: s for n, s in scores.items() if n not in names}, windows))[1]
        count = sum(len(windows.get(n, ())) for n in names)
        # A group without windows has nothing to score by itself; what it tells costs those of all.
        each[group] = nab_at(nab_curve({n: scores[n] for n in names}, windows), chosen) * max(count, 1)
        weight[group] = count
    return sum(each.values()) / max(sum(weight.values()), 1), {g: each[g] / max(weight[g], 1) for g in each}


def read_series(path: Path) -> dict[str, Series]:
    series: dict[str, Series] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            one = series.setdefault(row["series"], Series([], [], []))
            one.when.append(datetime.fromisoformat(row["timestamp"]))
            one.values.append(float(row["value"]) if row["value"] else None)
            one.labels.append(int(row.get("label") or 0))
    return series


def read_windows(path: Path, series: Mapping[str, Series]) -> dict[str, list[Span]]:
    windows: dict[str, list[Span]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            start, end = (datetime.fromisoformat(row[name]) for name in ("window_start", "window_end"))
            rows = [n for n, when in enumerate(series[row["series"]].when) if start <= when <= end]
            windows[row["series"]].append((rows[0], rows[-1]))
    return windows


def read_scores(path: Path) -> dict[str, np.ndarray]:
    scores: dict[str, list[float]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            scores[row["series"]].append(float(row["score"]))
    return {name: np.array(found) for name, found in scores.items()}


def run(series: Mapping[str, Series]) -> tuple[dict[str, np.ndarray], float]:
    """Scores, and microseconds of CPU a row."""
    began = time.process_time()
    scores = {name: np.array([seen.score for seen in scan(one.when, one.values)]) for name, one in series.items()}
    return scores, (time.process_time() - began) / sum(len(one.when) for one in series.values()) * 1e6


def only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        sys.exit(f"{folder} holds {len(found)} files {pattern}; it takes one.")
    return found[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scores", nargs=2, type=Path, metavar=("NAB.csv", "CLOUD.csv"))
    parser.add_argument("--threshold", type=float, default=SHIPPED_THRESHOLD)
    options = parser.parse_args()
    nab = read_series(only(options.folder, "nab_*_series.csv.gz"))
    windows = read_windows(only(options.folder, "nab_*_windows.csv"), nab)
    cloud = read_series(only(options.folder, "cloudmon_*.csv.gz"))
    if options.scores:
        nab_scores, cloud_scores = (read_scores(path) for path in options.scores)
    else:
        (nab_scores, first), (cloud_scores, second) = run(nab), run(cloud)
        print(f"CPU: {first:.1f} µs a row on NAB, {second:.1f} on cloud monitoring")
    for profile in PROFILES:
        curve = nab_curve(nab_scores, windows, profile)
        best, at = nab_best(curve)
        shipped = nab_at(curve, options.threshold)
        print(f"NAB {profile:8}  best {best:5.1f} (at {at:.3f})   at {options.threshold}: {shipped:5.1f}")
    if not options.scores:
        mean, each = left_out(nab_scores, windows)
        parts = ", ".join(f"{group} {score:.0f}" for group, score in each.items())
        print(f"NAB standard, each folder at the threshold best for the others: {mean:.1f} ({parts})")
    told = events(cloud_scores, cloud, options.threshold)
    print(
        f"Cloud monitoring at {options.threshold}: event F1 {told.f1:.3f}, precision {told.precision:.2f}, recall "
        f"{told.recall:.2f}, false alerts per series and week {told.false_a_week:.2f}"
    )


if __name__ == "__main__":
    main()
