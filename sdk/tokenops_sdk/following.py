"""What a client does with what the server answers, without network, disk or clock: both clients drive this.

A client asks for the bundle, hands the answer to `take` and does what the `Next` says: keep something on disk, send a
status report, fetch the public keys, wait, ask again. The rules are those of docs/policy-bundle.md.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from tokenops_sdk.asking import Decision, Reason, Request
from tokenops_sdk.backing_off import pause, retry_after
from tokenops_sdk.bundle import Bundle, renew, verify
from tokenops_sdk.decide import decide_prepared
from tokenops_sdk.prepared import Prepared
from tokenops_sdk.refusals import BundleRefused, OlderRevision, UnknownKey, UnknownSchema

BUNDLE_PATH = "/api/v1/policy-bundle"
KEYS_PATH = "/.well-known/jwks.json"
STATUS_PATH = "/api/v1/policy-bundle/status"
LONGEST_WAIT = 60  # seconds, which the server allows
POLL = 5.0  # seconds between questions to a server that does not hold them
NO_KEYS: Mapping[str, Any] = {"keys": []}
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # to verify all of a bundle but its freshness

WithoutBundle = Literal["allow", "block"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. Header names in small letters; the body after gunzip."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What must outlive the process: the bundle as it was sent, the keys that it was verified with, how far it got."""

    body: bytes
    signature: str
    freshness: str
    jwks: Mapping[str, Any]
    highest: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Held:
    """The bundle that is obeyed, ready for decisions."""

    bundle: Bundle
    prepared: Prepared
    since: datetime


@dataclass(frozen=True, slots=True)
class State:
    """Where a client stands. `revision` is None before the first bundle; errors are sentences, empty where none."""

    revision: str | None
    policy_version: int | None
    fresh: bool
    fresh_until: datetime | None
    fail_mode: str | None
    since: datetime | None  # it obeys this revision
    last_contact: datetime | None  # the server last vouched for it
    last_error: str
    last_error_at: datetime | None
    failures: int  # in a row


@dataclass(frozen=True, slots=True)
class Next:
    """What to do now. With `fetch_keys` first that, then `take_keys`; `wait` is in seconds."""

    wait: float = 0.0
    fetch_keys: bool = False
    keep: Kept | None = None
    keep_freshness: str | None = None
    report: Mapping[str, Any] | None = None


class Follower:
    """The state of one client. Not for several threads at once, but for `decide` and `state`, which only read."""

    def __init__(
        self,
        audience: str,
        *,
        jwks: Mapping[str, Any] | None = None,
        without_bundle: WithoutBundle = "block",
        wait: int = 30,
    ) -> None:
        if without_bundle not in ("allow", "block"):
            raise ValueError('without_bundle is "allow" or "block".')
        self.audience = audience
        self.without_bundle = without_bundle
        self.longest_wait = max(0, min(wait, LONGEST_WAIT))
        self.pinned = jwks is not None
        self.jwks: Mapping[str, Any] = jwks if jwks is not None else NO_KEYS
        self.held: Held | None = None
        self.highest: tuple[int, int] | None = None
        self.last_contact: datetime | None = None
        self.last_error, self.last_error_at = "", None  # type: tuple[str, datetime | None]
        self.failures = 0
        self._pending: Answer | None = None  # waits for the public keys
        self._whole = False  # ask for the whole bundle, because the keys that signed ours are gone

    # Deciding

    def decide(self, request: Request, now: datetime) -> Decision:
        """By the bundle held, or as `without_bundle` says before the first."""
        held = self.held
        if held is None:
            return decide_without_bundle(request, self.without_bundle)
        return decide_prepared(held.prepared, request, now, fresh=held.bundle.is_fresh(now))

    def fail_mode(self) -> str:
        """What holds where the policy cannot be asked: the bundle's own, else `without_bundle`."""
        held = self.held
        return self.without_bundle if held is None else str(held.bundle.document.get("fail_mode", "block"))

    def state(self, now: datetime) -> State:
        """Where this client stands."""
        held = self.held
        return State(
            revision=said(held.bundle.version) if held else None,
            policy_version=held.bundle.document.get("policy_version") if held else None,
            fresh=held is not None and held.bundle.is_fresh(now),
            fresh_until=held.bundle.fresh_until if held else None,
            fail_mode=str(held.bundle.document.get("fail_mode", "block")) if held else None,
            since=held.since if held else None,
            last_contact=self.last_contact,
            last_error=self.last_error,
            last_error_at=self.last_error_at,
            failures=self.failures,
        )

    # Starting

    def resume(self, kept: Kept, later: str | None, now: datetime) -> None:
        """Go on with what was kept on disk, stale or not; `later` is a freshness token that came after it.

        What does not hold is not used, and `last_error` says so.
        """
        self.highest = max(self.highest or kept.highest, kept.highest)
        if not self.pinned:
            self.jwks = kept.jwks
        try:
            bundle = verify(
                kept.body, kept.signature, jwks=self.jwks, audience=self.audience, freshness=kept.freshness,
                last_seen=self.highest, now=LONG_AGO,
            )  # fmt: skip
            self.held = Held(bundle, prepared(bundle), now)
        except BundleRefused as refusal:
            self._note(f"The bundle kept on disk is not used: {refusal}", now)
            return
        if later:
            with suppress(BundleRefused):
                renewed = renew(bundle, jwks=self.jwks, freshness=later, now=LONG_AGO)
                if renewed.fresh_until > bundle.fresh_until:
                    self.held = replace(self.held, bundle=renewed)

    # Asking

    def headers(self, wait: float | None = None, now: datetime | None = None) -> dict[str, str]:
        """For the next question. It is held by the server for `wait` seconds, as set up where None.

        Never so long that the bundle could end meanwhile.
        """
        headers = {"Accept-Encoding": "gzip"}
        held = self.held
        if held is None or self._whole:
            return headers
        headers["If-None-Match"] = f'"{held.bundle.digest}"'
        left = (held.bundle.fresh_until - (now or datetime.now(UTC))).total_seconds()
        seconds = int(min(self.longest_wait if wait is None else wait, left / 2))
        if seconds >= 1:
            headers["Prefer"] = f"wait={seconds}"
        return headers

    def hear(self, answer: Answer | str, now: datetime, *, keys: bool = False) -> Next:
        """`take`, or with `keys` `take_keys`; a sentence says why there was no answer."""
        if isinstance(answer, str):
            return self.failed(answer, now)
        return self.take_keys(answer, now) if keys else self.take(answer, now)

    def take(self, answer: Answer, now: datetime) -> Next:
        """The server's answer to a question for the bundle."""
        try:
            return self._judge(answer, now)
        except BundleRefused as refusal:
            if isinstance(refusal, UnknownKey) and not self.pinned:
                self._pending = answer
                return Next(fetch_keys=True)
            return self._refused(answer, refusal, now)

    def take_keys(self, answer: Answer, now: datetime) -> Next:
        """The server's answer to a question for the public keys, asked because of an unknown one.

        They are used from then on only if what was signed by the unknown key holds with them.
        """
        pending, self._pending = self._pending, None
        if pending is None:
            return Next()
        keys = read_keys(answer)
        if keys is None:
            return self.failed("The public keys cannot be had. " + sentence_of(answer), now, answer)
        before, self.jwks = self.jwks, keys
        try:
            result = self._judge(pending, now)
        except BundleRefused as refusal:
            self.jwks = before
            return self._refused(pending, refusal, now)
        self._whole = pending.status == 304  # so that it is kept with the new keys, and what they signed
        return result

    def failed(self, sentence: str, now: datetime, answer: Answer | None = None) -> Next:
        """Nobody answered, or not what was asked for. The bundle held is obeyed further."""
        self.failures += 1
        self._note(sentence, now)
        asked = retry_after(answer.headers.get("retry-after"), now) if answer is not None else None
        return Next(wait=pause(self.failures, asked))

    def acknowledgement(self) -> Mapping[str, Any] | None:
        """The status report that says what is obeyed; None before the first bundle."""
        return report("ack", self.held.bundle.version) if self.held else None

    # Judging

    def _judge(self, answer: Answer, now: datetime) -> Next:
        """Obey it, or raise a BundleRefused; what is no bundle at all has failed."""
        if answer.status == 200:
            return self._take_bundle(answer, now)
        if answer.status == 304 and self.held is not None:
            return self._take_unchanged(answer, self.held, now)
        return self.failed(sentence_of(answer), now, answer)

    def _take_bundle(self, answer: Answer, now: datetime) -> Next:
        signature, freshness = (
            answer.headers.get("tokenops-signature", ""),
            answer.headers.get("tokenops-freshness", ""),
        )
        bundle = verify(
            answer.body, signature, jwks=self.jwks, audience=self.audience, freshness=freshness,
            last_seen=self.highest, now=now,
        )  # fmt: skip
        held = self.held
        same = held is not None and held.bundle.digest == bundle.digest
        if held is not None and not same and held.bundle.version == bundle.version:
            raise OlderRevision(f"Bundle {said(bundle.version)} says something else than the one obeyed.")
        if same and held is not None:
            self.held = replace(held, bundle=replace(held.bundle, fresh_until=bundle.fresh_until))
        else:
            self.held = Held(bundle, prepared(bundle), now)
        self.highest = bundle.version
        self._whole = False
        self._good(now)
        return Next(
            wait=POLL if same or not self.longest_wait else 0.0,
            keep=Kept(answer.body, signature, freshness, self.jwks, bundle.version),
            report=None if same else report("ack", bundle.version),
        )

    def _take_unchanged(self, answer: Answer, held: Held, now: datetime) -> Next:
        freshness = answer.headers.get("tokenops-freshness", "")
        renewed = renew(held.bundle, jwks=self.jwks, freshness=freshness, now=now)
        # A token from before, sent again, must not take back what a later one said.
        latest = max(renewed.fresh_until, held.bundle.fresh_until)
        self.held = replace(held, bundle=replace(renewed, fresh_until=latest))
        self._good(now)
        waited = "wait" in answer.headers.get("preference-applied", "")
        later = renewed.fresh_until > held.bundle.fresh_until
        return Next(wait=0.0 if waited else POLL, keep_freshness=freshness if later else None)

    def _refused(self, answer: Answer, refusal: BundleRefused, now: datetime) -> Next:
        """Keep what is held and say so, to whoever asks and to the server."""
        self.failures += 1
        sentence = f"Refused what the server sent: {refusal}"
        told_before = sentence == self.last_error
        self._note(sentence, now)
        obeyed = self.held.bundle.version if self.held else None
        nack = report("nack", obeyed, version_in(answer.body), sentence) if answer.status == 200 else None
        return Next(wait=pause(self.failures), report=None if told_before else nack)

    def _good(self, now: datetime) -> None:
        self.failures = 0
        self.last_error, self.last_error_at = "", None
        self.last_contact = now

    def _note(self, sentence: str, now: datetime) -> None:
        self.last_error, self.last_error_at = sentence[:500], now


def prepared(bundle: Bundle) -> Prepared:
    """The index that decisions use; UnknownSchema for a document that cannot be one of ours whatever it says."""
    try:
        return bundle.prepared
    except Exception as error:
        raise UnknownSchema(f"The bundle cannot be read: {type(error).__name__}: {error}") from error


def decide_without_bundle(request: Request, action: WithoutBundle) -> Decision:
    """What is said before the first bundle came: everything as asked, or nothing."""
    may = action == "allow"
    text = (
        "No policy has been received yet. Calls are let through until then."
        if may
        else "No policy has been received yet. Calls are refused until then."
    )
    return Decision(
        action=action,
        workflow=request.workflow,
        tier=None,
        default_tier=None,
        provider=request.provider if may and request.model else None,
        model=request.model if may and request.model else None,
        fallbacks=(),
        review=False,
        max_output_tokens=request.max_output_tokens if may else None,
        cache=(),
        similarity_floor=None,
        fresh_seconds=None,
        batch=request.batch and may,
        grant_id=None,
        per_minute=None,
        leases=(),
        estimated_cost_nano=None,
        reasons=(Reason("no_bundle_allowed" if may else "no_bundle_blocked", action, {}, text),),
        changes=(),
        revision="",
        policy_version=0,
    )


def report(
    answer: Literal["ack", "nack"],
    obeyed: tuple[int, int] | None,
    refused: tuple[int, int] | None = None,
    error: str = "",
) -> dict[str, Any]:
    """The body of a status report, but for who sends it."""
    epoch, revision = obeyed or (None, None)
    refused_epoch, refused_revision = refused or (None, None)
    return {
        "epoch": epoch,
        "revision": revision,
        "answer": answer,
        "refused_epoch": refused_epoch,
        "refused_revision": refused_revision,
        "error": error,
    }


def version_in(body: bytes) -> tuple[int, int] | None:
    """What a refused bundle calls itself, believed by nobody."""
    try:
        document = json.loads(body)
        epoch, revision = document["epoch"], document["revision"]
    except (ValueError, RecursionError, TypeError, KeyError, IndexError):
        return None
    whole = type(epoch) is int and type(revision) is int and 0 < epoch < 2**31 and 0 < revision < 2**63
    return (epoch, revision) if whole else None


def read_keys(answer: Answer) -> Mapping[str, Any] | None:
    """The JWKS in an answer; None where there is none."""
    try:
        document = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and isinstance(document.get("keys"), list) else None


def sentence_of(answer: Answer) -> str:
    """What went wrong, in a sentence: the problem document's own, else the status."""
    try:
        problem = json.loads(answer.body)
        detail = problem.get("detail") or problem.get("title")
    except (ValueError, RecursionError, AttributeError):
        detail = None
    told = f": {detail}" if isinstance(detail, str) else "."
    return f"The server answered {answer.status}{told}"


def said(version: tuple[int, int]) -> str:
    return f"{version[0]}:{version[1]}"
