# What the policy says about one call: the same as tokenops_sdk.decide, held to the same vectors. docs/opa.md says what to
# send and what is answered, docs/decision.md what it means.
package tokenops

import rego.v1

import data.tokenops.budgets
import data.tokenops.call
import data.tokenops.limits
import data.tokenops.models
import data.tokenops.rules
import data.tokenops.tiers

# Undefined where the operator said whose bundle to obey and this is another's, or an older one.
decision := object.union(answer, {"allowed": answer.action in may_call}) if not foreign_bundle

foreign_bundle if {
	data.tokenops_expected
	not verified.ok
}

may_call := {"allow", "downgrade", "human_review", "throttle"}

severest_first := ["block", "require_approval", "summarize", "throttle", "human_review", "downgrade", "allow"]

is_fresh := input.fresh if is_boolean(input.fresh)

else := verified.fresh

answer := unchecked(data.tokenops.bundle.fail_mode) if {
	not is_fresh
	data.tokenops.bundle.fail_mode != "last_known_good"
} else := checked

stamp := {
	"revision": concat(":", [format_int(data.tokenops.bundle.epoch, 10), format_int(data.tokenops.bundle.revision, 10)]),
	"policy_version": data.tokenops.bundle.policy_version,
}

# Not vouched for any more: nothing, or what was asked for.

unchecked("block") := nothing

nothing := object.union(stamp, {
	"action": "block",
	"workflow": call.slug,
	"tier": null,
	"default_tier": null,
	"provider": null,
	"model": null,
	"fallbacks": [],
	"review": false,
	"max_output_tokens": null,
	"cache": [],
	"similarity_floor": null,
	"fresh_seconds": null,
	"batch": false,
	"grant_id": null,
	"per_minute": null,
	"leases": [],
	"estimated_cost_nano": null,
	"reasons": [call.reason("stale_blocked", "block", {})],
	"changes": [],
})

unchecked("allow") := object.union(nothing, {
	"action": "allow",
	"tier": call.said("tier", null),
	"max_output_tokens": call.said("max_output_tokens", null),
	"provider": named(models.asked_model, models.asked_provider),
	"model": named(models.asked_model, models.asked_model),
	"batch": call.said("batch", false),
	"grant_id": named(call.text("grant_id"), call.text("grant_id")),
	"reasons": [call.reason("stale_allowed", "allow", {})],
})

# Nothing where it is empty or goes with something that is.
named("", _) := null

named(beside, "") := null if beside != ""

named(beside, text) := text if {
	beside != ""
	text != ""
}

# Checked.

checked := object.union(stamp, {
	"action": action,
	"workflow": call.slug,
	"tier": budgets.tier,
	"default_tier": tiers.default_tier,
	"provider": only(serving.provider),
	"model": only(serving.model),
	"fallbacks": [{"provider": one.provider, "model": one.model} |
		may
		some one in models.choices(budgets.tier)
		one != budgets.model
	],
	"review": count([reason | some reason in reasons; reason.action == "human_review"]) > 0,
	"max_output_tokens": rules.cap,
	"cache": limits.caches,
	"similarity_floor": object.get(limits.settings, "similarity_floor", null),
	"fresh_seconds": object.get(limits.settings, "fresh_seconds", null),
	"batch": batch,
	"grant_id": only(grant_id),
	"per_minute": per_minute,
	"leases": [lease | may; some lease in leases],
	"estimated_cost_nano": budgets.cost,
	"reasons": reasons,
	"changes": [change | some place; change := all_changes[place]; not change in array.slice(all_changes, 0, place)],
})

all_changes := [change |
	some several in [pause_changes, stop_changes, limits.changes, tiers.changes, budgets.changes]
	some change in several
]

actions := [one | some one in severest_first; some reason in reasons; reason.action == one]

action := actions[0] if count(actions) > 0

else := "allow"

may if action in may_call

only(value) := value if may

else := null

serving := {"provider": named(models.asked_model, models.asked_provider), "model": models.asked_model} if {
	budgets.as_asked
	models.asked_model != ""
} else := {"provider": budgets.model.provider, "model": budgets.model.model} if {
	budgets.model != null
} else := {"provider": null, "model": null}

batch if {
	call.said("batch", false) == true
	rules.gives("batch") != false
}

else := false

per_minute := budgets.per_minute if action == "throttle"

else := null

# An allowance is used where the tier needs one, or a budget lets the call pass because of it.

used_grant := budgets.at_hand if {
	budgets.at_hand != null
	budgets.tier != null
	tiers.default_tier != null
	needs_grant
}

needs_grant if budgets.tier > tiers.default_tier

needs_grant if tiers.needs_approval(budgets.tier)

needs_grant if budgets.covered

grant_id := used_grant.id if used_grant

else := null

grant_reasons := [call.reason("grant_used", "allow", object.union({"grant": used_grant.id}, models.describe(budgets.tier))) |
	used_grant
]

# The reasons, in the order of docs/decision.md.

reasons := [reason |
	some several in [
		stale_reasons, pause_reasons, stop_reasons, limits.size_reasons, limits.run_reasons,
		limits.total_reasons(budgets.cost), limits.answer_reasons, rules.reasons, tiers.reasons, grant_reasons,
		budgets.reasons, model_reasons,
	]
	some reason in several
]

stale_reasons := [call.reason("stale_continued", "allow", {}) | not is_fresh]

pauses := [one.reason |
	some name in [call.named, call.slug]
	some one in data.tokenops.bundle.blocked
	one.code == "workflow_paused"
	one.scope == {"workflow": name}
]

pause_reasons := [call.reason("workflow_paused", "block", {"workflow": call.slug, "reason": why}) |
	some why in array.slice(pauses, 0, 1)
]

pause_changes := [{"kind": "resume"} | count(pauses) > 0]

# An entry with a dimension more, one of a later version, is no run's: nobody can say that the call falls under it.
stops := [one |
	some name in [call.named, call.slug]
	some one in data.tokenops.bundle.blocked
	one.code == "run_stopped"
	call.text("run_id") != ""
	one.scope == {"workflow": name, "run": call.text("run_id")}
	goes_on(one.until)
]

goes_on(null)

goes_on(until) if call.now < until

stop := stops[0]

stop_reasons := [call.reason("run_stopped", "block", {"workflow": call.slug, "run": stop.scope.run, "reason": stop.reason}) |
	stop
]

stop_changes := [object.union({"kind": "resume", "run": stop.scope.run}, by_itself(stop.until)) | stop]

by_itself(null) := {}

by_itself(until) := {"at": until} if until != null

# What the limits on models left, and whether it is what was wanted.

nothing_left if {
	budgets.as_asked
	models.asked_model != ""
	not tiers.may_use_asked
}

nothing_left if {
	not budgets.as_asked
	budgets.model == null
	budgets.tier != null
}

nothing_left if {
	not budgets.as_asked
	budgets.model == null
	models.asked_model != ""
}

left_out if {
	asked := [one | some one in models.by_number[budgets.tier].models; models.is_asked(one)]
	not asked[0] in models.choices(budgets.tier)
	count(asked) > 0
}

model_reasons := array.concat(choice_reasons, [call.reason("no_model_meets", "allow", models.describe(budgets.tier)) | unmet])

choice_reasons := [call.reason("no_model_allowed", "block", {})] if nothing_left

else := [call.reason("model_not_allowed", "downgrade", {"model": models.asked_model})] if left_out

else := []

unmet if {
	count(models.choices(budgets.tier)) > 0
	count(models.rules_own(budgets.tier)) == 0
	count(models.asked_for(budgets.tier)) == 0
	count(models.meeting(budgets.tier)) == 0
}

# What must be reserved at the server before the call.

leases := array.concat(
	[{"kind": "calls", "workflow": call.slug} | call.limit("max_requests_per_minute") != null],
	array.concat(
		[{"kind": "tokens", "workflow": call.slug, "environment": call.environment} | daily_tokens],
		[{"kind": "money", "budget": one.slug} | some one in budgets.under[budgets.level]; one.hard == true],
	),
)

daily_tokens if object.get(call.limits, "daily_tokens", {})[call.environment]

daily_tokens if tiers.policy.daily_tokens[call.environment]

daily_tokens if {
	tiers.policy.daily_tokens["*"]
	call.environment != "production"
}
