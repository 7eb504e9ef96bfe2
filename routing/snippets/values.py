"""What is stated about an approved text, and what it may be. Pure."""

import hashlib
import re
from dataclasses import dataclass, replace

LONGEST_SLUG, LONGEST_NAME, LONGEST_NOTE = 64, 128, 500
LONGEST_TEXT = 100_000  # characters
CHARACTERS_PER_TOKEN = 4
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
TAKEN = frozenset({"new"})  # parts of addresses
KINDS = ("brand", "facts", "compliance", "template")


@dataclass(frozen=True, slots=True)
class SnippetValues:
    """`slug` is the short id, which never changes. `workflows` are ids of rows, rising."""

    slug: str = ""
    name: str = ""
    kind: str = "brand"
    text: str = ""
    team_id: int | None = None
    owner_id: int | None = None
    workflows: tuple[int, ...] = ()


def checked(values: SnippetValues) -> tuple[SnippetValues, dict[str, str]]:
    """Tidied values, and what is wrong with them by field."""
    text = values.text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    tidy = replace(
        values,
        slug=values.slug.strip(),
        name=" ".join(values.name.split()),
        text=text,
        workflows=tuple(sorted(set(values.workflows))),
    )
    problems = {}
    if not SLUG.fullmatch(tidy.slug) or len(tidy.slug) > LONGEST_SLUG:
        problems["slug"] = f"Use small letters, digits, dots and dashes, at most {LONGEST_SLUG} of them."
    elif tidy.slug in TAKEN:
        problems["slug"] = f"“{tidy.slug}” cannot be used. Choose another."
    if not 1 <= len(tidy.name) <= LONGEST_NAME:
        problems["name"] = f"Give it a name of at most {LONGEST_NAME} characters."
    if tidy.kind not in KINDS:
        problems["kind"] = f"Choose from: {', '.join(KINDS)}."
    if not text.strip():
        problems["text"] = "Write the text that is approved."
    elif len(text) > LONGEST_TEXT:
        problems["text"] = f"The text may have at most {LONGEST_TEXT:,} characters; this has {len(text):,}."
    for name in ("slug", "name", "text"):
        if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in getattr(tidy, name)):
            problems[name] = "There is a character in it that is none. Type it anew."
    return tidy, problems


def digest_of(text: str) -> str:
    """SHA-256 of the text in UTF-8, hexadecimal: what the bundle says and callers compare."""
    return hashlib.sha256(text.encode()).hexdigest()


def tokens_of(text: str) -> int:
    """An estimate: a token for every four characters, rounded up. Every model counts otherwise."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)
