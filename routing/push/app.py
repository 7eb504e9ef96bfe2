"""What granian serves on PUSH_PORT: `granian --interface asgi routing.push.app:app`, with one worker.

Django's settings and models are set up, none of its views, middleware or addresses.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")
django.setup()

from routing.push.application import PushApplication  # noqa: E402  (models can be imported only after setup)

app = PushApplication()
