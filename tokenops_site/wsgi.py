"""What granian serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")

django_application = get_wsgi_application()

from routing.bundle.front import BundleFront  # noqa: E402  (needs the settings that the line above loads)

application = BundleFront(django_application)
