"""`bench_forecast`: what it reads, what it writes, what it says of files it cannot use, and that it needs nothing."""

import csv
import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reports.forecast.command import main
from reports.forecast.histories import BadFile, read_histories

CHECKOUT = Path(__file__).resolve().parents[2]
WEEK = [10, 11, 12, 11, 13, 2, 1]


def lines(series, values, part=None):
    return [",".join(map(str, (series, at, value, *([part] if part else [])))) for at, value in enumerate(values)]


def written(folder, *rows, header="series,t,value", name="in.csv"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def forecasts(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_forecast_of_each_series_in_the_order_of_the_file(tmp_path):
    source = written(tmp_path, *lines("b", WEEK * 4), *lines("a", [5] * 20))
    assert main([str(source), str(tmp_path / "out.csv"), "--horizon", "9", "--season", "7"]) == 0
    rows = forecasts(tmp_path / "out.csv")
    assert list(rows[0]) == ["series", "h", "mean", "lo80", "hi80", "lo95", "hi95"]
    assert [(row["series"], row["h"]) for row in rows] == [(name, str(h)) for name in "ba" for h in range(1, 10)]
    assert [row["mean"] for row in rows[9:]] == ["5"] * 9
    assert [round(float(row["mean"])) for row in rows[:7]] == WEEK


def test_only_train_rows_are_history(tmp_path):
    header = "series,t,value,part"
    history = lines("a", WEEK * 3, "train")
    later = [f"a,{21 + at},900,test" for at in range(7)]
    for name, rows in (("one", history), ("two", history + later)):
        written(tmp_path, *rows, header=header, name=f"{name}.csv")
        assert (
            main([str(tmp_path / f"{name}.csv"), str(tmp_path / f"{name}.out"), "--horizon", "7", "--season", "7"]) == 0
        )
    assert (tmp_path / "one.out").read_text() == (tmp_path / "two.out").read_text()


def test_steps_in_any_order_and_missing_ones(tmp_path):
    source = written(tmp_path, "a,3,4", "a,0,1", "b,7,", "a,1,")
    assert read_histories(source) == {"a": [1.0, None, None, 4.0], "b": [None]}


def test_packed_files_in_and_out(tmp_path):
    plain = written(tmp_path, *lines("a", WEEK * 4))
    packed = tmp_path / "packed.bin"  # told by its content, not its name
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_histories(packed) == read_histories(plain)
    assert main([str(packed), str(tmp_path / "out.csv.gz"), "--horizon", "2", "--season", "7"]) == 0
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).decode().startswith("series,h,mean")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the columns series, t and value"),
        (b"series,t\na,1\n", "value is missing"),
        (b"series,t,value\n", "holds no history"),
        (b"series,t,value\na,1\n", "Line 2: it has fewer columns"),
        (b"series,t,value\na,1,2\na,one,2\n", "Line 3: t must be a whole number"),
        (b"series,t,value\na,1,two\n", "Line 2: value must be a number or empty; it is 'two'"),
        (b"series,t,value\na,1,nan\n", "Line 2: value must be a number or empty"),
        (b"series,t,value\na,1,inf\n", "Line 2: value must be a number or empty"),
        (b"series,t,value\na,1,2\na,1,2\n", "step 1 of a is there already"),
        (b"series,t,value\na,1,2\na,9999999,2\n", "steps are the most"),
        (b"series,t,value\n\xff\xfe,1,2\n", "not a text file in UTF-8"),
        (b'series,t,value\n"a,1,2\n', "not a CSV file"),
        (gzip.compress(b"series,t,value\na,1,2\n", mtime=0)[:-9], "cannot be read"),
        (b"\x1f\x8bnonsense", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(tmp_path, content, said):
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(BadFile) as found:
        read_histories(tmp_path / "bad.csv")
    assert said in str(found.value)


def test_what_is_refused_is_said_on_stderr_and_nothing_is_written(tmp_path, capsys):
    source = written(tmp_path, *lines("short one", [1, 2, 3]))
    assert main([str(source), str(tmp_path / "out.csv"), "--horizon", "2", "--season", "7"]) == 1
    assert capsys.readouterr().err.startswith("short one: A forecast needs 14 known steps")
    assert not (tmp_path / "out.csv").exists()
    assert main([str(tmp_path / "none.csv"), str(tmp_path / "out.csv"), "--horizon", "2", "--season", "7"]) == 1
    assert "none.csv cannot be read: No such file" in capsys.readouterr().err
    source = written(tmp_path, *lines("a", WEEK * 3))
    assert main([str(source), str(tmp_path / "no" / "out.csv"), "--horizon", "2", "--season", "7"]) == 1
    assert "out.csv cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--horizon", "0", "--season", "7"], ["--horizon", "7"], ["--horizon", "x"]])
def test_options_that_make_no_sense_are_refused(tmp_path, capsys, options):
    with pytest.raises(SystemExit) as found:
        main(["in.csv", "out.csv", *options])
    assert found.value.code == 2
    assert "bench_forecast: error" in capsys.readouterr().err


@pytest.mark.server
def test_it_needs_no_database_and_no_environment(tmp_path):
    source = written(tmp_path, *lines("a", WEEK * 4))
    command = [sys.executable, str(CHECKOUT / "manage.py"), "bench_forecast", str(source), str(tmp_path / "out.csv")]
    ran = subprocess.run(
        [*command, "--horizon", "3", "--season", "7"],
        check=False,
        env={"PATH": os.defpath},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "1 of 1 series" in ran.stderr
    assert len(forecasts(tmp_path / "out.csv")) == 3
