"""A CSV file as uploaded: what it is written in, its header, its lines. Bounded memory, whatever was uploaded.

Pure: no Django. The bytes are kept packed with zlib; lines are read from them one at a time.
"""

import codecs
import csv
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MAX_LINE = 1_000_000  # characters
MAX_COLUMNS = 300
MAX_HEADING = 200
PIECE = 1 << 16
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
SPREADSHEET = (
    "This is a spreadsheet, not a CSV file. Save it as “CSV UTF-8” in your spreadsheet program and upload that."
)
MAGIC = {
    b"PK\x03\x04": "This is a zip archive or a spreadsheet (.xlsx), not a CSV file. Unpack it, or save it as CSV.",
    b"\xd0\xcf\x11\xe0": SPREADSHEET,
    b"\x1f\x8b": "This file is compressed. Unpack it and upload the CSV file itself.",
    b"%PDF": "This is a PDF, not a CSV file. Ask for the export as CSV.",
    b"{": "This is JSON, not a CSV file. Send it to the API, or replay it by command.",
    b"[": "This is JSON, not a CSV file. Send it to the API, or replay it by command.",
    b"<": "This is a web page or XML, not a CSV file. Ask for the export as CSV.",
}
Packed = bytes | memoryview  # psycopg's answer for a binary column is either
csv.field_size_limit(MAX_LINE)


class Unreadable(ValueError):
    """Why a file cannot be read at all, in a sentence for whoever uploaded it."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written: a codec's name, and one of DELIMITERS."""

    encoding: str
    delimiter: str


class Unpacking(io.RawIOBase):
    """The packed bytes, plain, read in pieces."""

    def __init__(self, packed: Packed) -> None:
        self._packed, self._at = packed, 0
        self._unzip = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        room = len(buffer)
        while True:
            piece = self._unzip.unconsumed_tail
            if not piece:
                piece = bytes(self._packed[self._at : self._at + PIECE])
                self._at += PIECE
            plain = self._unzip.decompress(piece, room)
            if plain or self._unzip.eof or (not piece and self._at >= len(self._packed)):
                buffer[: len(plain)] = plain
                return len(plain)


def pack(pieces: Iterable[bytes], most: int) -> tuple[bytes, int]:
    """The pieces packed, and how many bytes they are. Unreadable as soon as they are more than `most`."""
    packer, packed, size = zlib.compressobj(6), bytearray(), 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise Unreadable(too_large(most))
        packed += packer.compress(piece)
    packed += packer.flush()
    return bytes(packed), size


def too_large(most: int) -> str:
    return f"The file is larger than {most / 2**20:,.0f} MB. Split it into smaller files with the same first line."


def form_of(packed: Packed) -> Form:
    """Find out how the file is written; Unreadable for an empty, binary or strangely encoded one."""
    head = Unpacking(packed).read(PIECE * 2) or b""
    if not head.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        raise Unreadable("The file is empty. Upload one whose first line names its columns.")
    for magic, sentence in MAGIC.items():
        if head.startswith(magic):
            raise Unreadable(sentence)
    encoding = encoding_of(packed, head)
    first = next(lines_of(packed, encoding), "")
    outside = re.sub(r'"[^"]*"', "", first)
    counts = {delimiter: outside.count(delimiter) for delimiter in DELIMITERS}
    return Form(encoding, max(counts, key=lambda one: counts[one]))


def encoding_of(packed: Packed, head: bytes) -> str:
    """UTF-8 (with or without its mark), UTF-16 or, for old spreadsheets, Windows-1252: the first that fits it all."""
    if head.startswith(codecs.BOM_UTF8):
        candidates = ["utf-8-sig"]
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    elif (even := head[::2].count(0)) + (odd := head[1::2].count(0)) > len(head) // 4:
        candidates = ["utf-16-be" if even > odd else "utf-16-le"]
    else:
        candidates = ["utf-8", "cp1252"]
    for encoding in candidates:
        if fits(packed, encoding):
            return encoding
    raise Unreadable("The file's letters cannot be read. Save it as “CSV UTF-8” and upload it again.")


def fits(packed: Packed, encoding: str) -> bool:
    """Whether every byte can be read so. Unreadable where letters are there that no text has."""
    decoder = codecs.getincrementaldecoder(encoding)()
    stream, line = Unpacking(packed), 1
    while True:
        piece = stream.read(PIECE) or b""
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError:
            return False
        found = CONTROL.search(text.encode("utf-8", "surrogatepass"))
        if found:
            line += text.encode("utf-8", "surrogatepass")[: found.start()].count(b"\n")
            raise Unreadable(f"Line {line} holds a character that no text has, so this is no CSV file.")
        line += text.count("\n")
        if not piece:
            return True


def lines_of(packed: Packed, encoding: str) -> Iterator[str]:
    """Physical lines with their ends; Unreadable for one that no file of lines has."""
    text = io.TextIOWrapper(io.BufferedReader(Unpacking(packed)), encoding=encoding, newline="")
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        if len(line) >= MAX_LINE:
            raise Unreadable(f"Line {number:,} is longer than {MAX_LINE:,} characters. Is this a CSV file?")
        yield line


@dataclass(frozen=True, slots=True)
class Line:
    """One line of values. `number` counts as an editor does: a value with line breaks in it takes several."""

    number: int
    cells: Sequence[str]


def read_lines(packed: Packed, form: Form) -> Iterator[Line]:
    """Every line that is not blank, the header first. Unreadable where the file breaks off or runs on."""
    reader = csv.reader(lines_of(packed, form.encoding), delimiter=form.delimiter, strict=False)
    while True:
        before = reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Unreadable(
                f"Line {before + 1:,} cannot be read ({error}). Is a quotation mark opened and never closed?"
            ) from None
        if any(cell.strip() for cell in cells):
            yield Line(before + 1, cells)


def header_of(packed: Packed, form: Form) -> list[str]:
    """The first line's headings, trimmed; "" for a column without one. Unreadable for none, too many or twice one."""
    first = next(read_lines(packed, form), None)
    if first is None:
        raise Unreadable("The file is empty. Upload one whose first line names its columns.")
    if len(first.cells) > MAX_COLUMNS:
        raise Unreadable(f"The first line has {len(first.cells):,} columns; at most {MAX_COLUMNS} can be read.")
    header = [heading.strip().strip("\ufeff") for heading in first.cells]
    seen: set[str] = set()
    for heading in filter(None, header):
        if len(heading) > MAX_HEADING:
            raise Unreadable("A heading in the first line is longer than 200 characters. Does it name the columns?")
        if heading in seen:
            raise Unreadable(f"Two columns are called “{heading}”. Give each its own name.")
        seen.add(heading)
    return header


def cells_of(line: Line, header: Sequence[str]) -> dict[str, str]:
    """Heading → value, trimmed, without empty ones. ValueError where there are more values than columns.

    An apostrophe before a formula's first letter is what spreadsheets and our own downloads put there: not the value.
    """
    if len(line.cells) > len(header) and any(cell.strip() for cell in line.cells[len(header) :]):
        raise ValueError(
            f"There are {len(line.cells)} values, but the first line names {len(header)} columns."
            " A value with the delimiter in it needs quotation marks."
        )
    found = {}
    for heading, cell in zip(header, line.cells, strict=False):
        value = cell.strip()
        if value[:1] == "'" and value[1:2] in {"=", "+", "-", "@"}:
            value = value[1:]
        if heading and value:
            found[heading] = value
    return found
