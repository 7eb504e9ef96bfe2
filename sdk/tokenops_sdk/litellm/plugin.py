"""`TokenOpsHandler`, the callback of a LiteLLM proxy. Its traps are listed, and tested, in docs/litellm.md."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import litellm
from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

from tokenops_sdk.asking import Decision, Model, Reason, Request
from tokenops_sdk.client import PolicyClient
from tokenops_sdk.litellm.asking import as_text, capped, described, operation_of, request_of
from tokenops_sdk.litellm.calls import Call, Calls, cost_of, output_cap
from tokenops_sdk.litellm.groups import Groups
from tokenops_sdk.litellm.payload import NOBODY, event_fields, event_of, short_enough
from tokenops_sdk.litellm.refusing import detail_of, headers_of, refusal_headers, status_of
from tokenops_sdk.litellm.runs import Runs
from tokenops_sdk.litellm.streams import Stream, ending
from tokenops_sdk.prepared import Prepared
from tokenops_sdk.reporter import UsageReporter

SETTLES_AFTER = 5.0  # seconds that LiteLLM may take to tell of a stream that ended early
COUNTED_ALIKE = frozenset({"openai", "azure"})  # whose tokens LiteLLM counts as they do
CUT = "The answer was cut at {tokens} tokens, the most that this call may have."
NOT_HERE = "The policy serves this call by {provider}/{model}, which this gateway does not have."
FAULT = "The policy cannot be asked because of a fault in the gateway, so no call is made."

logger = logging.getLogger("tokenops_sdk")


class TokenOpsRefusal(HTTPException):
    """A call that the policy does not allow. LiteLLM makes an answer of this; of any other exception a 500."""

    def __init__(self, status: int, detail: dict[str, Any], headers: dict[str, str]) -> None:
        super().__init__(status_code=status, detail=detail, headers=headers)


class TokenOpsHandler(CustomLogger):
    """Asks before each call and meters afterwards. Without arguments it is set up by TOKENOPS_… (docs/litellm.md).

    The hooks stand in this very class, since LiteLLM passes over inherited ones; a subclass must name them again.
    """

    def __init__(self, client: PolicyClient | None = None, reporter: UsageReporter | None = None) -> None:
        super().__init__()
        self.client: Final = client or PolicyClient.from_environment()
        self.reporter: Final = reporter or UsageReporter.from_environment()
        self.calls: Final = Calls()
        self.runs: Final = Runs()
        self.groups: Final = Groups(_deployments, _split)
        self._writer: Final = ThreadPoolExecutor(1, "tokenops-record")

    # Before the call

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: Any
    ) -> dict[str, Any] | None:
        """Ask, once for a request of a client: refuse it, or say what serves it and how long it may be."""
        operation = operation_of(call_type)
        if operation is None:
            return None
        try:
            return await self._ask(data, operation, call_type)
        except TokenOpsRefusal:
            raise
        except Exception:
            logger.exception("A call could not be asked about")
            self._by_fail_mode()
            return None

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any] | None:
        """Ask again before each attempt but the first: a fallback of the router never comes past the hook above."""
        try:
            call = self.calls.of(kwargs)
            return None if call is None else await self._ask_again(call, kwargs, call_type)
        except TokenOpsRefusal:
            raise
        except Exception:
            logger.exception("A call could not be asked about")
            self._by_fail_mode()
            return None

    async def _ask(self, data: dict[str, Any], operation: str, call_type: Any) -> dict[str, Any]:
        said = _said(data)
        group = str(data.get("model") or "")
        wanted = self.groups.behind(group)
        request = request_of(data, said, operation, wanted.provider, wanted.model)
        request = replace(request, run=self.runs.so_far(request))
        decision = await self._decide(request)
        call = Call(said, request, decision, group, str(data.get("litellm_call_id") or ""))
        logging_object = data.get("litellm_logging_obj")
        if logging_object is not None:
            self.calls.keep(logging_object, call)
        if not decision.allowed:
            raise self._refusal(call, decision)
        if decision.model is not None and (decision.provider or "", decision.model) != (wanted.provider, wanted.model):
            data["model"] = self._group_for(call, group)
        if (cap := output_cap(call, self._prepared)) is not None:
            capped(data, cap, call_type)
        self.runs.began(request)
        return data

    async def _ask_again(self, call: Call, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any] | None:
        actual = self.groups.deployed(str(kwargs.get("model") or ""), kwargs.get("model_info"))
        call.tries += 1
        decided = Model(call.decision.provider or "", call.decision.model or "")
        call.served = actual
        if call.tries == 1 and actual == decided:
            return None
        self._settle(call, 0, 0, made=call.tries > 1)  # what was reserved for the attempt before, if there was one
        request = replace(call.request, provider=actual.provider, model=actual.model, tier=None)
        decision = await self._decide(request)
        call.settled = False
        served_by = {
            (decision.provider or "", decision.model),
            *((one.provider, one.model) for one in decision.fallbacks),
        }
        if not decision.allowed:
            raise self._refusal(call, decision, always=403)
        if (actual.provider, actual.model) not in served_by:
            raise self._refusal(call, _not_here(decision), always=403)
        call.decision = replace(decision, provider=actual.provider, model=actual.model)
        if (cap := output_cap(call, self._prepared)) is not None:
            capped(kwargs, cap, call_type)
        return kwargs

    async def _decide(self, request: Request) -> Decision:
        """The decision, with what must be reserved for it. The server is asked in a thread, if at all."""
        decision = self.client.paced(self.client.decide(request))
        if not decision.allowed or not decision.leases:
            return decision
        at_hand = self.client.leases.at_hand(request, decision)
        if at_hand is not None:
            return at_hand
        return await asyncio.to_thread(self.client.leases.enforce, request, decision)

    def _group_for(self, call: Call, asked: str) -> str:
        """A group of this proxy that serves what was decided; what it lacks, a fallback of the tier may have."""
        decision = call.decision
        for one in (Model(decision.provider or "", decision.model or ""), *decision.fallbacks):
            group = self.groups.having(one, asked)
            if group is not None:
                call.decision = replace(decision, provider=one.provider, model=one.model)
                return group
        raise self._refusal(call, _not_here(decision), always=403)

    # What is told to the caller

    async def async_post_call_response_headers_hook(
        self,
        data: dict[str, Any],
        user_api_key_dict: Any,
        response: Any,
        request_headers: dict[str, str] | None = None,
        litellm_call_info: dict[str, Any] | None = None,
    ) -> dict[str, str] | None:
        """What was decided, as headers: the answer itself names the model that was asked for."""
        try:
            call = self.calls.of(data)
            if call is None or response is None:  # refusals bring their own
                return None
            return headers_of(call.decision, call.requested)
        except Exception:
            logger.exception("An answer's headers could not be made")
            return None

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: dict[str, Any]
    ) -> AsyncIterator[Any]:
        """Let an answer pass piece by piece, up to its cap; then end it, and the provider's work with it."""
        call = self.calls.of(request_data)
        if call is None:
            async for chunk in response:
                yield chunk
            return
        stream = call.stream = self._stream(call)
        ended = False
        try:
            async for chunk in response:
                if _too_long(stream, chunk):
                    sentence = CUT.format(tokens=stream.cap)
                    self._record_stream(call, "ok", finish_reason="cut")
                    if (frame := ending(stream, sentence, call.requested, int(time.time()))) is not None:
                        yield frame
                    break
                yield chunk
            else:
                ended, call.stream = True, None  # thousands of calls are remembered: not their answers
        finally:
            if not ended:
                _later(SETTLES_AFTER, self._record_stream, call, "cancelled")
                await _close(response)

    def _stream(self, call: Call) -> Stream:
        served = call.served or Model(call.decision.provider or "", call.decision.model or "")
        return Stream(output_cap(call, self._prepared), _tokens_of, exact=served.provider in COUNTED_ALIKE)

    # Afterwards

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call that was served, streamed or not."""
        try:
            self._served(kwargs)
        except Exception:
            logger.exception("A call could not be recorded")

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """An attempt that failed. What this plugin refuses comes here too, and is recorded already."""
        try:
            self._failed(kwargs)
        except Exception:
            logger.exception("A failed call could not be recorded")

    def _served(self, kwargs: Mapping[str, Any]) -> None:
        payload = kwargs.get("standard_logging_object")
        call = self.calls.named(kwargs)
        if not isinstance(payload, Mapping) or (call is not None and call.recorded):
            return
        event = _known(event_of(payload))
        if call is None:
            self._write(event)
            return
        call.recorded = True
        parameters = kwargs.get("litellm_params")
        metadata = (parameters.get("metadata") if isinstance(parameters, Mapping) else None) or {}
        if isinstance(metadata, Mapping) and metadata.get("client_disconnected"):
            event["status"] = "cancelled"
        self._record(call, event)

    def _failed(self, kwargs: Mapping[str, Any]) -> None:
        payload = kwargs.get("standard_logging_object")
        call = self.calls.named(kwargs)
        if isinstance(kwargs.get("exception"), TokenOpsRefusal) or not isinstance(payload, Mapping):
            return
        event = _known(event_of(payload))
        self._write(event if call is None else _known(event | event_fields(call.said) | call.decided_fields()))
        if call is not None:
            self._settle(call, 0, 0)

    def _record(self, call: Call, event: dict[str, Any]) -> None:
        """The event of what was served, and what follows from it for its run and its leases."""
        if call.served is not None and call.served.model:
            event |= {"provider": call.served.provider or event.get("provider"), "model": call.served.model}
        self._write(_known(event | event_fields(call.said) | call.decided_fields()))
        tokens = (event.get("input_tokens") or 0, event.get("output_tokens") or 0)
        cost = cost_of(self._prepared, call.served, *tokens) if call.served is not None else None
        if cost is None:
            cost = int(float(event.get("cost_usd") or 0) * 1_000_000_000)
        self.runs.ended(call.request, sum(tokens), cost)
        self._settle(call, sum(tokens), cost)

    def _record_stream(self, call: Call, status: str, **more: Any) -> None:
        """What came of a stream, as far as it was seen here: LiteLLM tells nothing of one that is cut."""
        stream = call.stream
        if call.recorded or stream is None or not stream.has_begun:
            return
        call.recorded, call.stream = True, None
        served = call.served or Model(call.decision.provider or "", call.decision.model or call.requested)
        prompt = stream.input_tokens if stream.input_tokens is not None else call.request.input_tokens
        self._record(call, {
            "id": short_enough(f"{call.call_id}:success:{stream.response_id}"), "time": datetime.now(UTC),
            "provider": served.provider, "model": served.model, "operation": call.request.operation, "status": status,
            "input_tokens": prompt, "output_tokens": stream.output_tokens, **more,
        })  # fmt: skip

    def _write(self, event: dict[str, Any]) -> None:
        """Have it recorded, in order, by a thread: a busy disk would hold up every call of the proxy."""
        try:
            self._writer.submit(self.reporter.record, event)
        except RuntimeError:  # no more threads, or the program ends
            self.reporter.record(event)

    def _refusal(self, call: Call, decision: Decision, always: int = 0) -> TokenOpsRefusal:
        """The refusal to raise; recorded here, once, as a blocked call.

        After the router chose a deployment it is 403 `always`: after a 429 LiteLLM lets nobody use that deployment.
        """
        now = datetime.now(UTC)
        call.refused, call.decision = True, decision
        asked = call.served or Model(call.request.provider, call.request.model)
        event = {
            "id": short_enough(f"{call.call_id}:blocked:{call.tries or ''}"), "time": now, "status": "blocked",
            "operation": call.request.operation, "provider": asked.provider, "model": asked.model or call.requested,
            "finish_reason": detail_of(decision)["code"],
        }  # fmt: skip
        self._write(_known(event | event_fields(call.said) | call.decided_fields()))
        self._settle(call, 0, 0, made=False)
        headers = refusal_headers(decision, now, call.requested)
        return TokenOpsRefusal(always or status_of(decision), detail_of(decision), headers)

    def _settle(self, call: Call, tokens: int, cost_nano: int, *, made: bool = True) -> None:
        """Tell the leases what the call came to, once."""
        if call.decision.leases and not call.settled:
            call.settled = True
            self.client.leases.settle(call.decision, tokens=tokens, cost_nano=cost_nano, made=made)

    def _by_fail_mode(self) -> None:
        """After a fault of ours: refuse where the bundle says so, else let the call pass."""
        if self.client.fail_mode == "block":
            raise TokenOpsRefusal(403, {"error": FAULT, "code": "plugin_fault"}, {"x-tokenops-action": "block"})

    @property
    def _prepared(self) -> Prepared | None:
        held = self.client.held
        return None if held is None else held.prepared


def _said(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the caller says of the call, wherever this kind of call keeps it."""
    headers = _mapping(_mapping(data.get("proxy_server_request")).get("headers"))
    own, ours = (
        one if isinstance(one, Mapping) else {} for one in (data.get("metadata"), data.get("litellm_metadata"))
    )
    key: Mapping[str, Any] = ours if "user_api_key_hash" in ours else own
    fixed = {**_tokenops(key.get("user_api_key_team_metadata")), **_tokenops(key.get("user_api_key_metadata"))}
    tags = [*_list(own.get("tags")), *(_list(ours.get("tags")) if ours is not own else ())]
    found = described(headers if isinstance(headers, Mapping) else {}, [own, ours], tags, fixed)
    person = (
        data.get("user") or own.get("user_id") or key.get("user_api_key_end_user_id") or key.get("user_api_key_user_id")
    )
    if person and person not in NOBODY:
        found.setdefault("user", as_text(str(person)))
    for name, member in (("team", "user_api_key_team_alias"), ("application", "user_api_key_alias")):
        if key.get(member):
            found.setdefault(name, as_text(str(key[member])))
    return found


def _tokenops(metadata: object) -> Mapping[str, Any]:
    return _mapping(_mapping(metadata).get("tokenops"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _not_here(decision: Decision) -> Decision:
    """The decision as a refusal, because the proxy cannot do as it says."""
    values = {"provider": decision.provider or "", "model": decision.model or ""}
    reason = Reason("model_not_here", "block", values, NOT_HERE.format(**values))
    return replace(decision, action="block", reasons=(*decision.reasons, reason))


def _known(event: dict[str, Any]) -> dict[str, Any]:
    """What is known, in texts that an event may have: one that is refused is a call that no budget sees."""
    fitting = {name: as_text(value) if isinstance(value, str) else value for name, value in event.items()}
    return {name: value for name, value in fitting.items() if value not in (None, "")}


def _too_long(stream: Stream, chunk: object) -> bool:
    """Whether the stream is beyond its cap with this piece; a piece that cannot be read passes."""
    try:
        stream.take(chunk)
        return stream.is_too_long
    except Exception:
        logger.exception("A piece of an answer could not be read")
        return False


def _tokens_of(text: str) -> int:
    return len(litellm.encode(model="", text=text))


def _deployments() -> tuple[Iterable[Mapping[str, Any]], Mapping[str, Any]]:
    from litellm.proxy import proxy_server

    router = proxy_server.llm_router
    if router is None:
        return (), {}
    return list(router.model_list), dict(router.model_group_alias or {})


def _split(model: str, provider: str | None) -> tuple[str, str]:
    found, known, _, _ = litellm.get_llm_provider(model=model, custom_llm_provider=provider)
    return known, found


def _later(seconds: float, work: Any, *arguments: Any) -> None:
    asyncio.get_running_loop().call_later(seconds, work, *arguments)


async def _close(response: Any) -> None:
    """End the provider's answer, so that it is paid for no longer. /v1/responses leaves its connection open."""
    for one in (response, getattr(response, "response", None)):
        close = getattr(one, "aclose", None)
        if close is not None:
            try:
                await close()
            except Exception:
                logger.debug("A stream could not be closed", exc_info=True)
