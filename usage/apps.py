from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = "Usage: what was spent"

    def ready(self) -> None:
        from budgets.leases.counted import tell_tokens_used
        from usage.ledger.leased import tokens_used
        from usage.wording import register_words

        register_words()
        tell_tokens_used(tokens_used)
