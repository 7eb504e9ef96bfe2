"""A model provider on this machine, for what `mock_response` cannot do: streams of all three kinds, and their cutting.

It answers /v1/chat/completions, /v1/messages, /v1/responses and /v1/embeddings. A model named `endless-…` ignores caps
and goes on for `PIECES` pieces, others answer five words.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIECES = 400
PAUSE = 0.01
WORDS = ["one", " two", " three", " four", " five"]


@dataclass
class Served:
    """One request that reached the provider, and how far its answer went. `number` ends the answer's id."""

    path: str
    body: dict[str, Any]
    number: int = 0
    pieces: int = 0
    was_cut: bool = False
    ended: threading.Event = field(default_factory=threading.Event)


class Provider:
    """`usage` is what each whole answer says it used: input and output tokens. It takes `seconds` for one."""

    def __init__(self) -> None:
        self.served: list[Served] = []
        self.url = ""
        self.usage = (11, 5)
        self.seconds = 0.0
        self.count, self.lock = 0, threading.Lock()

    def last(self) -> Served:
        return self.served[-1]


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.provider.lock:
            number = self.provider.count = self.provider.count + 1
            one = Served(self.path, body, number)
            self.provider.served.append(one)
        try:
            if body.get("stream"):
                self.stream(one, number)
            else:
                self.whole(one, number)
        except OSError:
            one.was_cut = True
        finally:
            one.ended.set()

    def whole(self, one: Served, number: int) -> None:
        time.sleep(self.provider.seconds)
        asked, answered = self.provider.usage
        usage = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
        text, name = "".join(WORDS), one.body["model"]
        if one.path.endswith("/embeddings"):
            answer: dict[str, Any] = {
                "object": "list", "model": name, "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
                "usage": {"prompt_tokens": asked, "total_tokens": asked},
            }  # fmt: skip
        elif one.path.endswith("/messages"):
            answer = {
                "id": f"msg_{number}", "type": "message", "role": "assistant", "model": name, "stop_reason": "end_turn",
                "stop_sequence": None, "content": [{"type": "text", "text": text}],
                "usage": {"input_tokens": asked, "output_tokens": answered},
            }  # fmt: skip
        elif one.path.endswith("/responses"):
            answer = responses_answer(number, name, "completed", text)
        else:
            message = {"role": "assistant", "content": text}
            answer = {
                "id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1, "model": name,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage,
            }  # fmt: skip
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def stream(self, one: Served, number: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        name = one.body["model"]
        endless = name.startswith("endless")
        words = [" word"] * PIECES if endless else WORDS
        begin, piece, end = SHAPES[one.path.rsplit("/", 1)[-1]]
        for event in begin(number, name):
            self.send(event)
        for word in words:
            self.send(piece(number, name, word))
            one.pieces += 1
            if endless:
                time.sleep(PAUSE)
        for event in end(number, name, "".join(words), one.pieces):
            self.send(event)
        self.close_connection = True

    def send(self, event: dict[str, Any] | str) -> None:
        if isinstance(event, str):
            self.wfile.write(f"data: {event}\n\n".encode())
        else:
            kind = f"event: {event['type']}\n" if "type" in event else ""
            self.wfile.write(f"{kind}data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        pass


def responses_answer(number: int, name: str, status: str, text: str, tokens: int = 5) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"id": f"m_{number}", "type": "message", "role": "assistant", "status": status, "content": [part]}
    return {
        "id": f"resp_{number}", "object": "response", "created_at": 1, "model": name, "status": status,
        "output": [message],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None,
        "instructions": None, "metadata": {}, "temperature": 1.0, "top_p": 1.0,
        "usage": {"input_tokens": 11, "output_tokens": tokens, "total_tokens": 11 + tokens,
                  "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
    }  # fmt: skip


def chat_chunk(number: int, name: str, delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 1, "model": name} | (
        {"choices": choices} | more
    )


def chat_end(number: int, name: str, text: str, tokens: int) -> list[Any]:
    usage = {"prompt_tokens": 11, "completion_tokens": tokens, "total_tokens": 11 + tokens}
    return [
        chat_chunk(number, name, {}, "stop"),
        chat_chunk(number, name, {}, usage=usage) | {"choices": []},
        "[DONE]",
    ]


def messages_begin(number: int, name: str) -> list[Any]:
    message = {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": name, "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 1},
    }  # fmt: skip
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    return [{"type": "message_start", "message": message}, block]


def messages_piece(number: int, name: str, word: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}


def messages_end(number: int, name: str, text: str, tokens: int) -> list[Any]:
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": tokens}},
        {"type": "message_stop"},
    ]


def responses_begin(number: int, name: str) -> list[Any]:
    response = responses_answer(number, name, "in_progress", "") | {"output": [], "usage": None}
    return [{"type": "response.created", "sequence_number": 0, "response": response}]


def responses_piece(number: int, name: str, word: str) -> dict[str, Any]:
    return {
        "type": "response.output_text.delta", "item_id": f"m_{number}", "output_index": 0, "content_index": 0,
        "delta": word, "sequence_number": 1, "logprobs": [],
    }  # fmt: skip


def responses_end(number: int, name: str, text: str, tokens: int) -> list[Any]:
    response = responses_answer(number, name, "completed", text, tokens)
    return [{"type": "response.completed", "sequence_number": 2, "response": response}]


SHAPES: dict[str, Any] = {
    "completions": (
        lambda number, name: [chat_chunk(number, name, {"role": "assistant", "content": ""})],
        lambda number, name, word: chat_chunk(number, name, {"content": word}),
        chat_end,
    ),
    "messages": (messages_begin, messages_piece, messages_end),
    "responses": (responses_begin, responses_piece, responses_end),
}


@contextmanager
def open_provider() -> Iterator[Provider]:
    """A provider on a free port."""
    provider = Provider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"provider": provider}))
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
