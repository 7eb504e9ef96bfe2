"""Pages of this floor."""

from django.urls import include, path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from reports.breakdown import views as breakdown
from reports.overview import views
from reports.reference.schema import SchemaView
from reports.reference.schemas import schema_document, schema_list
from reports.reference.views import reference
from reports.suggestion import offers
from reports.suggestion import views as typing

urlpatterns = [
    path("", views.overview, name="overview"),
    path("overview/answers/", views.card, name="overview-answers"),
    path("overview/live/", views.live, name="overview-live"),
    path("budget-meaning/", typing.meaning, name="budget-meaning"),
    path("budget-suggestion/", typing.suggestion, name="budget-suggestion"),
    path("budget-offers/", offers.offers, name="budget-offers"),
    path("budgets/<short_name:slug>/models/", breakdown.budget_models, name="budget-models"),
    path("budgets/<short_name:slug>/models/card/", breakdown.budget_models_card, name="budget-models-card"),
    path("export/budgets/<short_name:slug>/models.csv", breakdown.budget_models_csv, name="budget-models-csv"),
    path("series/spend-by-model.json", views.series, name="spend-series"),
    path("export/spend-by-model.csv", views.spend_csv, name="spend-csv"),
    path("", include("reports.spend.urls")),
    path("", include("reports.views.urls")),
    path("", include("reports.why.urls")),
    path("", include("reports.chargeback.urls")),
    path("", include("reports.focus.urls")),
    path("", include("reports.mailed.urls")),
    path("", include("reports.outlook.urls")),
    path("", include("reports.figures.urls")),
    path("", include("reports.unusual.urls")),
    path("", include("reports.savings.urls")),
    path("", include("reports.workflow_audit.urls")),
    path("api/schema/", SchemaView.as_view(), name="api-schema"),
    path("schemas/", schema_list, name="schema-list"),
    path("schemas/<slug:name>.json", schema_document, name="schema-document"),
    path("api/", reference, name="api-reference"),
]
