"""Pages and API of the annual plan."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from usage.planning import api, views

urlpatterns = [
    path("plan/", views.plan, name="plan"),
    path("plan/budgets/", views.budgets, name="plan-budgets"),
    path("plan/undo/<slug:together>/", views.undo, name="plan-undo"),
    path("plan/<int:year>/teams/<short_name:slug>/", views.edit_row, name="plan-row"),
    path("plan/<int:year>/no-team/", views.edit_row, name="plan-row-none"),
    path("plan/<int:year>/copy/", views.copy_year, name="plan-copy"),
    path("export/plan.csv", views.plan_csv, name="plan-csv"),
    path("api/v1/plan", api.PlanView.as_view(), name="api-plan"),
]
