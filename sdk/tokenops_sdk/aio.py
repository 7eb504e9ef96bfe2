"""`AsyncPolicyClient` and `AsyncRun`: the same for asyncio. Only how the server is spoken to is different."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx

from tokenops_sdk.asking import Decision, Request
from tokenops_sdk.backing_off import pause
from tokenops_sdk.following import BUNDLE_PATH, KEYS_PATH, STATUS_PATH, Answer, Held, Next, State
from tokenops_sdk.holding import FROM_ENVIRONMENT, PolicyHolder, from_environment, logger
from tokenops_sdk.leasing import Leases
from tokenops_sdk.outcomes import TRIES, message_of, not_sent, pause_of, taken
from tokenops_sdk.run import AnyRun
from tokenops_sdk.talking import MAX_REDIRECTS, NETWORK_ERRORS, read, read_async, sentence_for, timeout, waits
from tokenops_sdk.telling import HEARTBEAT


class AsyncPolicyClient(PolicyHolder):
    """Follows the policy of a TokenOps server in tasks of the running loop: use it with `async with`.

    `options` are those of `PolicyHolder`. For one loop and one process; after a fork make another.
    """

    def __init__(
        self, url: str, key: str, *, transport: httpx.AsyncBaseTransport | None = None, **options: Any
    ) -> None:
        super().__init__(url, key, **options)
        self._http = httpx.AsyncClient(
            base_url=self.url, headers=self._headers, transport=transport, max_redirects=MAX_REDIRECTS
        )
        self._ready = asyncio.Event()
        self._told = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._poster = _Poster(self)
        self._leases = Leases(self._poster, name=self._name)
        if self.held is not None:
            self._ready.set()

    @classmethod
    def from_environment(cls, **options: Any) -> Self:
        """As `PolicyClient.from_environment`."""
        return cls(**from_environment(FROM_ENVIRONMENT, options))

    async def enforce(self, request: Request, now: datetime | None = None) -> Decision:
        """`decide`, and what the decision says must be reserved: may ask the server, for two seconds at most.

        Say what the call came to with `settle`.
        """
        return await self.reserve(request, self.decide(request, now))

    async def reserve(self, request: Request, decision: Decision) -> Decision:
        """The second half of `enforce`, for a decision made before."""
        decision = self.paced(decision)
        if not decision.allowed or not decision.leases:
            return decision
        at_hand = self._leases.at_hand(request, decision)
        if at_hand is not None:
            return at_hand
        asked = asyncio.ensure_future(asyncio.to_thread(self._leases.enforce, request, decision))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(self._put_back)  # nobody will make the call
            raise

    def _put_back(self, asked: "asyncio.Future[Decision]") -> None:
        if not asked.cancelled() and asked.exception() is None:
            self._leases.settle(asked.result(), made=False)

    def settle(
        self, decision: Decision, *, cost_nano: int | None = None, tokens: int | None = None, made: bool = True
    ) -> None:
        """Say what the call of an enforced decision came to; see `Leases.settle`. Needs no network."""
        self._leases.settle(decision, cost_nano=cost_nano, tokens=tokens, made=made)

    async def wait_ready(self, seconds: float = 10.0) -> bool:
        """Wait for the first bundle; whether there is one."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), seconds)
        return self._ready.is_set()

    async def refresh(self, wait: float = 0.0) -> State:
        """Ask the server once, now; it may hold the question for `wait` seconds. Never raises for the network."""
        await self._ask(wait)
        return self.state()

    async def outcome(self, run_id: str, outcome: str, *, workflow: str, **facts: Any) -> str:
        """As `PolicyClient.outcome`."""
        message = message_of(run_id, outcome, workflow, facts)
        content, headers = json.dumps(message.body).encode(), {"Content-Type": "application/json"}
        answer: Answer | str = ""
        for attempt in range(TRIES):
            try:
                async with self._http.stream("POST", message.path, content=content, headers=headers) as response:
                    answer = await read_async(response)
            except NETWORK_ERRORS as error:
                answer = sentence_for(error)
            if isinstance(answer, Answer) and (status := taken(answer)):
                return status
            if attempt < TRIES - 1:
                await asyncio.sleep(pause_of(answer) if isinstance(answer, Answer) else pause(attempt + 1))
        raise not_sent(answer, message)

    # Following

    async def _ask(self, wait: float | None) -> float:
        """One question with all that follows from the answer; the seconds to wait before the next."""
        headers, before = self._follower.headers(wait), self._follower.highest
        answer = await self._get(BUNDLE_PATH, headers)
        if self._follower.highest != before:
            return 0.0  # another task was quicker: this answer is about the past
        result = self._took(answer)
        if result.fetch_keys:
            result = self._took(await self._get(KEYS_PATH, {}), keys=True)
        if result.keep is not None or result.keep_freshness is not None:
            await asyncio.to_thread(self._keep, result)
        self._tell(result)
        if result.report is not None:
            self._told.set()
        if self.held is not None:
            self._ready.set()
        return result.wait

    def _took(self, answer: Answer | str, *, keys: bool = False) -> Next:
        return self._follower.hear(answer, datetime.now(UTC), keys=keys)

    async def _get(self, path: str, headers: Mapping[str, str]) -> Answer | str:
        """The answer, or in a sentence why there is none."""
        try:
            async with self._http.stream(
                "GET", path, headers=headers, timeout=timeout(waits(headers)), follow_redirects=path != KEYS_PATH
            ) as response:
                return await read_async(response)
        except NETWORK_ERRORS as error:
            return sentence_for(error)

    async def _follow_on(self) -> None:
        failures = 0
        while True:
            try:
                seconds = await self._ask(None)
                failures = 0
            except Exception:  # a fault of ours must not leave the process with an old policy for good
                failures += 1
                seconds = pause(failures)
                logger.exception("Following the policy failed; it is tried again")
            await asyncio.sleep(seconds)

    async def _report_on(self) -> None:
        reports, failures = self._reports, 0
        while True:
            try:
                await asyncio.wait_for(self._told.wait(), pause(failures) if failures else HEARTBEAT)
            except TimeoutError:
                if not failures:
                    reports.beat(self._follower.acknowledgement())
            self._told.clear()
            try:
                while (report := reports.first()) is not None:
                    content = json.dumps(reports.body(report)).encode()
                    headers = {"Content-Type": "application/json"}
                    answer = await self._http.post(STATUS_PATH, content=content, headers=headers)
                    reports.sent(report, answer.status_code)
                failures = 0
            except NETWORK_ERRORS:
                failures += 1

    # Beginning and ending

    def start(self) -> None:
        """Begin to follow, in the running loop."""
        if not self._tasks:
            if self._reports.waiting:
                self._told.set()
            self._tasks = [asyncio.create_task(self._follow_on()), asyncio.create_task(self._report_on())]

    async def aclose(self) -> None:
        """Give back what is reserved and stop following. Decisions go on by the last bundle."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._leases.close)
        self._poster.close()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class _Poster:
    """Speaks to the server for leases, in the threads that those are asked for in."""

    def __init__(self, client: AsyncPolicyClient) -> None:
        self._client = client
        self._http = httpx.Client(base_url=client.url, headers=client._headers)

    def post(self, path: str, body: Mapping[str, Any], *, seconds: float, idempotency: str = "") -> Answer:
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": idempotency} if idempotency else {})}
        content = json.dumps(body).encode()
        with self._http.stream("POST", path, content=content, headers=headers, timeout=seconds) as response:
            return read(response)

    @property
    def fail_mode(self) -> str:
        return self._client.fail_mode

    @property
    def held(self) -> Held | None:
        return self._client.held

    def close(self) -> None:
        self._http.close()


class AsyncRun(AnyRun):
    """One go of an agent, for asyncio: as `Run`, but `ask` is awaited."""

    def __init__(self, client: AsyncPolicyClient, workflow: str, **options: Any) -> None:
        super().__init__(client, workflow, **options)
        self._client = client

    async def ask(self, *, again: Decision | None = None, **facts: Any) -> Decision:
        """As `Run.ask`."""
        begun = self._begin(again, facts)
        try:
            return self._begun(begun, await self._client.reserve(begun.request, begun.decision))
        except BaseException:
            self._begun(begun, None)
            raise
