#!/bin/sh
# django-oauth-toolkit 3.4.1: max_age has no effect, while prompt=login has.
#
# Expected, from the specification: prompt=login shows the login page (its metadata list it in prompt_values_supported), and so does a max_age that
# has gone by (OpenID Connect Core §3.1.2.1); max_age=0 is the same as prompt=login.
# Seen: prompt=login shows the login page. With max_age, 0 included, a code comes at once, and the ID token's auth_time is that of the old
# login. A client that verifies auth_time refuses it, and has to ask with prompt=login; one that does not takes the old login for a new.
#
# Output:
#   prompt=login: the login page
#   max_age=3600: a code, auth_time is that of the login
#   max_age=1, two seconds later: a code, auth_time is that of the login
#   max_age=0: a code, auth_time is that of the login
#
# Run by hand; needs Python 3 with venv, and PyPI. Exits non-zero when that has changed.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q Django==5.2.19 oauthlib==4.0.1 django-oauth-toolkit==3.4.1 >pip.log 2>&1
cat >finding.py <<'PY'
import base64, json, sys, time, urllib.parse

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

key = rsa.generate_private_key(65537, 2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
settings.configure(
    SECRET_KEY="secret", ALLOWED_HOSTS=["testserver"], ROOT_URLCONF="__main__", USE_TZ=True, LOGIN_URL="/login",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    OAUTH2_PROVIDER={"OIDC_ENABLED": True, "OIDC_RSA_PRIVATE_KEY": key, "SCOPES": {"openid": "OpenID Connect"}, "PKCE_REQUIRED": False},
)
django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.urls import include, path
from oauth2_provider.models import Application

urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]
call_command("migrate", verbosity=0)
alice = get_user_model().objects.create_user("alice", password="pw")
APP = "https://app.example.test/callback"
Application.objects.create(
    client_id="app", client_secret="secret", client_type="confidential", authorization_grant_type="authorization-code",
    redirect_uris=APP, algorithm="RS256", skip_authorization=True)
browser = Client()
browser.force_login(alice)  # which notes last_login, as a login page does
alice.refresh_from_db()
signed_in = int(alice.last_login.timestamp())


def authorize(**more):
    answer = browser.get("/o/authorize/", {
        "client_id": "app", "response_type": "code", "scope": "openid", "redirect_uri": APP, "state": "state", "nonce": "nonce", **more})
    to = urllib.parse.urlsplit(answer.headers["Location"])
    if to.path == "/login":
        return "the login page"
    code = urllib.parse.parse_qs(to.query)["code"][0]
    answer = Client().post("/o/token/", {
        "grant_type": "authorization_code", "code": code, "redirect_uri": APP, "client_id": "app", "client_secret": "secret"})
    payload = json.loads(answer.content)["id_token"].split(".")[1]
    auth_time = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["auth_time"]
    return "a code, auth_time is " + ("that of the login" if auth_time == signed_in else f"{auth_time}, the login was at {signed_in}")


rows = ["prompt=login: " + authorize(prompt="login"), "max_age=3600: " + authorize(max_age=3600)]
time.sleep(2)
rows += ["max_age=1, two seconds later: " + authorize(max_age=1), "max_age=0: " + authorize(max_age=0)]
print("\n".join(rows))
sys.exit(0 if rows == [
    "prompt=login: the login page",
    "max_age=3600: a code, auth_time is that of the login",
    "max_age=1, two seconds later: a code, auth_time is that of the login",
    "max_age=0: a code, auth_time is that of the login",
] else 1)
PY
venv/bin/python -W ignore finding.py
