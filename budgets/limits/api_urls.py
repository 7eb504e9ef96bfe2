"""Addresses under /api/v1/."""

from django.urls import path, register_converter

from budgets.limits import api, api_bulk


class ShortName:
    """What a slug may be, so that no address ever asks the database for anything else (NUL, say)."""

    regex = "[a-z0-9._-]{1,128}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ShortName, "short_name")

urlpatterns = [
    path("budgets", api.BudgetListView.as_view(), name="api-budgets"),
    path("budgets/bulk", api_bulk.BulkView.as_view(), name="api-budgets-bulk"),
    path("budgets/bulk/undo", api_bulk.BulkUndoView.as_view(), name="api-budgets-bulk-undo"),
    path("budgets/<short_name:slug>", api.BudgetView.as_view(), name="api-budget"),
    path("budgets/<short_name:slug>/pause", api.PauseView.as_view(), name="api-budget-pause"),
    path("budgets/<short_name:slug>/resume", api.ResumeView.as_view(), name="api-budget-resume"),
    path("budgets/<short_name:slug>/archive", api.ArchiveView.as_view(), name="api-budget-archive"),
    path("budgets/<short_name:slug>/restore", api.RestoreView.as_view(), name="api-budget-restore"),
    path("budgets/<short_name:slug>/undo", api.UndoView.as_view(), name="api-budget-undo"),
]
