"""Ids for simulated events: UUIDv7, which the claims table takes as they are, from a seeded chance. Pure."""

import random
from datetime import datetime


def event_id(chance: random.Random, time: datetime) -> str:
    """A UUIDv7 of `time` (aware) whose random bits come from `chance`, so that the same seed gives the same id."""
    milliseconds = int(time.timestamp() * 1000) & (1 << 48) - 1
    bits = chance.getrandbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0b10 << 62 | bits & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
