"""Addresses of workflows and teams."""

from django.urls import path, register_converter

from budgets.limits import api_urls
from usage.workflows import changes, teams, views

PAGES = {"new", "unassigned", "assign"}  # have these addresses themselves


class WorkflowName(api_urls.ShortName):
    """A workflow's short name that is no page's: a sender may call a workflow "new"; it is found under `-/new/`."""

    def to_url(self, value: str) -> str:
        if value in PAGES:
            raise ValueError(value)
        return value


register_converter(WorkflowName, "workflow_name")
ONE = "workflows/<short_name:slug>"

urlpatterns = [
    path("workflows/", views.workflow_list, name="workflows"),
    path("workflows/new/", changes.new, name="workflow-new"),
    path("workflows/unassigned/", views.unassigned, name="workflows-unassigned"),
    path("workflows/assign/", changes.assign, name="workflows-assign"),
    # The last of one name is what addresses are made by, as long as it takes the slug.
    path("workflows/-/<short_name:slug>/", views.workflow, name="workflow"),
    path("workflows/<workflow_name:slug>/", views.workflow, name="workflow"),
    path(f"{ONE}/edit/", changes.change, name="workflow-edit"),
    path(f"{ONE}/claim/", changes.claim, name="workflow-claim"),
    path(f"{ONE}/ignore/", changes.ignore, name="workflow-ignore"),
    path(f"{ONE}/take-back/", changes.unignore, name="workflow-take-back"),
    path(f"{ONE}/merge/", changes.merge, name="workflow-merge"),
    path(f"{ONE}/unmerge/", changes.unmerge, name="workflow-unmerge"),
    path(f"{ONE}/pause/", changes.pause, name="workflow-pause"),
    path(f"{ONE}/resume/", changes.resume, name="workflow-resume"),
    path(f"{ONE}/production/", changes.produce, name="workflow-production"),
    path(f"{ONE}/draft/", changes.back_to_draft, name="workflow-draft"),
    path(f"{ONE}/undo/<int:entry>/", changes.undo, name="workflow-undo"),
    path("export/workflows.csv", views.workflows_csv, name="workflows-csv"),
    path("export/workflows/<short_name:slug>.csv", views.workflow_csv, name="workflow-csv"),
    path("series/workflows/<short_name:slug>.json", views.workflow_series, name="workflow-series"),
    path("settings/teams/", teams.team_list, name="teams"),
    path("settings/teams/new/", teams.new, name="team-new"),
    path("settings/teams/undo/<int:entry>/", teams.undo, name="team-undo"),
    path("settings/teams/-/<short_name:slug>/", teams.change, name="team"),
    path("settings/teams/-/<short_name:slug>/delete/", teams.delete, name="team-delete"),
    path("export/teams.csv", teams.teams_csv, name="teams-csv"),
]
