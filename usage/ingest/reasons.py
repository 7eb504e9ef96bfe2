"""Why events are refused, in words: codes are stable, and what they mean is said here once."""

REASONS = {
    "invalid": "A field has a value it cannot have",
    "malformed-json": "Not JSON that can be read",
    "not-an-event": "Not an event",
    "too-deep": "Nested too deeply",
    "bad-cloudevent": "Not a CloudEvent that can be read",
    "bad-text": "A text that cannot be stored",
    "bad-time": "A time outside the calendar",
    "time-in-future": "Made more than a day from now",
    "too-old": "Older than what is kept",
    "cached-above-input": "More cached than sent in all",
    "reasoning-above-output": "More reasoning than output",
    "tool-above-input": "More for tools than sent in all",
    "bad-unit": "A unit that cannot be",
    "bad-cost": "A cost that cannot be",
    "cost-beyond-belief": "A cost beyond belief",
    "source-not-allowed": "A source that the key may not send for",
    "team-not-allowed": "A team that the key may not send for",
    "too-many-workflows": "Too many new workflows",
    "repeats-a-refused": "Repeats a refused event",
    "reserved-tag": "A tag that only imports may set",
    "conflict": "Sent before with other content",
    "cannot-be-stored": "The database refused a value",
    "bad-gzip": "Compressed data that cannot be read",
}


def reason_words(code: str) -> str:
    """A refusal's code in words; an unknown one as it is."""
    return REASONS.get(code, code.replace("-", " ").capitalize() or "No reason")
