"""Answers that come piece by piece: what they have come to, and how one that grew too long ends. Pure.

Three shapes pass a LiteLLM proxy: chunks with `choices` (chat, completions), bytes of server-sent events
(/v1/messages), and events with a `type` that begins with `response.` (/v1/responses).
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Count = Callable[[str], int]  # tokens of a text

FINISHED = "length"
CODE = "stream_cut"


class Stream:
    """One answer on its way. `cap`: output tokens that it may have; None: as many as it likes.

    Tokens are counted only when they might be too many: a token has at least one byte. Where the provider counts in
    another way than `count`, `exact` is False, and a tenth more passes: most providers end at the cap by themselves,
    and then say what it came to.
    """

    def __init__(self, cap: int | None, count: Count, *, exact: bool = True) -> None:
        self.cap, self._count = cap, count
        self._most = None if cap is None else cap if exact else cap + cap // 10
        self.input_tokens: int | None = None
        self.shape = ""
        self.response_id = ""
        self.index = 0  # of the content block that was open last, of /v1/messages
        self._parts: list[str] = []
        self._size = 0
        self._looks_at = math.inf if self._most is None else self._most + 1
        self._said: int | None = None

    def take(self, chunk: object) -> None:
        """Look at the next piece."""
        for text in self._texts(chunk):
            self._parts.append(text)
            self._size += len(text.encode("utf-8", "replace"))

    @property
    def is_too_long(self) -> bool:
        """Whether it has grown beyond its cap."""
        if self._most is None or self._size < self._looks_at:
            return False
        tokens = self.output_tokens
        self._looks_at = self._size + max(1, self._most - tokens)
        return tokens > self._most

    @property
    def output_tokens(self) -> int:
        """What the provider says of it, else what its text comes to."""
        if self._said is not None:
            return self._said
        return self._count("".join(self._parts)) if self._parts else 0

    @property
    def has_begun(self) -> bool:
        """Whether anything of an answer has come."""
        return bool(self._parts) or bool(self.shape)

    def _texts(self, chunk: object) -> Iterator[str]:
        if isinstance(chunk, bytes | str):
            yield from self._of_sse(chunk.decode("utf-8", "replace") if isinstance(chunk, bytes) else chunk)
        elif hasattr(chunk, "choices"):
            self.shape = "chat"
            self.response_id = str(getattr(chunk, "id", "") or self.response_id)
            self._usage(getattr(chunk, "usage", None), "prompt_tokens", "completion_tokens")
            for choice in chunk.choices or []:
                yield from _of_choice(choice)
        elif str(getattr(getattr(chunk, "type", ""), "value", getattr(chunk, "type", ""))).startswith("response."):
            self.shape = "responses"
            response = getattr(chunk, "response", None)
            if response is not None:
                self.response_id = str(getattr(response, "id", "") or self.response_id)
                self._usage(getattr(response, "usage", None), "input_tokens", "output_tokens")
            delta = getattr(chunk, "delta", None)
            if isinstance(delta, str):
                yield delta

    def _of_sse(self, text: str) -> Iterator[str]:
        for line in text.splitlines():
            if not line.startswith("data:"):
                continue
            try:
                event = json.loads(line[5:])
            except (ValueError, RecursionError):
                continue
            if not isinstance(event, dict):
                continue
            self.shape = "messages"
            message = event.get("message")
            if isinstance(message, dict):
                self.response_id = str(message.get("id") or self.response_id)
                self._anthropic(message.get("usage"), begins=True)
            self._anthropic(event.get("usage"), begins=False)
            self.index = event.get("index", self.index)
            delta = event.get("delta")
            if isinstance(delta, dict):
                yield from (
                    delta[name] for name in ("text", "thinking", "partial_json") if isinstance(delta.get(name), str)
                )

    def _usage(self, usage: object, prompt: str, answer: str) -> None:
        tokens = getattr(usage, answer, None)
        if isinstance(tokens, int) and tokens:
            self._said = tokens
        if isinstance(asked := getattr(usage, prompt, None), int) and asked:
            self.input_tokens = asked

    def _anthropic(self, usage: object, *, begins: bool) -> None:
        """Counted without the cached ones there; the first message tells of one token of output, which is no count."""
        if not isinstance(usage, Mapping):
            return
        parts = [usage.get(name) for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")]
        if isinstance(parts[0], int):
            self.input_tokens = sum(part for part in parts if isinstance(part, int))
        if not begins and isinstance(usage.get("output_tokens"), int):
            self._said = usage["output_tokens"]


def _of_choice(choice: object) -> Iterator[str]:
    text = getattr(choice, "text", None)
    if isinstance(text, str):
        yield text
    delta = getattr(choice, "delta", None)
    for name in ("content", "reasoning_content"):
        if isinstance(part := getattr(delta, name, None), str):
            yield part
    for call in getattr(delta, "tool_calls", None) or []:
        arguments = getattr(getattr(call, "function", None), "arguments", None)
        if isinstance(arguments, str):
            yield arguments


def ending(stream: Stream, sentence: str, model: str, created: int) -> str | bytes | None:
    """The last frame of an answer that was cut, in the words of its kind, with why as `tokenops`."""
    why = {"code": CODE, "text": sentence, "output_tokens": stream.output_tokens}
    if stream.shape == "chat":
        choices = [{"index": 0, "delta": {}, "finish_reason": FINISHED}]
        return "data: " + json.dumps(
            {"id": stream.response_id, "object": "chat.completion.chunk", "created": created, "model": model,
             "choices": choices, "tokenops": why}
        ) + "\n\n"  # fmt: skip
    if stream.shape == "messages":
        events: list[dict[str, Any]] = [
            {"type": "content_block_stop", "index": stream.index},
            {"type": "message_delta", "delta": {"stop_reason": "max_tokens", "stop_sequence": None},
             "usage": {"output_tokens": stream.output_tokens}, "tokenops": why},
            {"type": "message_stop"},
        ]  # fmt: skip
        return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events).encode()
    if stream.shape == "responses":
        response = {"id": stream.response_id, "object": "response", "created_at": created, "status": "incomplete",
                    "model": model, "output": [], "incomplete_details": {"reason": "max_output_tokens"}}  # fmt: skip
        event = {"type": "response.incomplete", "response": response, "tokenops": why}
        return f"event: response.incomplete\ndata: {json.dumps(event)}\n\n".encode()
    return None
