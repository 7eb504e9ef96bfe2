"""The Celery application. Tasks live in each floor's `tasks.py`; what beat runs stands here, in one place."""

import contextlib
import os
from pathlib import Path

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")

TRANSPORT_ALIASES["filesystem"] = "tokenops_site.file_queue:Transport"
app = Celery("tokenops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # One second, because the broker may forget a message: this sweep is what nothing-lost relies on.
    "sweep": {"task": "routing.tasks.sweep", "schedule": 1.0, "options": {"expires": 2}},
    # A crossed budget is told at once; what else alert rules tell of is looked for here.
    "look-for-alerts": {"task": "routing.tasks.look_for_alerts", "schedule": 15.0, "options": {"expires": 15}},
    # Each minute, so that a runaway is seen soon; quarter hours and days are looked at when they are complete.
    "look-for-unusual": {"task": "reports.tasks.look_for_unusual", "schedule": 60.0, "options": {"expires": 60}},
    "deliver": {"task": "budgets.tasks.deliver", "schedule": 1.0, "options": {"expires": 2}},
    "keep-house": {"task": "usage.tasks.keep_house", "schedule": 3600.0, "options": {"expires": 3600}},
    "forget-gateways": {"task": "routing.tasks.keep_house", "schedule": 3600.0, "options": {"expires": 3600}},
    # Re-price previews and confirmed runs start at once; these go on with what a dead worker left.
    "preview-reprices": {"task": "usage.tasks.preview_reprices", "schedule": 20.0, "options": {"expires": 20}},
    "reprice": {"task": "usage.tasks.reprice", "schedule": 60.0, "options": {"expires": 60}},
    # Often, so that each night's turn comes soon after the organisation's midnight, wherever that is.
    "share-pools": {"task": "usage.tasks.share_pools", "schedule": 900.0, "options": {"expires": 900}},
    # Files are checked and imported at once; these go on with what a dead worker left.
    "check-imports": {"task": "usage.tasks.check_imports", "schedule": 10.0, "options": {"expires": 10}},
    "run-imports": {"task": "usage.tasks.run_imports", "schedule": 10.0, "options": {"expires": 10}},
    # Policies are tried on past calls at once; this goes on with what a dead worker left.
    "replay-policies": {"task": "routing.tasks.replay_policies", "schedule": 10.0, "options": {"expires": 10}},
    # Begun at once when somebody asks; this begins the night's own, and goes on with what a dead worker left.
    "work-out-savings": {"task": "reports.tasks.work_out_savings", "schedule": 20.0, "options": {"expires": 20}},
    "follow-audits": {"task": "reports.tasks.follow_audits", "schedule": 900.0, "options": {"expires": 900}},
    "verify-history": {"task": "budgets.tasks.verify_history", "schedule": 1800.0, "options": {"expires": 1800}},
    "tend-requests": {"task": "budgets.tasks.tend_requests", "schedule": 60.0, "options": {"expires": 60}},
    "send-refused-again": {"task": "usage.tasks.send_refused_again", "schedule": 5.0, "options": {"expires": 5}},
    "make-forecasts": {"task": "reports.tasks.make_forecasts", "schedule": 60.0, "options": {"expires": 60}},
    "send-reports": {"task": "reports.tasks.send_reports", "schedule": 300.0, "options": {"expires": 300}},
    "measure-models": {"task": "routing.tasks.measure", "schedule": 86400.0, "options": {"expires": 3600}},
    "check-prices": {"task": "usage.tasks.check_prices", "schedule": 86400.0, "options": {"expires": 3600}},
}


@app.on_after_configure.connect
def make_folders(sender: Celery, **_: object) -> None:
    """Beat ends at once where its schedule's folder is missing, as on a container's empty /tmp.

    The filesystem transport does not make its own folders either.
    """
    with contextlib.suppress(OSError):  # beat itself says so; other processes do not need it
        Path(sender.conf.beat_schedule_filename).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = sender.conf.broker_transport_options or {}
    for name in ("data_folder_in", "control_folder"):
        if name in options:
            Path(options[name]).mkdir(parents=True, exist_ok=True, mode=0o700)
