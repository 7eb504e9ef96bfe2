"""Pages show money in the organisation's currency; the API speaks US dollars."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from budgets.currency.shown import DOLLARS, organisations, show

PROGRAMS = ("/api/", "/admin/")


class ShownCurrency:
    """Set for each request anew and not taken back at its end, since a streamed CSV is made after that."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        show(DOLLARS if request.path_info.startswith(PROGRAMS) else organisations)
        return self.get_response(request)
