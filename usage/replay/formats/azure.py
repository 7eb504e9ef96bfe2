"""Azure's published LLM inference traces: one request per row.

Identity: the row. Two requests of the same instant and size are two requests, so the id is the file's fingerprint and
the line number. Times are UTC with 100 ns digits, of which microseconds are kept.
Source of the shape: Azure/AzurePublicDataset, AzureLLMInferenceTrace (Patel et al., Splitwise, ISCA 2024).
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from usage.replay.rows import csv_rows, whole
from usage.replay.trace import Event, Format, Given, Unreadable, each_row, first_line


def read(lines: Iterator[str], given: Given) -> Iterator[Event | Unreadable]:
    def call(row: dict[str, str], line: int) -> Event:
        return {
            "id": f"azure-{given.fingerprint}-{line}",
            "time": datetime.fromisoformat(row["TIMESTAMP"].strip()).replace(tzinfo=UTC),
            "model": given.model,
            "provider": given.provider,
            "workflow": given.workflow,
            "operation": "chat",
            "input_tokens": whole(row["ContextTokens"]),
            "output_tokens": whole(row["GeneratedTokens"]),
        }

    return each_row(csv_rows(lines), call)


FORMAT = Format(
    name="azure",
    what="Azure LLM inference trace, CSV with TIMESTAMP, ContextTokens, GeneratedTokens",
    identity="the row",
    recognises=lambda head: first_line(head).replace(" ", "").startswith("TIMESTAMP,ContextTokens,GeneratedTokens"),
    read=read,
)
