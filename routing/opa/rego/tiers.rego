# Which tier serves a call before any budget is asked, and the allowances for it.
package tokenops.tiers

import rego.v1

import data.tokenops.call
import data.tokenops.models
import data.tokenops.rules

policy := data.tokenops.bundle.policy

default_tier := models.known([
	rules.tier,
	object.get(call.configured, "default_tier", null),
	object.get(policy.otherwise, "tier", null),
	data.tokenops.bundle.default_tier,
])

# A model of no tier.

unlisted if {
	models.asked_model != ""
	not models.listed
}

refused if {
	unlisted
	call.makes_text
	policy.unlisted_models == "block"
}

replaced if {
	unlisted
	call.makes_text
	policy.unlisted_models == "replace"
}

may_use_asked if models.may_use(models.asked_provider, models.asked_model)

as_asked if {
	unlisted
	not call.makes_text
}

as_asked if {
	unlisted
	not refused
	not replaced
	may_use_asked
}

as_asked if {
	models.asked_model == ""
	not asked_tier
	not call.makes_text
}

asked_tier := call.said("tier", null) if {
	models.asked_model == ""
	models.by_number[call.said("tier", null)]
}

unlisted_reasons := [call.reason("model_refused", "block", {"model": models.asked_model})] if refused

else := [call.reason("model_replaced", "downgrade", object.union({"model": models.asked_model}, models.describe(default_tier))) |
	default_tier != null
] if {
	replaced
}

else := [call.reason("model_unlisted", "allow", {"model": models.asked_model})] if {
	unlisted
	call.makes_text
	may_use_asked
}

else := [call.reason("model_not_allowed", "downgrade", {"model": models.asked_model})] if {
	unlisted
	call.makes_text
}

else := []

unlisted_changes := use_below(default_tier) if refused

else := []

# The tier that is wanted, and the one that serves it; null: none does.

wanted := models.listed.tier if models.listed

else := asked_tier if asked_tier

else := default_tier

served if {
	not as_asked
	wanted != null
	default_tier != null
}

needs_approval(tier) if models.by_number[tier].needs_approval == true

lowered if {
	served
	wanted > default_tier
	not needs_approval(wanted)
	allowance(wanted) == null
}

start := default_tier if lowered

else := wanted if served

else := null

# The allowance that start needs, if it needs one and there is one.
grant := allowance(start) if {
	served
	start > default_tier
} else := allowance(start) if {
	served
	needs_approval(start)
} else := null

reasons := array.concat(unlisted_reasons, array.concat(
	[call.reason("tier_lower", "allow", object.union(models.describe(wanted), {"default_tier": default_tier})) |
		served
		wanted < default_tier
	],
	array.concat(
		[call.reason("tier_lowered", "downgrade", object.union(asked, models.describe(default_tier))) |
			lowered
			asked := {"asked": wanted, "asked_name": models.by_number[wanted].name}
		],
		[call.reason("approval_needed", "require_approval", models.describe(start)) | missing_approval],
	),
))

missing_approval if {
	served
	grant == null
	needs_approval(start)
}

changes := array.concat(unlisted_changes, array.concat(
	[{"kind": "grant", "tier": wanted} | lowered],
	[change |
		missing_approval
		some change in array.concat([{"kind": "grant", "tier": start}], use_below(call.least([start - 1, default_tier])))
	],
))

# The best tier, up to that one, which needs no approval, as a change.
use_below(highest) := [{"kind": "use", "tier": tier}] if {
	highest != null
	tier := call.greatest([number | some number in models.numbers; number <= highest; not needs_approval(number)])
	tier != null
} else := []

# The allowance that covers that tier: the one that the call names, else the first; null: none.
allowance(tier) := array.concat(named, covering)[0] if {
	covering := [one | some one in data.tokenops.bundle.grants; covers(one, tier)]
	count(covering) > 0
	named := [one | some one in covering; one.id == call.text("grant_id")]
} else := null

covers(one, tier) if {
	one.scope.workflow == call.slug
	one.tier >= tier
	one.starts_at <= call.now
	call.now < one.expires_at
	one.remaining_percent != 0

	# What this version does not know of must not widen an allowance.
	count(object.keys(one.scope) - {"workflow", "run", "user"}) == 0
	object.get(one.scope, "run", "") in {"", call.text("run_id")}
	object.get(one.scope, "user", "") in {"", call.text("user")}
	open_to(one, call.text("run_id"))
}

open_to(one, _) if one.takes_new_runs == true

open_to(one, run_id) if {
	run_id != ""
	run_id in one.runs
}
