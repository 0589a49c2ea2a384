"""django-oauth-toolkit in one file, with a client, a user, and two switches for tests.

Arguments: the port, a folder for its database and keys, and the address of the app.
"""
import os
import sys

import django
from django.conf import settings

port, folder, app = sys.argv[1:]
origin = f"http://127.0.0.1:{port}"


def new_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def keys():
    """The PEMs of all keys, newest first."""
    names = sorted((name for name in os.listdir(folder) if name.endswith(".pem")), reverse=True)
    return [open(os.path.join(folder, name)).read() for name in names]


def add_key():
    with open(os.path.join(folder, f"{len(keys()):04}.pem"), "w") as file:
        file.write(new_key())


def options():
    newest, *older = keys()
    return {
        "OIDC_ENABLED": True, "OIDC_RSA_PRIVATE_KEY": newest, "OIDC_RSA_PRIVATE_KEYS_INACTIVE": older,
        "OIDC_RP_INITIATED_LOGOUT_ENABLED": True, "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
        "SCOPES": {"openid": "OpenID Connect", "profile": "profile", "email": "email"},
        "REFRESH_TOKEN_REUSE_PROTECTION": True, "OAUTH2_VALIDATOR_CLASS": "__main__.Validator",
    }


if not keys():
    add_key()
login_page = '<form method="post" action="">{% csrf_token %}{{ form }}<input type="hidden" name="next" value="{{ next }}"></form>'
settings.configure(
    SECRET_KEY="of a provider for tests", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF="__main__", USE_TZ=True, LOGIN_URL="/login",
    LOGGING_CONFIG=None, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {
        "ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(folder, "database"),
        "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
    }},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {
        "context_processors": ["django.template.context_processors.request"],
        "loaders": [
            ("django.template.loaders.locmem.Loader", {"registration/login.html": login_page}),
            "django.template.loaders.app_directories.Loader",
        ],
    }}],
    OAUTH2_PROVIDER=options(),
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402
from oauth2_provider.settings import oauth2_settings  # noqa: E402


class Validator(OAuth2Validator):
    """Userinfo with a name and an address, as its documentation has it."""

    oidc_claim_scope = None

    def get_additional_claims(self):
        return {"name": lambda request: request.user.first_name, "email": lambda request: request.user.email}


@csrf_exempt
def rotate(_):
    add_key()
    settings.OAUTH2_PROVIDER = options()
    oauth2_settings.reload()
    return HttpResponse("")


@csrf_exempt
def disable(_):
    get_user_model().objects.update(is_active=False)
    return HttpResponse("")


urlpatterns = [
    path("login", LoginView.as_view()),
    path("control/rotate", rotate),
    path("control/disable", disable),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    if not Application.objects.exists():
        get_user_model().objects.create_user("alice", "alice@example.test", "pw", first_name="Alice")
        Application.objects.create(
            client_id="app", client_secret="a secret", client_type="confidential", authorization_grant_type="authorization-code",
            redirect_uris=app + "/auth/callback", post_logout_redirect_uris=app + "/auth/signed-out", algorithm="RS256",
            skip_authorization=True, name="app",
        )
    call_command("runserver", f"127.0.0.1:{port}", use_reloader=False)
