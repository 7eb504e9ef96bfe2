"""Pages and API of this floor."""

from django.urls import include, path

from routing.bundle.answer import BUNDLE_PATH, JWKS_PATH, NOTICES_PATH
from routing.bundle.views import NoticesView, PolicyBundleView, SigningKeysView
from routing.decision.api import DecideView
from routing.opa.serve import OPA_PATH
from routing.opa.views import OpaArchiveView
from routing.slack.views import actions
from routing.tiers.api import TiersView

urlpatterns = [
    path(BUNDLE_PATH.lstrip("/"), PolicyBundleView.as_view(), name="policy-bundle"),
    path(OPA_PATH.lstrip("/"), OpaArchiveView.as_view(), name="opa-archive"),
    path(NOTICES_PATH.lstrip("/"), NoticesView.as_view(), name="policy-bundle-notices"),
    path(JWKS_PATH.lstrip("/"), SigningKeysView.as_view(), name="jwks"),
    path("api/v1/decide", DecideView.as_view(), name="api-decide"),
    path("api/v1/tiers", TiersView.as_view(), name="tiers"),
    path("", include("routing.approvals.urls")),
    path("api/v1/", include("routing.approvals.api_urls")),
    path("slack/actions/", actions, name="slack-actions"),
    path("", include("routing.fleet.urls")),
    path("", include("routing.replay.urls")),
    path("api/v1/", include("routing.replay.api_urls")),
    path("", include("routing.snippets.urls")),
    path("api/v1/", include("routing.snippets.api_urls")),
    path("", include("routing.policy.urls")),
    path("api/v1/", include("routing.policy.api_urls")),
    path("", include("routing.alerts.urls")),
    path("api/v1/", include("routing.alerts.api_urls")),
]
