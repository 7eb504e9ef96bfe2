from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BudgetsConfig(AppConfig):
    name = "budgets"
    verbose_name = "Budgets: what may be spent"

    def ready(self) -> None:
        from budgets.organisation.first_rows import ensure_first_rows

        post_migrate.connect(ensure_first_rows, sender=self)
