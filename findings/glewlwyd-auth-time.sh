#!/bin/sh
# Glewlwyd 2.7.5 of Debian 12, with its database in SQLite: ID tokens say auth_time 0, also where max_age was asked for.
#
# Expected, from the specification: auth_time is the second in which the user signed in (OpenID Connect Core §2), and required with max_age.
# Seen: it is 0, so that the login seems to be of 1970. Glewlwyd itself knows better: with a max_age that has gone by it shows its login
# page, with a longer one it does not. A client that verifies auth_time, as it must after max_age (§3.1.3.7), refuses every such login.
#
# Output:
#   without max_age: code, auth_time 0
#   max_age 3600: code, auth_time 0
#   max_age 1, two seconds later: the login page
#   max_age 3600, after signing in once more: code, auth_time 0
#
# Run by hand; needs Debian 12 on amd64 with its archive (1.5 MB), sqlite3, OpenSSL and Python 3; nothing is installed. Exits non-zero
# when that has changed.
set -eu
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
version=2.7.5-3+deb12u1
apt-get download "glewlwyd=$version" "glewlwyd-common=$version" libconfig9 liborcania2.3 libyder2.0 libhoel1.4 librhonabwy1.1 \
  libmicrohttpd12 libulfius2.7 libiddawc1.1 liboath0 libmariadb3 >apt.log 2>&1
for deb in *.deb; do dpkg-deb -x "$deb" root; done
sqlite3 -init root/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3 database 'SELECT 1' >/dev/null 2>&1
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -out public.pem 2>/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >config <<CONF
port = $port
bind_address = "127.0.0.1"
external_url = "http://127.0.0.1:$port"
login_url = "login.html"
api_prefix = "api"
log_mode = "console"
log_level = "WARNING"
cookie_secure = false
session_key = "session"
admin_scope = "g_admin"
profile_scope = "g_profile"
static_files_path = "$dir/root/usr/share/glewlwyd/webapp"
user_module_path = "$dir/root/usr/lib/glewlwyd/user"
client_module_path = "$dir/root/usr/lib/glewlwyd/client"
user_auth_scheme_module_path = "$dir/root/usr/lib/glewlwyd/scheme"
plugin_module_path = "$dir/root/usr/lib/glewlwyd/plugin"
hash_algorithm = "SHA512"
database = { type = "sqlite3" path = "$dir/database" }
CONF
LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu root/usr/bin/glewlwyd --config-file="$dir/config" >server.log 2>&1 &
server=$!
cat >finding.py <<'PY'
import base64, json, sys, time, urllib.error, urllib.parse, urllib.request

BASE = f"http://127.0.0.1:{sys.argv[1]}"
APP = "http://127.0.0.1:1/callback"


class Browser:
    def __init__(self):
        self.cookies = {}

    def call(self, method, path, body=None, kind="application/json", **headers):
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        data = None if body is None else (json.dumps(body) if kind.endswith("json") else urllib.parse.urlencode(body)).encode()
        request = urllib.request.Request(BASE + "/api" + path, data=data, method=method, headers={"Content-Type": kind, **headers})
        try:
            answer = opener.open(request, timeout=30)
        except urllib.error.HTTPError as other:
            answer = other
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            self.cookies[name] = value
        text = answer.read().decode()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {answer.status} {text}")
        return answer.headers.get("Location"), text


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(NoRedirect)
for _ in range(100):
    try:
        urllib.request.urlopen(BASE + "/login.html")
        break
    except OSError:
        time.sleep(0.1)

admin, alice = Browser(), Browser()
admin.call("POST", "/auth/", {"username": "admin", "password": "password"})
admin.call("POST", "/mod/plugin/", {"module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": {
    "iss": BASE + "/api/oidc", "jwt-type": "rsa", "jwt-key-size": "256", "key": open("key.pem").read(), "cert": open("public.pem").read(),
    "access-token-duration": 300, "refresh-token-duration": 86400, "code-duration": 60, "refresh-token-rolling": True,
    "auth-type-code-enabled": True, "subject-type": "public", "jwks-show": True}})
admin.call("POST", "/client/", {
    "client_id": "app", "name": "app", "confidential": True, "enabled": True, "client_secret": "secret", "redirect_uri": [APP],
    "authorization_type": ["code"], "token_endpoint_auth_method": ["client_secret_basic"], "scope": []})
admin.call("POST", "/user/", {"username": "alice", "password": "password", "enabled": True, "scope": ["openid"]})


def sign_in():
    alice.call("POST", "/auth/", {"username": "alice", "password": "password"})
    alice.call("PUT", "/auth/grant/app", {"scope": "openid"})


def authorize(**more):
    to, _ = alice.call("GET", "/oidc/auth?" + urllib.parse.urlencode({
        "client_id": "app", "response_type": "code", "scope": "openid", "redirect_uri": APP, "state": "state-of-enough-length",
        "nonce": "nonce-of-enough-length", "g_continue": "", **more}))
    if to.startswith(BASE + "/login.html"):
        return "the login page"
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(to).query)["code"][0]
    basic = "Basic " + base64.b64encode(b"app:secret").decode()
    _, text = Browser().call("POST", "/oidc/token", {"grant_type": "authorization_code", "code": code, "redirect_uri": APP},
                             kind="application/x-www-form-urlencoded", Authorization=basic)
    payload = json.loads(text)["id_token"].split(".")[1]
    return "code, auth_time " + str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("auth_time"))


sign_in()
rows = ["without max_age: " + authorize(), "max_age 3600: " + authorize(max_age=3600)]
time.sleep(2)
rows.append("max_age 1, two seconds later: " + authorize(max_age=1))
sign_in()
rows.append("max_age 3600, after signing in once more: " + authorize(max_age=3600))
print("\n".join(rows))
sys.exit(0 if rows == [
    "without max_age: code, auth_time 0",
    "max_age 3600: code, auth_time 0",
    "max_age 1, two seconds later: the login page",
    "max_age 3600, after signing in once more: code, auth_time 0",
] else 1)
PY
python3 finding.py "$port"
