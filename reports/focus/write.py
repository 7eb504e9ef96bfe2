"""A FOCUS file: CSV line by line, or Parquet with exact decimals."""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any

import pyarrow as pa
from pyarrow import parquet

from reports.focus.charges import Row, as_text, picked
from reports.focus.columns import MONEY, TIME, columns_of

AT_ONCE = 5_000  # rows of a Parquet row group held in memory
TYPES = {MONEY: pa.decimal128(38, 18), TIME: pa.timestamp("us", tz="UTC")}


def csv_lines(rows: Iterable[Row], version: str) -> Iterator[str]:
    """The file's lines, header first: it leaves at once, while a month of millions of calls is summed.

    None is nothing between two commas; text is safe in a spreadsheet.
    """
    names = tuple(one.name for one in columns_of(version))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    yield _taken(text)
    for row in rows:
        writer.writerow([as_text(value) for value in picked(row, names)])
        yield _taken(text)


def _taken(text: io.StringIO) -> str:
    line = text.getvalue()
    text.seek(0)
    text.truncate()
    return line


def parquet_file(rows: Iterable[Row], version: str) -> IO[bytes]:
    """A temporary file, at its beginning; the caller closes it. Memory stays that of one row group."""
    columns = columns_of(version)
    names = tuple(one.name for one in columns)
    schema = pa.schema(
        [pa.field(one.name, TYPES.get(one.type, pa.string()), nullable=one.nullable) for one in columns],
        metadata={"FocusVersion": version},
    )
    file = tempfile.TemporaryFile()  # noqa: SIM115  (handed to the answer, which closes it)
    left = iter(rows)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while some := list(islice(left, AT_ONCE)):
            values: list[list[Any]] = [picked(row, names) for row in some]
            columns_of_some = zip(*values, strict=True)
            arrays = [pa.array(one, field.type) for one, field in zip(columns_of_some, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    file.seek(0)
    return file
