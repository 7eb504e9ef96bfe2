"""The scorer of `benchmarks/forecast.py`: by hand on a small example, and against the published check values."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.forecast import (
    Series,
    filled,
    is_seasonal,
    naive2,
    read_predictions,
    read_series,
    scale_of,
    score,
    seasonal_naive,
    smape,
    summary,
)
from benchmarks.forecast_origins import as_of, figures
from reports.forecast.histories import BadFile

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "benchmarks" / "forecast"
HISTORY = np.array([10.0, 20, 12, 22, 14, 24, 16, 26])


def test_a_score_worked_out_by_hand():
    # scale: |12-10|, |22-20|, ... are all 2. Steps: 16 for 20, 30 for 25.
    edges = np.array([[16.0, 30], [15, 26], [18, 31], [14, 24], [19, 32]])
    found = score(Series("a", HISTORY, np.array([20.0, 25])), edges, 2)
    assert found.smape == pytest.approx(100 * (4 / 36 + 5 / 55))
    assert found.mase == pytest.approx((4 + 5) / 2 / 2)
    assert (found.within80, found.within95) == (0.0, 0.5)
    assert found.msis == pytest.approx(((5 + 40 * 1) + 8) / 2 / 2)
    assert found.ape == pytest.approx(100 / 45)


def test_steps_that_nobody_knows_do_not_count():
    edges = np.array([[16.0, 30, 99]] * 5)
    whole = score(Series("a", HISTORY, np.array([20.0, 25])), edges[:, :2], 2)
    holes = score(Series("a", HISTORY, np.array([20.0, 25, np.nan])), edges, 2)
    assert (holes.smape, holes.mase, holes.ape, holes.msis) == (whole.smape, whole.mase, whole.ape, whole.msis)


def test_gaps_of_the_history_are_the_season_before_else_the_median():
    assert filled(np.array([np.nan, 2, 3, np.nan, 5]), 2).tolist() == [3, 2, 3, 2, 5]
    assert scale_of(np.array([1.0, 2, np.nan, 5]), 2) == pytest.approx(1.5)
    assert seasonal_naive(np.array([1.0, 2, 3, 4]), 5, 2).tolist() == [3, 4, 3, 4, 3]


def test_naive2_keeps_the_season_of_what_has_one():
    shape = np.tile([1.0, 2, 3, 2], 10)
    assert naive2(shape, 5, 4) == pytest.approx([1, 2, 3, 2, 1])
    assert naive2(shape - 1, 5, 4) == pytest.approx([0, 1, 2, 1, 0])
    assert naive2(np.arange(1.0, 9), 3, 4).tolist() == [8, 8, 8]
    assert not is_seasonal(np.ones(20), 4)


def test_both_zero_is_no_error():
    assert smape(np.array([0.0, 10]), np.array([0.0, 10])) == 0


def test_the_owa_divides_means_by_means():
    easy = score(Series("a", HISTORY, np.array([18.0, 28])), np.array([[18.0, 28]] * 5), 2)
    hard = score(Series("b", HISTORY, np.array([60.0, 80])), np.array([[18.0, 28]] * 5), 2)
    found = summary([easy, hard])
    smapes = (easy.smape + hard.smape) / (easy.smape2 + hard.smape2)
    mases = (easy.mase + hard.mase) / (easy.mase2 + hard.mase2)
    assert found["OWA"] == pytest.approx((smapes + mases) / 2)


def test_predictions_are_whole(tmp_path):
    header = "series,h,mean,lo80,hi80,lo95,hi95\n"
    (tmp_path / "good.csv").write_text(header + "a,2,5,4,6,3,7\na,1,1,0,2,0,3\n")
    assert read_predictions(tmp_path / "good.csv")["a"].tolist() == [[1, 5], [0, 4], [2, 6], [0, 3], [3, 7]]
    (tmp_path / "bad.csv").write_text(header + "a,2,5,4,6,3,7\n")
    with pytest.raises(BadFile, match="h must go from 1 on"):
        read_predictions(tmp_path / "bad.csv")


@pytest.mark.parametrize(
    ("name", "horizon", "season", "naive", "plain", "owa"),
    [
        ("m4_hourly_dev.csv.gz", 48, 24, (13.979, 1.233), (18.224, 2.432), 0.637),
        ("nn5_daily_dev.csv.gz", 56, 7, (25.887, 1.049), (35.521, 1.312), 0.764),
    ],
)
def test_the_published_check_values(name, horizon, season, naive, plain, owa):
    if not (FOLDER / name).exists():
        pytest.skip(f"{name} is not here; the definitions are tested above.")
    scores = [
        score(each, np.tile(seasonal_naive(each.history, horizon, season), (5, 1)), season)
        for each in read_series(FOLDER / name)
    ]
    found = summary(scores)
    assert (found["sMAPE"], found["MASE"], found["OWA"]) == pytest.approx((*naive, owa), abs=0.0006)
    assert np.mean([each.smape2 for each in scores]) == pytest.approx(plain[0], abs=0.0006)
    assert np.mean([each.mase2 for each in scores]) == pytest.approx(plain[1], abs=0.0006)


def test_an_earlier_origin_knows_only_what_was_before_it():
    series = Series("a", np.arange(20.0), np.arange(20.0, 24))
    assert as_of(series, 0, 4, None).came.tolist() == [20, 21, 22, 23]
    earlier = as_of(series, 6, 4, 5)
    assert (earlier.history.tolist(), earlier.came.tolist()) == ([9, 10, 11, 12, 13], [14, 15, 16, 17])
    assert as_of(series, 99, 4, None).history.size == 0


def test_series_that_cannot_be_forecast_or_scored_are_left_out():
    wavy = Series("wavy", np.resize([4.0, 6, 4, 7, 5, 6], 40), np.array([4.0, 6, 5]))
    short = Series("short", np.array([1.0, 2]), np.array([1.0, 2, 1]))
    never_wrong = Series("never wrong", np.resize([4.0, 6], 40), np.array([4.0, 6, 4]))
    nothing = Series("nothing came", wavy.history, np.array([np.nan, np.nan, np.nan]))
    alone, found = figures([wavy], 2), figures([short, wavy, never_wrong, nothing], 2)
    assert found == alone
    assert (found["series"], found["total within 95"]) == (1, 1)
    with pytest.raises(SystemExit, match="No series can be forecast"):
        figures([short, nothing], 2)


def test_ranges_of_days_hold_at_other_times_than_the_last():
    """Eight weeks of sums at three times of the year, one without a Christmas behind it: narrower ones hold 76 %."""
    data = FOLDER / "nn5_daily_dev.csv.gz"
    if not data.exists():
        pytest.skip(f"{data.name} is not here.")
    series = read_series(data)
    found = [figures([as_of(each, 7 * weeks, 56, None) for each in series], 7) for weeks in (8, 24, 40)]
    assert 0.78 < np.mean([each["total within 80"] for each in found]) < 0.86
    assert 0.93 < np.mean([each["total within 95"] for each in found]) < 0.98
