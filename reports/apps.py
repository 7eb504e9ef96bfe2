from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "reports"
    verbose_name = "Reports: what it means"

    def ready(self) -> None:
        from budgets.delivery.withheld import withhold
        from reports.mailed.letter import KIND
        from reports.mailed.sending import why_not_sent
        from reports.savings.wording import register_savings
        from reports.unusual.starting import register_unusual
        from reports.views.wording import register_views

        register_savings()
        register_unusual()
        register_views()
        withhold(KIND, why_not_sent)
