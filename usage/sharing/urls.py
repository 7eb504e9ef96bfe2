"""Pages and API of pools."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from usage.sharing import api, changes, views

urlpatterns = [
    path("pools/", views.pool_list, name="pools"),
    path("pools/new/", changes.new, name="pool-new"),
    path("pools/<short_name:slug>/", views.pool, name="pool"),
    path("pools/<short_name:slug>/sharing/", changes.sharing, name="pool-sharing"),
    path("pools/<short_name:slug>/stop/", changes.stop, name="pool-stop"),
    path("pools/<short_name:slug>/add/", changes.join, name="pool-add"),
    path("pools/<short_name:slug>/remove/<short_name:child>/", changes.leave, name="pool-remove"),
    path("pools/<short_name:slug>/shares/", changes.shares, name="pool-shares"),
    path("pools/<short_name:slug>/share-out/", changes.preview, name="pool-share-out"),
    path("pools/<short_name:slug>/undo/<int:entry>/", changes.undo, name="pool-undo"),
    path("export/pools.csv", views.pools_csv, name="pools-csv"),
    path("export/pools/<short_name:slug>.csv", views.pool_csv, name="pool-csv"),
    path("export/pools/<short_name:slug>/share-out.csv", views.share_out_csv, name="pool-share-out-csv"),
    path("api/v1/pools", api.PoolListView.as_view(), name="api-pools"),
    path("api/v1/pools/<short_name:slug>", api.PoolView.as_view(), name="api-pool"),
    path("api/v1/pools/<short_name:slug>/budgets", api.MembersView.as_view(), name="api-pool-budgets"),
    path("api/v1/pools/<short_name:slug>/budgets/<short_name:child>", api.MemberView.as_view(), name="api-pool-budget"),
    path("api/v1/pools/<short_name:slug>/preview", api.PreviewView.as_view(), name="api-pool-preview"),
    path("api/v1/pools/<short_name:slug>/apply", api.ApplyView.as_view(), name="api-pool-apply"),
]
