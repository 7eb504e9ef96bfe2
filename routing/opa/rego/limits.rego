# The limits of a workflow: of the call, of its run, and of its answer.
package tokenops.limits

import rego.v1

import data.tokenops.call
import data.tokenops.rules

exceeded(name, number) if {
	call.limit(name) != null
	number != null
	number > call.limit(name)
}

sizes := [
	{"limit": "max_input_tokens", "code": "input_too_long", "layer": "input", "unit": "tokens", "stated": call.input_tokens},
	{"limit": "max_history_tokens", "code": "history_too_long", "layer": "history", "unit": "tokens", "stated": layer("history")},
	{"limit": "max_retrieval_tokens", "code": "retrieval_too_long", "layer": "retrieval", "unit": "tokens", "stated": layer("retrieval")},
	{"limit": "max_retrieved_chunks", "code": "too_many_chunks", "layer": "retrieved_chunks", "unit": "chunks", "stated": call.said("retrieved_chunks", null)},
	{"limit": "max_tools_exposed", "code": "too_many_tools", "layer": "tools_exposed", "unit": "tools", "stated": call.said("tools_exposed", null)},
]

layer(name) := object.get(call.context, name, null)

oversized := [size | some size in sizes; exceeded(size.limit, size.stated)]

size_reasons := [call.reason(size.code, "summarize", {size.unit: size.stated, "limit": call.limit(size.limit)}) |
	some size in oversized
]

changes := [{"kind": "shorten", "layer": size.layer, "to": call.limit(size.limit)} | some size in oversized]

# Of the run, from the totals that the caller states.

so_far(name) := call.stated(call.run, name, 0)

step := call.said("step", so_far("steps") + 1)

kind := call.text("step_kind")

most_of_kind := object.get(object.get(call.limits, "max_steps_by_kind", {}), kind, null)

steps_of_kind := object.get(call.stated(call.run, "steps_by_kind", {}), kind, 0) + 1

run_reasons := array.concat(
	[call.reason("run_steps", "block", {"step": step, "limit": call.limit("max_run_steps")}) |
		exceeded("max_run_steps", step)
	],
	array.concat(
		[call.reason("run_steps_kind", "block", {"kind": kind, "steps": steps_of_kind, "limit": most_of_kind}) |
			most_of_kind != null
			call.attempt == 1
			steps_of_kind > most_of_kind
		],
		[call.reason("run_attempts", "block", {"attempt": call.attempt, "limit": call.limit("max_attempts_per_step")}) |
			exceeded("max_attempts_per_step", call.attempt)
		],
	),
)

run_tokens := (so_far("tokens") + sum([tokens | tokens := call.input_tokens; tokens != null])) + rules.output

total_reasons(cost) := array.concat(
	[call.reason("run_tokens", "block", {"tokens": run_tokens, "limit": call.limit("max_run_tokens")}) |
		exceeded("max_run_tokens", run_tokens)
	],
	[call.reason("run_money", "block", {"limit": call.limit("max_run_money")}) |
		call.limit("max_run_money") != null
		so_far("cost_nano") + sum([nano | nano := cost; nano != null]) > call.nano(call.limit("max_run_money"))
	],
)

# Of the answer.

answer_reasons := array.concat(
	[call.reason("output_capped", "allow", {"limit": call.limit("max_output_tokens")}) |
		call.limit("max_output_tokens") != null
		capped(call.said("max_output_tokens", null))
	],
	[call.reason("review_limit", "human_review", {"risk": risk}) | some risk in array.slice(reviewed, 0, 1)],
)

capped(null)

capped(asked) if asked > call.limit("max_output_tokens")

reviewed := [risk | some risk in object.get(call.limits, "human_review", []); risk in call.risks]

# Caches, in the order of the event's list.

settings := object.get(call.limits, "cache", {})

kinds := ["prompt", "semantic", "response", "retrieval", "embedding"]

caches := [] if "sensitive" in call.risks

else := [cache |
	some cache in kinds
	cache in object.get(settings, "kinds", kinds)
	narrowed(cache, rules.gives("cache"))
]

narrowed(_, null)

narrowed(cache, allowed) if cache in allowed
