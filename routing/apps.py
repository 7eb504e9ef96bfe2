from django.apps import AppConfig
from django.db.models.signals import post_migrate


class RoutingConfig(AppConfig):
    name = "routing"
    verbose_name = "Routing: which model"

    def ready(self) -> None:
        from routing.tiers.first_rows import ensure_first_rows
        from routing.wording import register_words

        register_words()
        post_migrate.connect(ensure_first_rows, sender=self)
