"""What a call's input is made of, in words. Pure."""

from typing import Final

LAYER_WORDS: Final = {
    "system": "system instructions",
    "history": "conversation history",
    "retrieval": "retrieved text",
    "tools": "descriptions of tools",
    "memory": "memory",
    "user": "the user's own words",
    "output_format": "the format asked for",
}
