from django.apps import AppConfig
from django.db.models.signals import post_migrate


class RoutingConfig(AppConfig):
    name = "routing"
    verbose_name = "Routing: which model"

    def ready(self) -> None:
        from budgets.approvals.tiers import tell_tiers
        from budgets.leases.counted import tell_daily_tokens
        from routing.policy.daily_tokens import daily_tokens
        from routing.snippets.reaching import register_reach
        from routing.tiers.first_rows import ensure_first_rows
        from routing.tiers.names import tier_names
        from routing.wording import register_words

        register_words()
        register_reach()
        tell_tiers(tier_names)
        tell_daily_tokens(daily_tokens)
        post_migrate.connect(ensure_first_rows, sender=self)
