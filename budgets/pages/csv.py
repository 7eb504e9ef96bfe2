"""Answers in CSV: one header row, UTF-8, ISO dates, plain decimals."""

import csv
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.http import StreamingHttpResponse

from budgets.currency.shown import shown
from budgets.pages.amounts import units

NINTH = Decimal("0.000000001")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def currency_code() -> str:
    """For the currency column beside `exact`."""
    return shown().code


def exact(nano: int) -> str:
    """Money in the currency shown, to nine decimals and at least two, so that the column's sum is the page's total."""
    text = f"{units(nano).quantize(NINTH, ROUND_HALF_EVEN):f}".rstrip("0")
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest:0<2}"


def safe(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download called `name`.csv. Numbers come as numbers or finished by `exact`; other text is made safe."""
    writer = csv.writer(_Echo())
    lines = (writer.writerow([_cell(value) for value in row]) for row in rows)
    answer = StreamingHttpResponse(_with_header(writer, header, lines), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _cell(value: Any) -> Any:
    try:
        return value if isinstance(value, str) and Decimal(value).is_finite() else safe(value)
    except ArithmeticError:
        return safe(value)


def _with_header(writer: Any, header: Sequence[str], lines: Iterable[str]) -> Iterable[str]:
    yield writer.writerow(header)
    yield from lines
