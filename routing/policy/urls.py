"""Addresses of the policy's pages."""

from django.urls import path

from routing.policy import draft_views, rule_views, tier_views, try_views, views

DRAFT = "routing/drafts/<int:pk>/"
RULE = f"{DRAFT}rule/<slug:rule>/"

urlpatterns = [
    path("routing/", views.live, name="policy"),
    path("routing/try/", try_views.page, name="policy-try"),
    path("routing/versions/<int:number>/", views.version, name="policy-version"),
    path("routing/versions/<int:number>/roll-back/", views.roll_back, name="policy-roll-back"),
    path("routing/drafts/", draft_views.begin, name="policy-begin"),
    path(DRAFT, draft_views.draft, name="policy-draft"),
    path(f"{DRAFT}name/", draft_views.words, name="policy-draft-name"),
    path(f"{DRAFT}compare/", draft_views.compare, name="policy-draft-compare"),
    path(f"{DRAFT}publish/", draft_views.publish, name="policy-draft-publish"),
    path(f"{DRAFT}discard/", draft_views.discard, name="policy-draft-discard"),
    path(f"{DRAFT}restore/", draft_views.restore, name="policy-draft-restore"),
    path(f"{DRAFT}undo/", draft_views.undo, name="policy-draft-undo"),
    path(f"{DRAFT}tiers/new/", tier_views.new, name="policy-tier-new"),
    path(f"{DRAFT}tiers/<int:number>/", tier_views.change, name="policy-tier"),
    path(f"{DRAFT}tiers/<int:number>/remove/", tier_views.remove, name="policy-tier-remove"),
    path(f"{DRAFT}rules/new/", rule_views.new, name="policy-rule-new"),
    path(f"{DRAFT}rules/check/", rule_views.check, name="policy-rule-check"),
    path(RULE, rule_views.change, name="policy-rule"),
    path(f"{RULE}move/", rule_views.move, name="policy-rule-move"),
    path(f"{RULE}duplicate/", rule_views.duplicate, name="policy-rule-duplicate"),
    path(f"{RULE}remove/", rule_views.remove, name="policy-rule-remove"),
    path(f"{DRAFT}default/", rule_views.default, name="policy-default"),
    path(f"{DRAFT}default/check/", rule_views.default_check, name="policy-default-check"),
    path("export/policy-tiers.csv", views.tiers_csv, name="policy-tiers-csv"),
    path("export/policy-rules.csv", views.rules_csv, name="policy-rules-csv"),
    path("export/policy-versions.csv", views.versions_csv, name="policy-versions-csv"),
    path("export/policy-differences.csv", views.differences_csv, name="policy-differences-csv"),
]
