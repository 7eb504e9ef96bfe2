"""Every address of the site. Pages and API routes are declared on the floor that owns them."""

from django.contrib import admin
from django.urls import include, path

from tokenops_site.health import healthz, readyz

handler400 = "tokenops_site.errors.bad_request"
handler403 = "tokenops_site.errors.forbidden"
handler404 = "tokenops_site.errors.not_found"
handler429 = "budgets.people.signing_in.too_many"  # django-allauth's
handler500 = "tokenops_site.errors.fault"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("", include("reports.urls")),
    path("", include("routing.urls")),
    path("", include("usage.urls")),
    path("", include("budgets.urls")),
    path("admin/", admin.site.urls),
]
