"""Calls a LiteLLM proxy with the `openai` client, from the virtual environment that has it (.venv-litellm).

    .venv-litellm/bin/python benchmarks/litellm_client.py URL KEY

Each line of standard input is one call: {"kind": "chat" | "stream" | "responses" | "embeddings", …its arguments}, or
{"kind": "time", "urls": […], "keys": […], "model": …, "rounds": …, "calls": …}, which times calls of several proxies in
turns. The answer to each is one line: status, headers, id, usage and text, or the seconds of each proxy's calls.
"""

import json
import sys
import time

import openai


def call(client: openai.OpenAI, kind: str, arguments: dict) -> dict:
    """One call; refusals are answers too."""
    try:
        if kind == "embeddings":
            raw = client.embeddings.with_raw_response.create(**arguments)
            return {"status": 200, "headers": dict(raw.headers), "text": ""}
        if kind == "responses":
            raw = client.responses.with_raw_response.create(**arguments)
            return {"status": 200, "headers": dict(raw.headers), "text": raw.parse().output_text}
        if kind == "stream":
            raw = client.chat.completions.with_raw_response.create(stream=True, **arguments)
            chunks = [chunk for chunk in raw.parse() if chunk.choices]
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            told = getattr(chunks[-1], "tokenops", None)
            finish = chunks[-1].choices[0].finish_reason
            return {"status": 200, "headers": dict(raw.headers), "text": text, "finish": finish, "told": told}
        raw = client.chat.completions.with_raw_response.create(**arguments)
        return {"status": 200, "headers": dict(raw.headers), "text": raw.parse().choices[0].message.content}
    except openai.APIStatusError as refusal:
        return {"status": refusal.status_code, "headers": dict(refusal.response.headers), "error": refusal.body}


def timed(urls: list[str], keys: list[str], model: str, rounds: int, calls: int) -> dict:
    """Milliseconds of each call, for each proxy; they take turns, call by call."""
    clients = [openai.OpenAI(base_url=url, api_key=key, max_retries=0) for url, key in zip(urls, keys, strict=True)]
    taken: list[list[float]] = [[] for _ in clients]
    messages = [{"role": "user", "content": "Write one line about tea."}]
    for number in range(rounds * calls):
        order = list(enumerate(clients))
        for place, client in order if number % 2 else reversed(order):
            began = time.perf_counter()
            client.chat.completions.create(
                model=model, messages=messages, extra_body={"metadata": {"workflow": "timed"}}
            )
            taken[place].append((time.perf_counter() - began) * 1000)
    return {"milliseconds": [one[calls // 5 :] for one in taken]}


def main() -> None:
    client = openai.OpenAI(base_url=sys.argv[1], api_key=sys.argv[2])
    for line in sys.stdin:
        asked = json.loads(line)
        kind = asked.pop("kind")
        print(json.dumps(timed(**asked) if kind == "time" else call(client, kind, asked)), flush=True)


if __name__ == "__main__":
    main()
