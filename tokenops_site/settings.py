"""Django settings. Each value that an operator may change is one environment variable, read through `env`."""

from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from tokenops_site import env
from tokenops_site.company_sign_in import read_company_sign_in

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("TOKENOPS_DATA_DIR", str(BASE_DIR / "var"))).absolute()

DEBUG = env.flag("TOKENOPS_DEBUG")
SECRET_KEY = env.text("SECRET_KEY")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. `manage.py serve` makes one and keeps it in TOKENOPS_DATA_DIR; a server needs its own."
    )
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
BEHIND_TLS = env.flag("BEHIND_TLS")
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = env.number("HSTS_SECONDS", 31_536_000)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "template_partials",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "tokenops_site",
    "budgets",
    "usage",
    "routing",
    "reports",
]
MIDDLEWARE = [
    "tokenops_site.health.HealthFirst",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "budgets.people.second_factor.SecondFactorAsked",
    "budgets.currency.middleware.ShownCurrency",
]
ROOT_URLCONF = "tokenops_site.urls"
WSGI_APPLICATION = "tokenops_site.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASE_URL = env.text("DATABASE_URL")
if not DATABASE_URL:
    raise ImproperlyConfigured("DATABASE_URL is not set. `manage.py serve` starts a PostgreSQL of its own and sets it.")
if not DATABASE_URL.startswith(("postgres://", "postgresql://")):
    raise ImproperlyConfigured("DATABASE_URL must be a postgresql:// address: TokenOps runs on PostgreSQL only.")
# Who owns the history; only `prepare`, `protect_history`, `backup` and `restore` connect as that role. Empty: triggers.
DATABASE_OWNER_URL = env.text("DATABASE_OWNER_URL")
if DATABASE_OWNER_URL and not DATABASE_OWNER_URL.startswith(("postgres://", "postgresql://")):
    raise ImproperlyConfigured("DATABASE_OWNER_URL must be a postgresql:// address, on the server of DATABASE_URL.")
DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=None, conn_health_checks=True)}
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
# Compiling a statement takes a second where running it takes milliseconds, and all of ours are of the second kind.
DATABASES["default"]["OPTIONS"].setdefault("options", "-c jit=off")
if env.text("TOKENOPS_TEST_DATABASE"):
    DATABASES["default"]["TEST"] = {"NAME": env.text("TOKENOPS_TEST_DATABASE")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Counting tries -----------------------------------------------------------------------------
# Shared by all web processes, since limits on wrong passwords and codes are kept in it. In the database, unless
# CACHE_URL names a Redis: then nobody signs in while that Redis is down.
CACHE_URL = env.text("CACHE_URL")
if CACHE_URL and not CACHE_URL.startswith(("redis://", "rediss://")):
    raise ImproperlyConfigured("CACHE_URL must be a redis:// or rediss:// address; leave it empty for the database.")
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache"
        if CACHE_URL
        else "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": CACHE_URL or "tokenops_cache",
        "KEY_PREFIX": env.text("CELERY_QUEUE", "tokenops"),
        **({} if CACHE_URL else {"OPTIONS": {"MAX_ENTRIES": 200_000}}),
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"
PASSWORD_RESET_TIMEOUT = 3600  # seconds that the link to a new password is good for

# --- Sign-in (django-allauth; what is our own of it is in budgets/people) ------------------------
DEMO = env.flag("TOKENOPS_DEMO")
AUTHENTICATION_BACKENDS = ["budgets.access.roles.RoleBackend"]  # django-allauth's, with what each role may do
# Who must have a second factor. Beside TLS this is a server that others reach; without, somebody's own machine.
SECOND_FACTOR = env.text("SECOND_FACTOR", "", ("", "off", "privileged", "all")) or (
    "privileged" if BEHIND_TLS and not DEMO else "off"
)
# How many proxies stand before us and add to X-Forwarded-For; tries to sign in are counted by the address before them.
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", 0, 0, 10)
COMPANY_SIGN_IN = read_company_sign_in()
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = COMPANY_SIGN_IN.as_providers() if COMPANY_SIGN_IN else {}
SOCIALACCOUNT_ADAPTER = "budgets.people.company.CompanyAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
ACCOUNT_ADAPTER = "budgets.people.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_USER_DISPLAY = "budgets.people.names.shown_name"
# Wrong passwords: eight for one account from one address in a quarter of an hour; wrong codes: eight for one account.
ACCOUNT_RATE_LIMITS = {"login": "120/m/ip", "login_failed": "8/15m/key", "reset_password": "20/m/ip,5/15m/key"}
_FORMS = "budgets.people.sign_in_forms"
ACCOUNT_FORMS = {
    "login": f"{_FORMS}.SignInForm",
    "change_password": f"{_FORMS}.ChangePasswordForm",
    "set_password": f"{_FORMS}.SetPasswordForm",
    "reset_password": f"{_FORMS}.ResetPasswordForm",
    "reset_password_from_key": f"{_FORMS}.ResetPasswordKeyForm",
    "add_email": f"{_FORMS}.AddEmailForm",
    "reauthenticate": f"{_FORMS}.ReauthenticateForm",
}
MFA_FORMS = {
    "authenticate": f"{_FORMS}.CodeForm",
    "reauthenticate": f"{_FORMS}.ConfirmByCodeForm",
    "activate_totp": f"{_FORMS}.ActivateTOTPForm",
    "add_webauthn": f"{_FORMS}.AddPasskeyForm",
    "edit_webauthn": f"{_FORMS}.RenamePasskeyForm",
}
MFA_ADAPTER = "budgets.people.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "TokenOps"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # nobody signs up by themselves here
MFA_RATE_LIMITS = {"webauthn_login": "60/m/ip"}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"  # inside; the organisation's own zone decides where a day begins
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# Compressed already, or (source maps) read by nobody: compressing those would double the time of a first start.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("jpg", "jpeg", "png", "gif", "webp", "zip", "gz", "br", "woff", "woff2", "map")

# ui.md section 3. Django admin and the API page work under the same policy.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        # Browsers hold a form's redirects against this too: the company's sign-in page is one.
        "form-action": [SELF, *(COMPANY_SIGN_IN.origins if COMPANY_SIGN_IN else ())],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- Celery -------------------------------------------------------------------------------------
# The broker is a hint, the database is the truth: results are not kept and a lost message costs one sweep.
BROKER_URL = env.text("BROKER_URL", "filesystem://")
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"
# A name of its own for each installation on a shared broker: the demo's worker must not take production's tasks.
CELERY_TASK_DEFAULT_QUEUE = env.text("CELERY_QUEUE", "tokenops-demo" if env.flag("TOKENOPS_DEMO") else "tokenops")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
HINT_TASKS = ["routing.tasks.settle", "usage.tasks.fold", "budgets.tasks.deliver"]  # sent after each ingest transaction
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
if BROKER_URL.startswith("filesystem://"):
    _QUEUE = DATA_DIR / "queue"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_QUEUE / "messages"),
        "data_folder_out": str(_QUEUE / "messages"),
        "control_folder": str(_QUEUE / "control"),
        "polling_interval": 0.1,
    }

# --- Web, push ----------------------------------------------------------------------------------
PORT = env.number("PORT", 8000, 1, 65535)
PUSH_PORT = env.number("PUSH_PORT", PORT + 1, 1, 65535)
# Where clients that wait for a new bundle are sent. Empty: the host they came to, on PUSH_PORT.
PUSH_URL = env.text("PUSH_URL")

# Where people open the pages: messages link there.
SITE_URL = env.text("SITE_URL", f"http://localhost:{PORT}").rstrip("/")
if not SITE_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured(f"SITE_URL={SITE_URL!r}: write a whole address, such as https://tokenops.example.com.")

# --- Messages -----------------------------------------------------------------------------------
# Without EMAIL_HOST no e-mail leaves; what should have is kept and shown for a day.
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_PORT = env.number("EMAIL_PORT", 587, 1, 65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_SECURITY = env.text("EMAIL_SECURITY", "starttls", ("starttls", "tls", "none"))
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL_SECURITY == "starttls", EMAIL_SECURITY == "tls"
EMAIL_TIMEOUT = 15  # seconds
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", "TokenOps <tokenops@localhost>")
# Let webhooks reach private addresses and plain http: only where everybody who may set one up is trusted with that.
DELIVERY_ALLOW_PRIVATE = env.flag("DELIVERY_ALLOW_PRIVATE")
SLACK_BOT_TOKEN = env.text("SLACK_BOT_TOKEN")
SLACK_SIGNING_SECRET = env.text("SLACK_SIGNING_SECRET")
SLACK_API_URL = env.text("SLACK_API_URL", "https://slack.com/api/")

# A folding lag above this makes /readyz answer 503.
READY_MAX_LAG_SECONDS = env.number("READY_MAX_LAG_SECONDS", 300, 1)

# --- Ingest -------------------------------------------------------------------------------------
INGEST_MAX_BYTES = env.number("INGEST_MAX_BYTES", 8 * 2**20, 1024)  # after gunzip
INGEST_MAX_EVENTS = env.number("INGEST_MAX_EVENTS", 5_000, 1)
INGEST_MAX_BACKLOG = env.number("INGEST_MAX_BACKLOG", 500_000, 1)  # events not folded yet, above which senders wait
INGEST_MAX_DISCOVERED = env.number("INGEST_MAX_DISCOVERED", 5_000)  # workflows made from unknown slugs
LEDGER_RETENTION_DAYS = env.number("LEDGER_RETENTION_DAYS", 800, 62, 36_500)
DATA_UPLOAD_MAX_MEMORY_SIZE = INGEST_MAX_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

# --- Imports ------------------------------------------------------------------------------------
IMPORT_MAX_BYTES = env.number("IMPORT_MAX_BYTES", 50 * 2**20, 1024)  # of one uploaded file
FILE_UPLOAD_HANDLERS = [
    "usage.imports.upload.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# --- Prices -------------------------------------------------------------------------------------
# Read the price data that genai-prices publishes (a request to raw.githubusercontent.com) instead of the installed.
PRICE_UPDATES_ONLINE = env.flag("PRICE_UPDATES_ONLINE")

# --- Bundle -------------------------------------------------------------------------------------
BUNDLE_FRESH_SECONDS = env.number("BUNDLE_FRESH_SECONDS", 300, 10)
BUNDLE_AUDIENCE = env.text("BUNDLE_AUDIENCE", "tokenops")
# What a client does once its bundle's freshness has ended and no newer one can be had.
BUNDLE_FAIL_MODE = env.text("BUNDLE_FAIL_MODE", "last_known_good", ("last_known_good", "allow", "block"))
BUNDLE_KEY_OVERLAP_DAYS = env.number("BUNDLE_KEY_OVERLAP_DAYS", 30, 1)  # how long a retired signing key is served
PUSH_MAX_WAITING = env.number("PUSH_MAX_WAITING", 5_000, 1)  # clients held in long polls by one push process

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "budgets.access.drf.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["budgets.access.drf.Scoped"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["budgets.access.json_body.SafeJson"],
    "DEFAULT_PAGINATION_CLASS": "budgets.access.pages.BoundedPages",
    "PAGE_SIZE": 100,
    "EXCEPTION_HANDLER": "budgets.access.problems.handle",
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "TokenOps",
    "DESCRIPTION": "Send usage, read prices and budgets, pull the signed policy bundle.",
    "VERSION": "0.1.0",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # Fields of one name with other choices elsewhere; without a name here they get one that changes with each new such.
    "ENUM_NAME_OVERRIDES": {
        "ActivityKindEnum": "budgets.models.PlannedActivity.Kind",
        "ApiKeyStateEnum": "budgets.models.ApiKey.State",
        "CostKindEnum": "usage.models.OtherCost.Kind",
        "LeaseStateEnum": ["running", "expired", "released"],
        "MetricEnum": "budgets.models.Budget.Metric",  # of leases, too
        "PolicyStateEnum": "routing.models.PolicyVersion.State",
        "PreviewStateEnum": "routing.models.PolicyReplay.State",
        "SnippetKindEnum": "routing.models.Snippet.Kind",
        "WorkflowStatusEnum": "budgets.models.Workflow.Status",
    },
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    # The filesystem broker has no host, and Kombu would say so at each connection.
    "loggers": {"kombu.connection": {"level": "ERROR"}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
}
