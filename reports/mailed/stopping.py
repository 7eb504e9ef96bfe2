"""Ending reports from the mail itself: a signed address that needs no sign-in and ends just this one.

RFC 8058: the mail names the address in List-Unsubscribe, and the reader's mail program posts to it. A GET only asks,
since mail scanners open links.
"""

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from budgets.audit.record import Actor
from reports.mailed.edit import stop
from reports.models import Subscription

SALT = "reports.mailed.stop"


def stop_path(subscription: Subscription) -> str:
    """The address that ends it."""
    return reverse("mailed-report-end", args=[signing.Signer(salt=SALT).sign(str(subscription.pk))])


# Whoever has the address may end the report, and nothing else; mail programs have no cookie to prove more with.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def end(request: HttpRequest, token: str) -> HttpResponseBase:
    """`/reports/end/<token>/`: asks whether to end the report; a POST ends it, again and again without harm."""
    try:
        pk = int(signing.Signer(salt=SALT).unsign(token))
        found = Subscription.objects.select_related("owner", "view").get(pk=pk)
    except (signing.BadSignature, ValueError, Subscription.DoesNotExist):
        raise Http404 from None
    if request.method == "POST":
        stop(Actor(found.owner, found.owner.get_username(), "mail"), found)
    return render(request, "mailed/end.html", {"subscription": found, "ended": found.stopped_at is not None})
