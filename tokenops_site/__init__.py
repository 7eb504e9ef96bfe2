"""Settings, URLs, Celery, the supervisor: nothing of the domain."""

from tokenops_site.celery import app as celery_app

__all__ = ["celery_app"]
