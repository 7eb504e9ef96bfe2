"""A message in Slack's Block Kit. What people typed shows as they typed it: it mentions nobody and links nowhere."""

from collections.abc import Iterable
from typing import Any

from budgets.delivery.links import link
from budgets.delivery.message import Item, Message

MOST_BLOCKS = 50
LONGEST_TEXT = 3_000
LONGEST_HEADER = 150
LONGEST_FIELD = 2_000
LONGEST_BUTTON = 75
FIELDS_OF_ONE = 10
APPROVE, DECLINE, OPEN, UNDO = "approve", "decline", "open", "undo"
Block = dict[str, Any]


def escaped(text: str, most: int = LONGEST_TEXT) -> str:
    """With Slack's three control letters written out; at most so long, with "…" where something was left out."""
    pieces: list[str] = []
    size = 0
    for letter in text.replace("\0", ""):
        piece = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(letter, letter)
        if size + len(piece) > most:
            while pieces and size + 1 > most:
                size -= len(pieces.pop())
            return "".join(pieces) + "…"
        pieces.append(piece)
        size += len(piece)
    return "".join(pieces)


def fallback_of(message: Message) -> str:
    """One line, for notifications and for whoever has no blocks."""
    outcome = f"{message.outcome.partition(chr(10))[0]}: " if message.outcome else ""
    return escaped(f"{_mark(message)}{outcome}{' '.join(message.title.split())}")


def blocks_of(message: Message, *, has_buttons: bool) -> list[Block]:
    """Title, text, figures, what is told together, what became of it, and what can be done.

    Without buttons (nobody would hear what is pressed) there is a link to the page.
    """
    title = f"{_mark(message)}{' '.join(message.title.split())}" or "TokenOps"
    header = escaped(title, LONGEST_HEADER)
    blocks: list[Block] = [{"type": "header", "text": {"type": "plain_text", "text": header, "emoji": False}}]
    if header.endswith("…") and not title.endswith("…"):
        blocks.append(section(f"*{escaped(title, LONGEST_TEXT - 2)}*"))
    if message.text.strip():
        blocks.append(section(escaped(message.text)))
    blocks += _fields(message)
    end = [section(_outcome(message))] if message.outcome else []
    end += _acts(message, has_buttons)
    blocks += _items(message.items, MOST_BLOCKS - len(blocks) - len(end))
    return [*blocks[: MOST_BLOCKS - len(end)], *end]


def section(text: str) -> Block:
    """`text` is escaped already."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def button(label: str, action: str, value: str, style: str = "", url: str = "") -> Block:
    """`style`: primary or danger. With `url` it opens that, too."""
    made: Block = {
        "type": "button",
        "action_id": action,
        "text": {"type": "plain_text", "text": escaped(label, LONGEST_BUTTON), "emoji": False},
    }
    made |= {"value": value} if value else {}
    made |= {"style": style} if style else {}
    return made | ({"url": url} if url else {})


def _mark(message: Message) -> str:
    return "[Test] " if message.test else ""


def _fields(message: Message) -> list[Block]:
    shown = [
        {
            "type": "mrkdwn",
            "text": f"*{escaped(fact.label, 200)}*\n{escaped(fact.value, LONGEST_FIELD - 210)}",
            "verbatim": True,
        }
        for fact in message.facts
    ]
    return [
        {"type": "section", "fields": shown[start : start + FIELDS_OF_ONE]}
        for start in range(0, len(shown), FIELDS_OF_ONE)
    ]


def _items(items: Iterable[Item], room: int) -> list[Block]:
    """A line for each, in as few blocks as they fit."""
    found: list[list[str]] = []
    size = LONGEST_TEXT
    for item in items:
        line = f"• {_named(item)}"
        if size + len(line) + 1 > LONGEST_TEXT:
            found.append([])
            size = 0
        found[-1].append(line)
        size += len(line) + 1
    return [section("\n".join(lines)) for lines in found[: max(0, room)]]


def _named(item: Item) -> str:
    name = escaped(" ".join(item.title.split()), 1_000)
    shown = f"<{_url(item.path)}|{name}>" if item.path and name else name
    return f"Resolved: {shown}" if item.resolved else shown


def _outcome(message: Message) -> str:
    first, _, rest = message.outcome.partition("\n")
    bold = f"*{escaped(first, 500)}*"
    return f"{bold}\n{escaped(rest, 2_000)}" if rest else bold


def _acts(message: Message, has_buttons: bool) -> list[Block]:
    url = link(message.path)
    if not has_buttons:
        return [section(f"<{_url(message.path)}|{escaped(message.open_label, LONGEST_BUTTON)}>")] if url else []
    asks = message.request is not None
    buttons = []
    if asks:
        buttons = [
            button("Approve", APPROVE, str(message.request), "primary"),
            button("Decline", DECLINE, str(message.request), "danger"),
        ]
    if url and len(url) <= LONGEST_TEXT:
        buttons.append(button("Open" if asks else message.open_label, OPEN, "", url=url))
    return [{"type": "actions", "elements": buttons}] if buttons else []


def _url(path: str) -> str:
    """In a link of mrkdwn: what would end it is written out."""
    found = link(path)
    for letter, written in {"&": "&amp;", "<": "%3C", ">": "%3E", "|": "%7C"}.items():
        found = found.replace(letter, written)
    return found[:LONGEST_TEXT]
