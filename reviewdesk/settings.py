"""Django's settings, made from the environment (see `reviewdesk/environment.py`)."""

import sys
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo

from reviewdesk.embedded.paths import database_parameters_of, secret_key_of
from reviewdesk.environment import BadEnvironmentError, database_parameters, read_environment
from reviewdesk.logs import is_no_probe

try:
    ENVIRONMENT = read_environment()
except BadEnvironmentError as error:
    sys.exit(f"reviewdesk cannot start: {error}")

BASE_DIR = Path(__file__).resolve().parent.parent
DEBUG = False
SECRET_KEY = secret_key_of(ENVIRONMENT)
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ROOT_URLCONF = "reviewdesk.urls"
WSGI_APPLICATION = "reviewdesk.wsgi.application"
AUTH_USER_MODEL = "people.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "pgtrigger",
    "pghistory",
    "traces",
    "agents",
    "reviewdesk.people",
    "reviewdesk",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "reviewdesk.people.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "reviewdesk.people.middleware.NoStoreMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "reviewdesk.people.middleware.SignInRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "reviewdesk.screens.shell.shell",
            ],
        },
    }
]

_parameters = (
    database_parameters_of(ENVIRONMENT)
    if ENVIRONMENT.is_embedded
    else database_parameters(ENVIRONMENT.database_url)
)
_names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        **{_names[key]: value for key, value in _parameters.items() if key in _names},
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **{key: value for key, value in _parameters.items() if key not in _names},
            "pool": {"min_size": 1, "max_size": 40, "timeout": 20},
        },
    }
}

PGHISTORY_APPEND_ONLY = True
PGHISTORY_DEFAULT_TRACKERS = None

# Celery: messages are hints, rows are the truth; no results, no redelivery, no timers.
CELERY_BROKER_URL = ENVIRONMENT.broker_url or "pgmq://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {}
    if ENVIRONMENT.broker_url
    else {
        "conn_string": make_conninfo(**_parameters),
        "init_extension": False,
        "wait_time_seconds": 0,
        "polling_interval": 0.5,
        "use_notify": True,
        "notify_throttle_interval_ms": 0,
    }
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_SERIALIZER = "json"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Its queue is named for the host and exclusive: over RabbitMQ a second worker there would end.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_TIMEZONE = "UTC"

# Who is mailed about an event: `agents` knows no roles, so it asks this function.
MAIL_RECIPIENTS = "reviewdesk.people.mailing.recipients"
DESK_URL = ENVIRONMENT.desk_url
EMAIL_HOST = ENVIRONMENT.mail.host
EMAIL_PORT = ENVIRONMENT.mail.port
EMAIL_HOST_USER = ENVIRONMENT.mail.user
EMAIL_HOST_PASSWORD = ENVIRONMENT.mail.password
EMAIL_USE_SSL = ENVIRONMENT.mail.is_tls
EMAIL_USE_TLS = ENVIRONMENT.mail.is_starttls
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENVIRONMENT.mail.sender

# Tools outside: where secrets lie as files, and which modules register function tools.
SECRETS_FOLDER = ENVIRONMENT.secrets_folder
SHARED_SECRETS = ENVIRONMENT.shared_secrets
TOOL_MODULES = ENVIRONMENT.tool_modules

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

CSRF_FAILURE_VIEW = "reviewdesk.screens.errors.csrf_failed"
LOGIN_URL = "people:login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "people:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = f"reviewdesk_{ENVIRONMENT.port}"
CSRF_COOKIE_NAME = f"reviewdesk_csrf_{ENVIRONMENT.port}"
# The desk listens on 127.0.0.1 and speaks no TLS itself: nothing to redirect to or insist on.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"no_probes": {"()": "django.utils.log.CallbackFilter", "callback": is_no_probe}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "filters": ["no_probes"],
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    # A refusal (4xx) is the answer that was meant; what fails (5xx) is told with its traceback.
    "loggers": {"django.request": {"level": "ERROR"}},
}
