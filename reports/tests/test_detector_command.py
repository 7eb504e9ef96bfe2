"""`manage.py bench_anomaly`: a file in, a file out, the threshold on stdout, and a sentence where it does not go."""

import csv
import gzip
import os
import random
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reports.unusual.command import main
from reports.unusual.detector import SHIPPED_THRESHOLD
from reports.unusual.scan import scan

CHECKOUT = Path(__file__).resolve().parents[2]
START = datetime.fromisoformat("2026-03-02")
WHEN = [START + timedelta(hours=n) for n in range(200)]


def values_of(seed: int) -> list[float | None]:
    dice = random.Random(seed)
    values: list[float | None] = [dice.gauss(100, 10) for _ in WHEN]
    values[50], values[150] = None, 900.0
    return values


SERIES = {"a": values_of(1), "b, too": values_of(2)}


def text() -> str:
    """Two series, row by row in turn, with a column that is not read."""
    lines = ["series,timestamp,value,label"]
    for row, when in enumerate(WHEN):
        for name, values in SERIES.items():
            value = "" if values[row] is None else repr(values[row])
            lines.append(f'"{name}",{when},{value},0')
    return "\n".join(lines) + "\n"


def check(path: Path) -> None:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["series", "timestamp", "score"]
    assert [row[:2] for row in rows[1:]] == [[name, str(when)] for when in WHEN for name in SERIES]
    for name, values in SERIES.items():
        scores = [float(row[2]) for row in rows[1:] if row[0] == name]
        assert scores == [seen.score for seen in scan(WHEN, values)]
        assert scores[150] >= SHIPPED_THRESHOLD
        assert scores[50] == 0


@pytest.mark.server
def test_it_needs_no_environment_at_all(tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(text())
    command = [sys.executable, "manage.py", "bench_anomaly", str(source), str(target), "--profile", "default"]
    done = subprocess.run(
        command, cwd=CHECKOUT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "threshold: 0.5\n"), done.stderr
    assert "2 of 2 series" in done.stderr
    check(target)


def test_packed_files_are_the_same(tmp_path, capsys):
    packed, target = tmp_path / "in.csv.gz", tmp_path / "out.csv.gz"
    packed.write_bytes(gzip.compress(text().encode()))
    assert main([str(packed), str(target)]) == 0
    assert capsys.readouterr().out == "threshold: 0.5\n"
    plain = tmp_path / "out.csv"
    plain.write_bytes(gzip.decompress(target.read_bytes()))
    check(plain)


HEAD = b"series,timestamp,value\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "series is missing"),
        (b"series,value\na,1\n", "timestamp is missing"),
        (HEAD, "holds no values"),
        (HEAD + b"a,yesterday,1\n", "Line 2: timestamp must be like"),
        (HEAD + b"a,2026-03-02 00:00:00,much\n", "Line 2: value must be a number or empty; it is 'much'"),
        (HEAD + b"a,2026-03-02 00:00:00,inf\n", "Line 2: value must be a number"),
        (HEAD + b"a,2026-03-02 00:00:00,1\na,2026-03-02\n", "Line 3: it has fewer columns"),
        (HEAD + b"a,2026-03-02T00:00:00Z,1\na,2026-03-02T01:00:00,1\n", "with and without an offset"),
        (HEAD + b"\xff\xfe\n", "not a text file"),
        (HEAD + b'a,"2026\n', "not a CSV file"),
        (gzip.compress(HEAD + b"a,2026-03-02 00:00:00,1\n", mtime=0)[:-9], "cannot be read"),
    ],
)
def test_a_bad_file_gives_a_sentence(tmp_path, capsys, content, said):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(content)
    assert main([str(source), str(target)]) == 1
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert not target.exists()


def test_a_file_that_is_not_there_or_cannot_be_written_gives_a_sentence(tmp_path, capsys):
    assert main([str(tmp_path / "none.csv"), str(tmp_path / "out.csv")]) == 1
    assert "cannot be read: No such file" in capsys.readouterr().err
    source = tmp_path / "in.csv"
    source.write_bytes(HEAD + b"a,2026-03-02 00:00:00,1\n")
    assert main([str(source), str(tmp_path / "no" / "out.csv")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_there_is_one_profile(tmp_path):
    with pytest.raises(SystemExit):
        main([str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "--profile", "best"])
