"""A calendar file in the browser: uploaded, shown what it would do, confirmed, undone."""

import zlib
from base64 import b64decode, b64encode
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.activities import importing
from budgets.activities.edit import RefusedActivity
from budgets.activities.forms import CalendarFileForm
from budgets.activities.reading import MOST_BYTES, BadCalendar, Found, read_calendar
from budgets.activities.recurrence import in_words, read
from budgets.activities.values import ActivityValues
from budgets.activities.views import CHANGE
from budgets.audit.record import Actor
from budgets.models import Organisation
from budgets.pages.answers import tell, tell_problem
from budgets.pages.door import changes
from budgets.pages.moments import clock, day_year, moment, place

SHOWN = 100
may_import = changes(CHANGE, "planned activity")  # of all teams: it compares with the whole calendar
FIELD_WORDS = {
    "name": "name", "starts_at": "start", "ends_at": "end", "is_all_day": "all day", "recurrence": "how it repeats",
    "skipped_days": "days left out",
}  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_import
def bring(request: HttpRequest) -> HttpResponseBase:
    """`/calendar/import/`: the file comes as an upload first, and with the confirmation as it was shown."""
    organisation = Organisation.get()
    if request.method != "POST":
        return _page(request, CalendarFileForm(initial={"expects": "more"}), organisation)
    kept = _kept(request)
    form = CalendarFileForm(request.POST, request.FILES)
    form.fields["file"].required = kept is None  # the confirmation carries it
    if not form.is_valid():
        return _page(request, form, organisation, status=422)
    upload = request.FILES.get("file")
    name = request.POST.get("file_name", "")[:200] if kept is not None else str(getattr(upload, "name", ""))[:200]
    try:
        content = kept if kept is not None else _content(upload)
        found = read_calendar(content, organisation.zone, form.defaults(timezone.now()))
    except BadCalendar as error:
        form.add_error("file", str(error))
        return _page(request, form, organisation, status=422)
    wanted = importing.plan(found)
    if kept is not None and request.POST.get("mark") == wanted.mark and wanted.does_something:
        return _carry_out(request, wanted, name)
    note = "The calendar changed since you looked. Look again before you confirm." if kept is not None else ""
    preview = _preview(wanted, organisation.zone) | {
        "file_name": name,
        "content": b64encode(zlib.compress(content)).decode(),
        "note": note,
    }
    return _page(request, form, organisation, preview, status=409 if note else 200)


def _carry_out(request: HttpRequest, wanted: importing.Plan, name: str) -> HttpResponseBase:
    try:
        token = importing.carry_out(Actor.of_request(request), wanted, name)
    except (importing.InvalidActivity, RefusedActivity) as error:
        tell_problem(request, f"Nothing was imported. {error}")
        return redirect("calendar-import")
    done = ", ".join(
        f"{count} {words}"
        for count, words in ((len(wanted.new), "new"), (len(wanted.changed), "changed"), (len(wanted.gone), "removed"))
        if count
    )
    tell(request, f"Imported: {done}.", reverse("calendar-import-undo", args=[token]))
    return redirect("calendar")


@require_POST
@may_import
def undo(request: HttpRequest, token: str) -> HttpResponseBase:
    """Take an import back."""
    done, kept = importing.undo_import(Actor.of_request(request), token)
    if not done and not kept:
        raise Http404
    if not done:
        tell_problem(request, "Nothing was undone: all of it was changed or undone since.")
    else:
        rest = f" {kept} had been changed since and stay{'s' if kept == 1 else ''}." if kept else ""
        tell(request, f"The import is undone: {done} as before.{rest}")
    return redirect("calendar")


def _content(upload: Any) -> bytes:
    if upload.size > MOST_BYTES:
        raise BadCalendar("The file is larger than one megabyte. Export a shorter time from your calendar.")
    content: bytes = upload.read(MOST_BYTES + 1)
    return content


def _kept(request: HttpRequest) -> bytes | None:
    """The file as the preview carried it; never more than a file may have, whatever was sent."""
    text = request.POST.get("content", "")
    if not text:
        return None
    try:
        unpacked = zlib.decompressobj().decompress(b64decode(text.encode(), validate=True), MOST_BYTES + 1)
    except (ValueError, zlib.error):
        return b"junk"  # reads as what it is: no calendar file
    return unpacked


def _preview(wanted: importing.Plan, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "plan": wanted,
        "new": [_line(one, zone) for one in wanted.new[:SHOWN]],
        "changed": [
            {"name": one.row.name, "fields": ", ".join(FIELD_WORDS[name] for name in one.fields)}
            for one in wanted.changed[:SHOWN]
        ],
        "gone": wanted.gone[:SHOWN],
        "unreadable": wanted.unreadable[:SHOWN],
        "shown": SHOWN,
    }


def _line(one: Found, zone: ZoneInfo) -> dict[str, Any]:
    values = one.values
    assert values is not None  # a new one has values
    return {"name": values.name, "when": _when(values, zone), "note": one.note}


def _when(values: ActivityValues, zone: ZoneInfo) -> str:
    starts = values.starts_at.astimezone(zone)
    at = day_year(starts.date()) if values.is_all_day else f"{day_year(starts.date())}, {clock(starts)}"
    repeats = in_words(read(values.recurrence)) if values.recurrence else ""
    return f"{at}, {repeats[0].lower()}{repeats[1:]}" if repeats else at


def _page(
    request: HttpRequest,
    form: CalendarFileForm,
    organisation: Organisation,
    preview: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    now = organisation.local(timezone.now())
    past = [(one, moment(organisation.local(one.at), now)) for one in importing.recent()] if not preview else []
    context = {"here": "calendar", "form": form, "preview": preview, "past": past}
    return render(
        request, "calendar/import.html", context | {"zone_words": place(organisation.time_zone)}, status=status
    )
