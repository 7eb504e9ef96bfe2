"""Pages and API of this floor."""

from django.urls import path

from routing.bundle.answer import BUNDLE_PATH, JWKS_PATH
from routing.bundle.views import PolicyBundleView, SigningKeysView
from routing.tiers.api import TiersView

urlpatterns = [
    path(BUNDLE_PATH.lstrip("/"), PolicyBundleView.as_view(), name="policy-bundle"),
    path(JWKS_PATH.lstrip("/"), SigningKeysView.as_view(), name="jwks"),
    path("api/v1/tiers", TiersView.as_view(), name="tiers"),
]
