"""The slices of hard limits that this process holds: what is left of each, and when to renew, take or release. Pure.

Amounts are nano-dollars, calls or tokens as the kind says; clocks are seconds that only go forward.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from tokenops_sdk.asking import Decision, Request
from tokenops_sdk.backing_off import pause, retry_after
from tokenops_sdk.following import Answer, sentence_of

NANO = 1_000_000_000
CENT = NANO // 100
UNKNOWN_TOKENS = 1000
RENEW_BEFORE = 20.0  # seconds before a slice that is in use would end
IDLE = 30.0  # seconds after which a slice that nobody uses is given back
LOW = 4  # the next slice is taken when less than a quarter is left
LONGEST_CALL = 600.0  # seconds after which a call that nobody settled counts as over
REMEMBERED = 10.0  # seconds for which a refusal is believed without asking again
FORGOTTEN = 600.0  # seconds after which a subject that nobody asked for is forgotten; callers may invent any number


class Subject(NamedTuple):
    """What is counted: the money of a budget, the calls or tokens of a workflow."""

    kind: str
    budget: str
    workflow: str
    environment: str
    task_type: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server gives nothing to a call that needs `need` or more.

    `code` is one of docs/leases.md. Believed `until`, and as long as the bundle is the same (`version`).
    """

    code: str
    sentence: str
    need: int
    until: float
    version: object
    resets_at: str | None = None

    def holds(self, need: int, now: float, version: object) -> bool:
        """Whether there is no use in asking again for so much."""
        return now < self.until and need >= self.need and version == self.version

    @property
    def lets_pass(self) -> bool:
        """Whether the call may be made all the same: there is no such limit."""
        return self.code in ("no-lease-needed", "not-found")


@dataclass(slots=True)
class Slice:
    """One lease. `used` is what its calls came to, those under way by their estimate."""

    id: str
    amount: int
    ends: float
    used: int = 0
    under_way: int = 0
    touched: float = 0.0
    over: bool = False  # no call may begin under it any more

    def fits(self, need: int, now: float) -> bool:
        """Whether a call that needs so much may begin under it."""
        return not self.over and now < self.ends and self.used + need <= self.amount and self.used < self.amount

    def is_low(self) -> bool:
        """Whether the next one should be at hand soon."""
        return (self.amount - self.used) * LOW < self.amount


@dataclass(slots=True)
class Line:
    """All slices of one subject, the oldest first, and why there is none if the server gave none."""

    subject: Subject
    slices: list[Slice] = field(default_factory=list)
    refusal: Refusal | None = None
    asked_last: float = float("-inf")
    largest: int = 0  # need of a call since the last slice; the next one is for that at least
    once: str = ""  # the key of a question that got no answer, to be asked again under it
    unclear: str = ""  # what the server said of this subject that cannot be used, believed until `not_before`
    not_before: float = float("-inf")
    failures: int = 0

    def draw(self, need: int, now: float) -> Slice | None:
        """A slice that is charged `need` from now on; None where none has so much left."""
        self.asked_last = now
        self.largest = max(self.largest, need)
        for one in self.slices:
            if one.fits(need, now):
                one.used += need
                one.under_way += 1
                one.touched = now
                return one
        return None

    def settle(self, slice_id: str, charged: int, true: int | None) -> None:
        """A call that was charged so much came to `true`; None: not known, so what it was charged stays."""
        for one in self.slices:
            if one.id == slice_id:
                one.under_way -= 1
                one.used = max(0, one.used + (0 if true is None else true - charged))

    def wants_more(self, now: float) -> bool:
        """Whether to take the next slice before a call has to wait for it."""
        if self.refusal is not None and self.refusal.holds(self.largest, now, self.refusal.version):
            return False
        running = [one for one in self.slices if not one.over and now < one.ends]
        return now - self.asked_last < 5.0 and bool(running) and all(one.is_low() for one in running)

    def hold_off(self, sentence: str, now: float) -> None:
        """Ask nothing for this subject for a while; others are asked for all the same."""
        self.failures += 1
        self.unclear, self.not_before = sentence, now + pause(self.failures)

    def is_forgotten(self, now: float) -> bool:
        """Whether nobody needs it any more."""
        return not self.slices and now - self.asked_last > FORGOTTEN

    def question(self, need: int, client: str) -> dict[str, Any]:
        """The body of `POST /api/v1/leases`."""
        kind, budget, workflow, environment, task_type = self.subject
        body: dict[str, Any] = {"kind": kind, "client": client}
        if need > 0:
            body["at_least"] = in_words_of(kind, need)
        said = {"budget": budget, "workflow": workflow, "environment": environment, "task_type": task_type}
        return {**body, **{name: value for name, value in said.items() if value}}

    def take(self, answer: Answer, need: int, asked: float, now: float, version: object = None) -> str:
        """What the server said to the question put at `asked`; a sentence where it said nothing that can be used."""
        self.largest = 0
        try:
            document = json.loads(answer.body)
            if answer.status in (200, 201):
                amount = in_units(self.subject.kind, document["amount"])
                if document.get("state", "running") == "running":
                    new = Slice(str(document["id"]), amount, asked + float(document["expires_in"]), touched=now)
                    if all(one.id != new.id for one in self.slices):
                        self.slices.append(new)
                self.refusal, self.failures = None, 0
                return ""
            code = str(document["type"]).rpartition("/")[2]
            resets_at = document.get("resets_at")
            left = in_units(self.subject.kind, document.get("remaining") or 0)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError):
            return sentence_of(answer)
        if answer.status not in (404, 409, 429) or code == "reused-key":
            return sentence_of(answer)
        seconds = min(retry_after(answer.headers.get("retry-after")) or REMEMBERED, REMEMBERED)
        told = str(document.get("detail") or document.get("title") or "")
        reset = resets_at if isinstance(resets_at, str) else None
        some = code == "all-reserved" or (code == "nothing-left" and left > 0)  # smaller calls may have it
        self.refusal, self.failures = Refusal(code, told, need if some else 0, now + seconds, version, reset), 0
        return ""

    def to_renew(self, now: float) -> Iterator[Slice]:
        """Slices in use that would end soon. Calls a minute end with their minute."""
        if self.subject.kind != "calls":
            for one in self.slices:
                used_lately = now - one.touched < (LONGEST_CALL if one.under_way > 0 else IDLE)
                if not one.over and one.ends - RENEW_BEFORE < now < one.ends and used_lately:
                    yield one

    def to_release(self, now: float, *, all_of_them: bool = False) -> Iterator[Slice]:
        """Slices that nobody needs any more: ended, used up or idle, with no call under way."""
        for one in self.slices:
            since = now - one.touched
            ended = one.over or now >= one.ends or one.used >= one.amount
            done = one.under_way <= 0 and (ended or since > IDLE)
            if all_of_them or done or since > LONGEST_CALL or (self.subject.kind == "calls" and now >= one.ends):
                yield one


def subject_of(lease: Mapping[str, Any], request: Request) -> Subject:
    """What a lease that a decision names is of. `lease` as in docs/decision.md."""
    kind = str(lease["kind"])
    if kind == "money":
        return Subject(kind, str(lease["budget"]), "", "", "")
    environment = str(lease.get("environment") or "") if kind == "tokens" else ""
    return Subject(kind, "", str(lease["workflow"]), environment, request.task_type)


def need_of(kind: str, request: Request, decision: Decision) -> int:
    """What a call needs by its estimate: nano-dollars, 1 call, or tokens. A cent or 1,000 tokens where it has none."""
    if kind == "calls":
        return 1
    if kind == "money":
        return max(0, decision.estimated_cost_nano or CENT)
    sent = request.input_tokens if request.input_tokens is not None else sum(request.context.values())
    caps = [cap for cap in (decision.max_output_tokens, request.max_output_tokens) if cap is not None]
    back = request.output_tokens if request.output_tokens is not None else min(caps, default=0)
    return max(0, sent + back or UNKNOWN_TOKENS)


def in_words_of(kind: str, amount: int) -> str | int:
    """As the server is told it: dollars as decimal text, or the number."""
    return format((Decimal(amount) / NANO).normalize(), "f") if kind == "money" else amount


def in_units(kind: str, said: Any) -> int:
    """What the server says, in nano-dollars or as the number. Raises ValueError, ArithmeticError for other things."""
    if kind == "money":
        return int(Decimal(str(said)) * NANO)
    if type(said) is not int:
        raise ValueError("not a whole number")
    return said
