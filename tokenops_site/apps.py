from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "tokenops_site"
    verbose_name = "TokenOps"
