"""Past usage: any CSV with a line for each call, or one of the exports that are known by their header.

Identity: the line's own id; without one a hash of what the line is about (`MEASURES` in `calls.py` are left out). So
the same file again brings nothing, an overlapping one only what is new, and the same line with other figures is told.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import connection

from budgets.audit.record import Actor, record
from budgets.models import UNASSIGNED, Source
from usage.imports import exports
from usage.imports.calls import Brought, Prepared, prepare, read, source_of
from usage.imports.kind import THERE, Column, Kind, Known, LineError, Option, Written
from usage.imports.totals import UsageTally
from usage.ingest.decode import Item
from usage.ingest.event import Refusal, content_key, identity_key
from usage.ingest.post import ledger_row
from usage.ingest.workflows import Named
from usage.ingest.write import CLAIMED_BEFORE, Intake, Sender
from usage.ledger.append import raw_cursor
from usage.ledger.partitions import ensure_months
from usage.ledger.withdraw import ensure_open_month, standing, withdraw
from usage.models import Import, LedgerEntry

BATCH = "usage.ingestbatch"
CHUNK = 1_000  # calls taken back in one transaction
SENT_TOO = "sent_too"  # option of an import that is taken back: how many of its calls stay
DIFFERS = (
    "This call was taken before with other figures, and the first count. Undo the import that brought it to take these."
)


def judge(values: Sequence[Brought], prepared: Prepared) -> list[str | LineError | None]:
    """What writing would say: there already, other figures, a cost beyond belief; the others are priced on the way."""
    source = Source.objects.filter(slug=prepared.source).values_list("pk", flat=True).first()
    keys = [[(identity_key(event.id), content_key(event)) for event in value.events] for value in values]
    claimed = _claimed(source, [key for pairs in keys for key, _ in pairs]) if source is not None else {}
    verdicts: list[str | LineError | None] = []
    for value, pairs in zip(values, keys, strict=True):
        verdict: str | LineError | None = None
        before = [claimed.get(key) or prepared.seen.get(key) for key, _ in pairs]
        if any(content and content != own for content, (_, own) in zip(before, pairs, strict=True)):
            verdict = LineError("", DIFFERS)
        elif all(before):
            verdict = THERE
        else:
            verdict = _price(value, prepared)
        if verdict is None and not value.events[0].id.startswith("line-"):
            prepared.seen.update(pairs)
        verdicts.append(verdict)
    return verdicts


def _claimed(source: int, keys: Sequence[str]) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(CLAIMED_BEFORE, [[source] * len(keys), list(keys)])
        return {key: content for _, key, content, _ in cursor.fetchall()}


def _price(value: Brought, prepared: Prepared) -> LineError | None:
    try:
        for event in value.events:
            slug = event.workflow or UNASSIGNED
            pk, team, tier = prepared.known_workflows.get(slug, (0, "", 0))
            value.rows.append(ledger_row(event, 0, Named(pk, slug, team, tier), prepared.posting))
    except Refusal as refusal:
        return LineError(refusal.field, refusal.detail)
    return None


def ready(values: Sequence[Brought]) -> None:
    """The ledger's months, which are made outside the transaction."""
    ensure_months([datetime.now(UTC), *(event.time for value in values for event in value.events)])


def write(actor: Actor, values: Sequence[Brought], run: Import) -> Written:
    """As ingest does: claim, price, append and charge. What is refused is told by line, not kept in quarantine."""
    source, made = Source.objects.get_or_create(slug=source_of(run), defaults={"name": f"Import: {source_of(run)}"})
    events = [(index, event) for index, value in enumerate(values) for event in value.events]
    items = [Item(number, b"", event) for number, (_, event) in enumerate(events)]
    intake = Intake(Sender(source.pk, source.slug, {}), items, is_import=True)
    pending = intake.check_all()
    rows = intake.write(raw_cursor(), pending) if pending else []
    if made:  # after the configuration lock that writing takes: the history's comes last, always
        record(actor, "created", source, None, {"slug": source.slug, "name": source.name})
    verdicts: dict[int, list[tuple[str, Refusal | None]]] = {}
    for number, verdict in intake.verdicts.items():
        verdicts.setdefault(events[number][0], []).append(verdict)
    errors = []
    skipped = 0
    for index, said in verdicts.items():
        refused = next(((status, refusal) for status, refusal in said if refusal is not None), None)
        if refused:
            status, refusal = refused
            assert refusal is not None
            sentence = DIFFERS if status == "conflict" else refusal.detail
            errors.append((index, LineError("" if status == "conflict" else refusal.field, sentence)))
        elif len(said) == len(values[index].events):
            skipped += 1
    return Written(
        good=len(values) - skipped - len(errors),
        skipped=skipped,
        made=[(BATCH, rows[0].row.batch_id)] if rows else [],
        errors=errors,
    )


def undo_size(run: Import) -> int:
    """How many calls it brought."""
    ensure_open_month()
    batches = run.objects_made.filter(object_type=BATCH).values_list("object_id", flat=True)
    return LedgerEntry.objects.filter(batch_id__in=list(batches), kind=LedgerEntry.Kind.CALL).count()


def undo_some(run: Import) -> int:
    """Take back the next calls; batches that are done are forgotten. What stays in them was sent as well."""
    while few := list(run.objects_made.filter(object_type=BATCH).order_by("object_id")[:20]):
        batches = [one.object_id for one in few]
        taken = withdraw(batches, CHUNK)
        while taken.more and not taken.calls:
            taken = withdraw(batches, CHUNK, taken.last)
        if not taken.more:
            run.options[SENT_TOO] = run.options.get(SENT_TOO, 0) + standing(batches)
            run.save(update_fields=["options"])
            run.objects_made.filter(pk__in=[one.pk for one in few]).delete()
        if taken.calls:
            return taken.calls
    return 0


def undo(actor: Actor, run: Import) -> str:
    """What there is to say when all is taken back."""
    stay = run.options.get(SENT_TOO, 0)
    if not stay:
        return ""
    calls = "1 call stays: its sender has sent it" if stay == 1 else f"{stay:,} calls stay: their sender has sent them"
    return f"{calls} as well since the import. Everything else that this import brought counts no more."


def recognise(header: Sequence[str]) -> Known | None:
    found = exports.recognise(header)
    if found is None:
        return None
    headings = {heading.casefold() for heading in header}
    names = [(heading, words) for heading, words in found.workflow_from if heading in headings]
    by = Option("workflow_from", "Which column names the workflow", "", (("", "None: see below"), *names), "")
    return Known(found.key, found.title, found.note, (*((by,) if names else ()), *found.options))


def text(name: str, label: str, *aliases: str, hint: str = "") -> Column:
    return Column(name, label, hint, aliases=aliases)


def number(name: str, label: str, *aliases: str, hint: str = "") -> Column:
    return Column(name, label, hint, aliases=aliases, type="number")


COLUMNS = (
    Column("time", "Time", "When the call ended, or its day.", required=True, type="time",
           aliases=("timestamp", "date", "day", "created_at", "datetime", "created", "end_time", "start_time")),
    Column("model", "Model", required=True, aliases=("model_name", "model_id", "model_version", "modelid")),
    text("id", "Id of the call", "event_id", "request_id", "call_id", "generation_id", "response_id", "uuid",
         hint="With an id a call is never taken twice. Without one its other columns tell."),
    text("provider", "Provider", "provider_name", "vendor", "llm_provider"),
    number("input_tokens", "Input tokens", "prompt_tokens", "tokens_prompt", "input", "total_input_tokens",
           hint="All of them, cached ones included."),
    number("cached_input_tokens", "Of them from cache", "cached_tokens", "cache_read_tokens", "tokens_cached",
           "cache_read_input_tokens"),
    number("cache_write_tokens", "Of them written to cache", "cache_creation_tokens", "cache_creation_input_tokens"),
    number("output_tokens", "Output tokens", "completion_tokens", "tokens_completion", "output", "generated_tokens",
           hint="All of them, reasoning included."),
    number("reasoning_tokens", "Of them reasoning", "tokens_reasoning"),
    number("cost_usd", "Stated cost, US dollars", "cost", "cost_total", "total_cost", "spend", "amount", "price_usd",
           hint="Kept beside our own price, never instead of it."),
    number("calls", "How many calls", "requests", "count", "num_requests", "request_count",
           hint="Above 1 the line sums that many calls and counts as one."),
    text("workflow", "Workflow", "workflow_slug", "job", "project", "feature", hint="Unknown ones are discovered."),
    text("team", "Team", "department", "business_unit"),
    text("run_id", "Run", "run", "execution_id"),
    number("step", "Step"),
    number("attempt", "Attempt", "retry"),
    text("stage", "Stage"),
    text("task_type", "Task type", "task"),
    text("environment", "Environment", "env"),
    text("operation", "Operation"),
    text("service_tier", "Service tier"),
    text("status", "Status"),
    number("latency_ms", "Latency, milliseconds", "duration_ms", "generation_time_ms", "latency"),
    text("user", "User", "user_id", "user_email", "email", "end_user"),
    text("application", "Application", "app", "app_name", "api_key_name"),
    text("customer", "Customer", "customer_id", "client", "account"),
    text("session", "Session", "session_id", "conversation_id"),
    text("campaign", "Campaign"),
    text("channel", "Channel"),
)  # fmt: skip
EXAMPLE = """\
time,workflow,run_id,provider,model,input_tokens,cached_input_tokens,output_tokens,user,cost_usd
2026-10-01 09:30:00,seo-briefs,brief-481,openai,gpt-4.1-mini,1200,800,350,ada,0.0009
2026-10-01 09:31:10,seo-briefs,brief-482,anthropic,claude-sonnet-4-5,5200,0,900,ada,
"""
ASKS = (
    Option(
        "workflow", "Workflow of lines that name none", "Its short name. Empty: they count as unassigned.", is_slug=True
    ),
    Option("source", "Count them under the source", "Empty: one that says where the file is from.", is_slug=True),
)


KIND = Kind(
    key="usage",
    title="Past usage",
    noun="line",
    about="Calls made before, from any CSV or from Claude Console, OpenRouter, Cursor or an AWS cost report.",
    columns=COLUMNS,
    read=read,
    prepare=prepare,
    judge=judge,
    tally=UsageTally,
    ready=ready,
    write=write,
    undo=undo,
    undo_some=undo_some,
    undo_size=undo_size,
    recognise=recognise,
    permission="usage.change_quarantineditem",
    example=EXAMPLE,
    asks=ASKS,
    chunk=1_000,
    most=2_000_000,
)
