"""The comparison for benchmarks/bundle.py: the same 304 from a view inside Django, behind its middleware."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")
application = get_wsgi_application()

from django.conf import settings  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from routing.bundle.answer import Answer, answer_bundle  # noqa: E402
from routing.bundle.entry import admit  # noqa: E402
from routing.bundle.memory import memory  # noqa: E402


def bundle(request: HttpRequest) -> HttpResponse:
    """As the front answers, from the same memory."""
    holder = admit(request.headers.get("authorization"))
    if isinstance(holder, Answer):
        return HttpResponse(holder.body, status=holder.status)
    answer = answer_bundle(memory().served, request.headers.get("if-none-match"), "")
    return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))


urlpatterns = [path("api/v1/policy-bundle", bundle)]
settings.ROOT_URLCONF = "benchmarks.django_304"
