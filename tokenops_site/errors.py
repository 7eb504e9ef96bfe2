"""Errors that no view answered: a problem document where programs ask, a page where people do."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.views import defaults

from budgets.access.problems import Problem, problem_response

API = "/api/v1/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400: a Host that is not ours, too many fields."""
    problem = Problem(400, "bad-request", "Bad request", "This request cannot be understood.")
    return _answer(request, problem, lambda: defaults.bad_request(request, exception))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """403."""
    problem = Problem(403, "forbidden", "Not allowed", "Your role does not allow this.")
    return _answer(request, problem, lambda: defaults.permission_denied(request, exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404."""
    problem = Problem(404, "not-found", "Not found", "There is nothing at this address.")
    return _answer(request, problem, lambda: defaults.page_not_found(request, exception))


def fault(request: HttpRequest) -> HttpResponseBase:
    """500: ours; the log says what happened."""
    problem = Problem(500, "fault", "The server had a problem", "Nothing was changed. Try again in a moment.")
    return _answer(request, problem, lambda: defaults.server_error(request))


def _answer(request: HttpRequest, problem: Problem, page: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    return problem_response(problem) if request.path_info.startswith(API) else page()
