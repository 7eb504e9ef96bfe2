"""Where the pages of runs are. Browsers tidy away dots and empty parts of a path: such an id goes into the query."""

from urllib.parse import urlencode

from django.urls import reverse


def run_address(workflow: str, run_id: str) -> str:
    """The page of a run."""
    if _fits_a_path(run_id):
        return reverse("spend-run", args=[workflow, run_id])
    return f"{reverse('spend-run-by-id', args=[workflow])}?{urlencode({'id': run_id})}"


def csv_address(workflow: str, run_id: str) -> str:
    """Its file."""
    if _fits_a_path(run_id):
        return reverse("spend-run-csv", args=[workflow, run_id])
    return f"{reverse('spend-run-by-id-csv', args=[workflow])}?{urlencode({'id': run_id})}"


def _fits_a_path(run_id: str) -> bool:
    return all(part not in {"", ".", ".."} for part in run_id.split("/"))
