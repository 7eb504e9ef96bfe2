# Tiers, and which of their models serves a call.
package tokenops.models

import rego.v1

import data.tokenops.call
import data.tokenops.rules

by_number := {tier.number: tier | some tier in data.tokenops.bundle.tiers}

numbers := [tier.number | some tier in data.tokenops.bundle.tiers]

# The first of these tiers that there is; null: none.
known(wanted) := there[0] if {
	there := [number | some number in wanted; by_number[number]]
	count(there) > 0
} else := null

describe(number) := {"tier": number, "tier_name": by_number[number].name}

asked_provider := call.text("provider")

asked_model := call.text("model")

is_asked(model) if {
	asked_model != ""
	model.model == asked_model
	asked_provider in {"", model.provider}
}

# The one asked for in the lowest tier that has it; undefined where none has.
listed := {"tier": lowest, "model": there[0]} if {
	lowest := call.least([tier.number | some tier in data.tokenops.bundle.tiers; some model in tier.models; is_asked(model)])
	there := [model | some model in models_of(lowest); is_asked(model)]
}

# Nano-dollars, rounded up; null where the input or a price that it needs is not known.
cost(model, output) := nano if {
	call.input_tokens != null
	count(model.prices) > 0
	begun := [step | some step in model.prices; step.from_input_tokens <= call.input_tokens]
	step := array.concat([model.prices[0]], begun)[count(begun)]
	input_price := price(step.input, call.input_tokens)
	output_price := price(step.output, output)

	# By whole nano-dollars a token and the rest, so that no product outgrows 64 bits.
	whole := (call.input_tokens * call.quotient(input_price, 1000000)) + (output * call.quotient(output_price, 1000000))
	rest := (call.input_tokens * call.rest(input_price, 1000000)) + (output * call.rest(output_price, 1000000))
	nano := whole + call.quotient(rest + 999999, 1000000)
} else := null

# A price that is not stated does not matter where nothing is charged by it.
price(stated, _) := stated if stated != null

price(null, 0) := 0

may_use(provider, model) if {
	among(provider, call.limit("allowed_providers"))
	among(model, call.limit("allowed_models"))
}

among(_, several) if several in {null, []}

among(one, several) if one in several

# What a tier has for the call: its models that may be used, and which of them serves it.

models_of(number) := by_number[number].models

choices(number) := [model | some model in models_of(number); may_use(model.provider, model.model)] if number != null

else := []

chosen(number) := found[0] if {
	found := array.concat(rules_own(number), array.concat(asked_for(number), best(number)))
	count(found) > 0
} else := null

rules_own(number) := [model |
	some model in choices(number)
	model.model == rules.gives("model")
	rules.gives("provider") in {null, "", model.provider}
]

asked_for(number) := [model | some model in choices(number); is_asked(model)]

# The cheapest that meets what is wanted, those without a price last; where none meets it, the first.
best(number) := array.slice(cheapest(meeting(number)), 0, 1) if count(meeting(number)) > 0

else := array.slice(choices(number), 0, 1)

meeting(number) := [model | some model in choices(number); meets(model)]

cheapest(several) := [model | some model in several; cost(model, rules.output) == least_cost] if {
	least_cost := call.least([cost(model, rules.output) | some model in several])
}

meets(model) if {
	not too_slow(model)
	not too_bad(model)
	not too_dear(model)
}

wanted_latency := call.least([call.said("latency_ms", null), rules.gives("latency_ms")])

wanted_cost := call.least([call.said("max_cost_nano", null), rules.gives("max_cost_nano")])

wanted_quality := call.greatest([call.decimal(share) | some share in [call.said("quality", null), rules.gives("quality")]])

too_slow(model) if {
	wanted_latency != null
	not model.latency_ms <= wanted_latency
}

too_slow(model) if {
	wanted_latency != null
	model.latency_ms == null
}

too_bad(model) if {
	wanted_quality != null
	not good_enough(model)
}

good_enough(model) if call.decimal(model.quality) >= wanted_quality

too_dear(model) if {
	wanted_cost != null
	cost(model, rules.output) == null
}

too_dear(model) if {
	wanted_cost != null
	cost(model, rules.output) > wanted_cost
}
