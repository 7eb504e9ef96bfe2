from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage"
    verbose_name = "Usage: what was spent"

    def ready(self) -> None:
        from usage.wording import register_words

        register_words()
