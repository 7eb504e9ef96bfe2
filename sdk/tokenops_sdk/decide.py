"""What the policy says about one call: docs/decision.md, step by step. Pure: the same inputs give the same answer."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from operator import itemgetter
from typing import Any

from tokenops_sdk.asking import ACTIONS, MAY_CALL, Decision, Model, Reason, Request
from tokenops_sdk.bundle import Bundle
from tokenops_sdk.limits import caches, may_use, shared_counts, too_large, too_many_steps
from tokenops_sdk.models import TierModel, Wanted, cheapest, fitting, least
from tokenops_sdk.prepared import NANO, SENSITIVE, Budget, Grant, Prepared
from tokenops_sdk.rules import Facts, Outcome, share

WORDS: Mapping[str, str] = json.loads(files("tokenops_sdk").joinpath("words.json").read_text())
SEVERITY = {action: n for n, action in enumerate(ACTIONS)}
UNASSIGNED, PRODUCTION, CHAT = "unassigned", "production", "chat"  # where nothing is said
TEXT = frozenset({CHAT, "completion"})
STEP = itemgetter(0)
# Where a finding stands among the reasons: the steps of docs/decision.md.
FRESHNESS, SWITCHES, LIMITS, TOTALS, ANSWER, RULES, TIER, GRANT, BUDGETS, MODEL = range(10)


def decide(bundle: Bundle, request: Request, now: datetime) -> Decision:
    """What a verified bundle says of the call at `now` (aware)."""
    return decide_prepared(bundle.prepared, request, now, fresh=bundle.is_fresh(now))


def decide_prepared(prepared: Prepared, request: Request, now: datetime, *, fresh: bool = True) -> Decision:
    """The same for a document that was prepared; `fresh`: whether the server still vouches for it."""
    call = _Call(prepared, request, now.timestamp())
    if not fresh:
        if prepared.fail_mode != "last_known_good":
            return call.unchecked(prepared.fail_mode)
        call.say(FRESHNESS, "stale_continued", "allow", {})
    call.check_switches()
    if call.limits:
        call.check_limits()
    call.follow_rule()
    call.cap_answer()
    call.choose_tier()
    call.ask_budgets()
    call.check_choice()
    call.check_totals()
    return call.answer()


class _Call:
    """One call on its way through the steps. `tier` is what would serve it now, `model` what of it."""

    def __init__(self, policy: Prepared, request: Request, at: float) -> None:
        self.policy, self.request, self.at = policy, request, at
        self.workflow = policy.workflow(request.workflow or UNASSIGNED)
        self.environment = request.environment or PRODUCTION
        self.is_text = (request.operation or CHAT) in TEXT
        self.limits = self.workflow.limits_of(request.task_type)
        self.input = request.input_tokens
        if self.input is None and request.context:
            self.input = sum(request.context.values())
        self.found: list[tuple[int, Reason]] = []
        self.changes: list[dict[str, Any]] = []
        self.per_minute: int | None = None
        self.as_asked = False  # a model of no tier, or of no text: nothing is chosen
        self.grant: Grant | None = None  # that lets the tier above the default one, or one that needs approval, serve
        self.covered = False  # a budget lets the call pass because of an allowance
        self.model: TierModel | None = None
        self.choices: tuple[TierModel, ...] = ()
        self.met = True
        self.left_out = False

    def say(self, step: int, code: str, action: str, values: dict[str, Any], *changes: dict[str, Any]) -> None:
        """A finding, and what would change it."""
        self.found.append((step, Reason(code, action, values, WORDS[code].format_map(values))))
        self.changes += [change for change in changes if change not in self.changes]

    # The call itself: kill switches, size, run.

    def check_switches(self) -> None:
        request, slug = self.request, self.workflow.slug
        for code, values, change in self.policy.switches.thrown(request.workflow, slug, request.run_id, self.at):
            self.say(SWITCHES, code, "block", values, change)

    def check_limits(self) -> None:
        for code, part, unit, stated, most in too_large(self.limits, self.request, self.input):
            change = {"kind": "shorten", "layer": part, "to": most}
            self.say(LIMITS, code, "summarize", {unit: stated, "limit": most}, change)
        for code, values in too_many_steps(self.limits, self.request):
            self.say(LIMITS, code, "block", values)

    # The rules, and the longest answer.

    def follow_rule(self) -> None:
        request, workflow = self.request, self.workflow
        self.risks = workflow.risks.union(request.risk_flags) if request.risk_flags else workflow.risks
        self.facts = facts = {
            "workflow": workflow.slug,
            "team": workflow.team or request.team,
            "environment": self.environment,
            "user": request.user,
            "application": request.application,
            "customer": request.customer,
            "stage": request.stage,
            "task_type": request.task_type,
            "domain": request.domain,
            "user_tier": request.user_tier,
        }
        for key in self.policy.budgets.tag_keys:
            facts[f"tag:{key}"] = request.tags.get(key, "")

        def local() -> tuple[int, int]:
            return self.policy.local(self.at)

        asked = Facts(facts, self.risks, workflow.weight, request.complexity, self.input, self.usual_cost, local)
        rule = self.policy.rules.first(asked)
        self.outcome: Outcome = self.policy.otherwise
        self.rule_tier: int | None = None
        if rule is not None:
            self.outcome, self.rule_tier = rule.then, rule.then.tier
            self.say(RULES, "rule", "allow", {"rule": rule.id, "name": rule.name})
        if self.outcome.review:
            self.say(RULES, "review_rule", "human_review", {})

    def usual_cost(self) -> int | None:
        """What the call would cost as asked for, else by the first model with a price of the usual tier."""
        request, policy = self.request, self.policy
        output = self.output_under(least(request.max_output_tokens, self.limits.get("max_output_tokens")))
        asked = policy.place_of(request.provider, request.model) if request.model else None
        if asked is not None and (cost := asked[1].cost(self.input, output)) is not None:
            return cost
        usual = policy.known_tier(self.workflow.default_tier, policy.first_tier)
        costs = (one.cost(self.input, output) for one in (policy.tiers[usual].models if usual is not None else ()))
        return next((cost for cost in costs if cost is not None), None)

    def output_under(self, cap: int | None) -> int:
        return least(self.request.output_tokens, cap) or 0

    def cap_answer(self) -> None:
        request, limits = self.request, self.limits
        most = limits.get("max_output_tokens")
        self.cap = least(request.max_output_tokens, most, self.outcome.max_output_tokens)
        self.output = self.output_under(self.cap)
        if most is not None and (request.max_output_tokens is None or request.max_output_tokens > most):
            self.say(ANSWER, "output_capped", "allow", {"limit": most})
        risk = next((one for one in limits.get("human_review", ()) if one in self.risks), None)
        if risk is not None:
            self.say(ANSWER, "review_limit", "human_review", {"risk": risk})

    # The tier.

    def choose_tier(self) -> None:
        policy, request = self.policy, self.request
        usual = self.workflow.default_tier
        self.default_tier = policy.known_tier(self.rule_tier, usual, policy.otherwise.tier, policy.first_tier)
        listed = policy.place_of(request.provider, request.model) if request.model else None
        self.tier = wanted = self.default_tier
        if listed is not None:
            wanted = listed[0]
        elif request.model:
            self.serve_unlisted()
        elif request.tier in policy.tiers:
            wanted = request.tier
        elif not self.is_text:
            self.as_asked = True
        if self.as_asked or wanted is None or self.default_tier is None:
            self.tier = None
            return
        self.serve(wanted, self.default_tier)

    def serve_unlisted(self) -> None:
        """A model of no tier: as asked for, or the default tier instead."""
        request, policy = self.request, self.policy
        values: dict[str, Any] = {"model": request.model}
        if self.is_text and policy.unlisted == "block":
            return self.say(TIER, "model_refused", "block", values, *self.policy.use_below(self.default_tier))
        if self.is_text and policy.unlisted == "replace":
            if self.default_tier is not None:
                values |= self.policy.named_tier(self.default_tier)
                self.say(TIER, "model_replaced", "downgrade", values)
            return None
        may = may_use(self.limits, Model(request.provider, request.model))
        self.as_asked = may or not self.is_text
        if self.is_text and may:
            self.say(TIER, "model_unlisted", "allow", values)
        elif self.is_text:
            self.say(TIER, "model_not_allowed", "downgrade", values)
        return None

    def serve(self, wanted: int, default: int) -> None:
        """The tier that is wanted, where it is below the default one or an allowance is there."""
        tiers = self.policy.tiers
        self.tier = wanted
        if wanted < default:
            values = {**self.policy.named_tier(wanted), "default_tier": default}
            self.say(TIER, "tier_lower", "allow", values)
        if wanted > default or tiers[wanted].needs_approval:
            self.grant = self.allowance(wanted)
        if wanted > default and self.grant is None and not tiers[wanted].needs_approval:
            asked = {"asked": wanted, "asked_name": tiers[wanted].name}
            change = {"kind": "grant", "tier": wanted}
            self.say(TIER, "tier_lowered", "downgrade", asked | self.policy.named_tier(default), change)
            self.tier = default
            self.grant = self.allowance(default) if tiers[default].needs_approval else None
        if self.grant is None and tiers[self.tier].needs_approval:
            changes = ({"kind": "grant", "tier": self.tier}, *self.policy.use_below(min(self.tier - 1, default)))
            self.say(TIER, "approval_needed", "require_approval", self.policy.named_tier(self.tier), *changes)

    def allowance(self, tier: int) -> Grant | None:
        """The one that the call names, else the first that covers it."""
        request = self.request
        grants = self.policy.grants.get(self.workflow.slug, ())
        found = [one for one in grants if one.covers(tier, request.run_id, request.user, self.at)]
        return next((one for one in found if one.id == request.grant_id), found[0] if found else None)

    # Model and budgets.

    def choose_model(self) -> None:
        """What of the tier serves: the rule's, the one asked for, or the cheapest that meets what is wanted."""
        request, outcome = self.request, self.outcome
        self.met = True
        models = self.policy.tiers[self.tier].models if self.tier is not None else ()
        limited = "allowed_providers" in self.limits or "allowed_models" in self.limits
        self.choices = tuple(one for one in models if may_use(self.limits, one.named)) if limited else models
        asked = fitting(models, request.provider, request.model) if request.model else None
        self.left_out = asked is not None and asked not in self.choices
        chosen = fitting(self.choices, outcome.provider or "", outcome.model) if outcome.model else None
        if chosen is None and request.model:
            chosen = fitting(self.choices, request.provider, request.model)
        if chosen is None and self.choices:
            qualities = [one for one in (share(request.quality), outcome.quality) if one is not None]
            latency = least(request.latency_ms, outcome.latency_ms)
            money = least(request.max_cost_nano, outcome.max_cost_nano)
            wanted = Wanted(latency, max(qualities, default=None), money)
            chosen = cheapest(self.choices, wanted, self.input, self.output)
            self.met = chosen is not None
            chosen = chosen or self.choices[0]
        self.model = chosen

    def budgets_met(self) -> list[Budget]:
        """The budgets that what is chosen now falls under and that are used up, or have less left than it needs."""
        request, facts = self.request, self.facts
        named = self.model.named if self.model else Model(request.provider, request.model) if self.as_asked else None
        facts["provider"], facts["model"] = (named.provider, named.model) if named else ("", "")
        facts["tier"] = "" if self.tier is None else str(self.tier)
        self.cost = self.model.cost(self.input, self.output) if self.model else None
        tokens = None if self.input is None else self.input + self.output
        met, self.hard = self.policy.budgets.matching(facts, self.at, self.cost, tokens)
        return met

    def ask_budgets(self) -> None:
        """Go down as far as budgets say, then do what those say that the call falls under there."""
        told: set[str] = set()
        while True:
            self.choose_model()
            met = [one for one in self.budgets_met() if one.slug not in told]
            lower = [one for one in met if one.action == "downgrade" and self.is_lower(one.tier)]
            for one in lower:
                self.tell(one, "downgrade")
                told.add(one.slug)
            if not lower:
                break
            self.tier, self.as_asked = min(one.tier for one in lower if one.tier is not None), False
        for one in met:
            self.obey(one)

    def is_lower(self, tier: int | None) -> bool:
        """A text model of no tier stands above every tier; what makes no text cannot be served by another tier."""
        if tier not in self.policy.tiers:
            return False
        if self.tier is None:
            return self.is_text
        return tier is not None and tier < self.tier

    def obey(self, budget: Budget) -> None:
        action = budget.action
        if action == "downgrade":
            action = "allow"  # it is low enough
        elif action == "throttle":
            self.per_minute = least(self.per_minute, budget.per_minute)
        elif action == "require_approval" and self.tier is not None:
            self.grant = self.grant or self.allowance(self.tier)
            if self.grant is not None:
                action, self.covered = "allow", True
        self.tell(budget, "allow" if action == "alert" else action)

    def tell(self, budget: Budget, action: str) -> None:
        code = "budget_exhausted" if budget.exhausted else "budget_too_small"
        changes: list[dict[str, Any]] = []
        if action == "require_approval" and self.tier is not None:
            changes.append({"kind": "grant", "tier": self.tier})
        if action != "allow":
            if budget.exhausted and budget.resets:
                changes.append({"kind": "reset", "at": budget.ends_at})
            changes.append({"kind": "budget", "budget": budget.slug})
        self.say(BUDGETS, code, action, {"budget": budget.slug, "name": budget.name}, *changes)

    # The end.

    def check_choice(self) -> None:
        """What the limits on models left, and whether it is what was wanted."""
        request = self.request
        if self.as_asked:
            left = not request.model or may_use(self.limits, Model(request.provider, request.model))
        else:
            left = self.model is not None or (self.tier is None and not request.model)
        if not left:
            self.say(MODEL, "no_model_allowed", "block", {})
        elif self.left_out:
            self.say(MODEL, "model_not_allowed", "downgrade", {"model": self.request.model})
        if not self.met and self.tier is not None:
            self.say(MODEL, "no_model_meets", "allow", self.policy.named_tier(self.tier))

    def check_totals(self) -> None:
        """The run's tokens and money with this call."""
        run, most_tokens, most_money = (
            self.request.run,
            self.limits.get("max_run_tokens"),
            self.limits.get("max_run_money"),
        )
        tokens = run.tokens + (self.input or 0) + self.output
        if most_tokens is not None and tokens > most_tokens:
            self.say(TOTALS, "run_tokens", "block", {"tokens": tokens, "limit": most_tokens})
        if most_money is not None and run.cost_nano + (self.cost or 0) > Decimal(most_money) * NANO:
            self.say(TOTALS, "run_money", "block", {"limit": most_money})

    def answer(self) -> Decision:
        request, cache, grant = self.request, self.limits.get("cache", {}), self.grant
        if grant is not None and self.tier is not None and self.default_tier is not None:
            if self.tier > self.default_tier or self.policy.tiers[self.tier].needs_approval or self.covered:
                self.say(GRANT, "grant_used", "allow", {"grant": grant.id, **self.policy.named_tier(self.tier)})
            else:
                grant = None
        self.found.sort(key=STEP)
        reasons = tuple(reason for _, reason in self.found)
        action = max((reason.action for reason in reasons), key=SEVERITY.__getitem__, default="allow")
        may = action in MAY_CALL
        named = self.model.named if self.model else None
        if self.as_asked and request.model:
            named = Model(request.provider, request.model)
        shared = shared_counts(self.limits, self.policy.daily_tokens, self.workflow.slug, self.environment)
        others = tuple(one.named for one in self.choices if one is not self.model)
        return Decision(
            action=action,
            workflow=self.workflow.slug,
            tier=self.tier,
            default_tier=self.default_tier,
            provider=(named.provider or None) if named and may else None,
            model=named.model if named and may else None,
            fallbacks=others if may else (),
            review=any(reason.action == "human_review" for reason in reasons),
            max_output_tokens=self.cap,
            cache=() if SENSITIVE in self.risks else caches(self.limits, self.outcome.cache),
            similarity_floor=cache.get("similarity_floor"),
            fresh_seconds=cache.get("fresh_seconds"),
            batch=request.batch and self.outcome.batch is not False,
            grant_id=grant.id if grant is not None and may else None,
            per_minute=self.per_minute if action == "throttle" else None,
            leases=(*shared, *({"kind": "money", "budget": one.slug} for one in self.hard)) if may else (),
            estimated_cost_nano=self.cost,
            reasons=reasons,
            changes=tuple(self.changes),
            revision=self.policy.revision,
            policy_version=self.policy.policy_version,
        )

    def unchecked(self, mode: str) -> Decision:
        """The end for a bundle that is not vouched for: nothing, or what was asked for."""
        request, may = self.request, mode == "allow"
        action = "allow" if may else "block"
        self.say(FRESHNESS, "stale_allowed" if may else "stale_blocked", action, {})
        return Decision(
            action=action,
            workflow=self.workflow.slug,
            tier=request.tier if may else None,
            default_tier=None,
            provider=(request.provider or None) if may and request.model else None,
            model=(request.model or None) if may else None,
            fallbacks=(),
            review=False,
            max_output_tokens=request.max_output_tokens if may else None,
            cache=(),
            similarity_floor=None,
            fresh_seconds=None,
            batch=request.batch and may,
            grant_id=(request.grant_id or None) if may else None,
            per_minute=None,
            leases=(),
            estimated_cost_nano=None,
            reasons=(self.found[0][1],),
            changes=(),
            revision=self.policy.revision,
            policy_version=self.policy.policy_version,
        )
