#!/bin/sh
# Canaille 0.3.6: a client that names no algorithm gets ID tokens signed with RS512.
#
# Guess, made beforehand: a client that is registered without id_token_signed_response_alg gets RS256, the default of OpenID Connect
# Registration §2, which Canaille's own model repeats, with any RSA key of the server.
# Seen: the key made by "canaille jwk create rsa" has no alg, the client has none either, and the ID token comes with RS512. A relying
# party that accepts RS256 only, as it should unless told otherwise, refuses every login. With the algorithm in the client's
# registration it is as asked for.
#
# Output:
#   nothing named: RS512
#   RS256 named: RS256
#
# Run by hand; needs Python 3.11 and PyPI. Exits non-zero when that has changed.
set -eu
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check 'canaille[front,oidc,sqlite,server]==0.3.6' Authlib==1.9.10 joserfc==1.8.0 tomlkit >pip.log 2>&1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export CANAILLE_CONFIG="$dir/canaille.toml"
cat >canaille.toml <<TOML
SECRET_KEY = "a key for one run of this script"
SERVER_NAME = "127.0.0.1:$port"
PREFERRED_URL_SCHEME = "http"
[CANAILLE]
DATABASE = "sql"
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///$dir/canaille.db"
[CANAILLE_OIDC]
TOML
venv/bin/canaille jwk create rsa >key.json 2>/dev/null
python3 -c 'import json
print("[[CANAILLE_OIDC.ACTIVE_JWKS]]")
for name, value in json.load(open("key.json")).items(): print(name, "=", json.dumps(value))' >>canaille.toml
quietly() { "$@" >>canaille.log 2>&1; }
quietly venv/bin/canaille install
quietly venv/bin/canaille create user --user-name alice --family-name Smith --emails alice@example.test --password correct-horse-9
client() {
	name=$1
	shift
	quietly venv/bin/canaille create client --client-id "$name" --client-secret secret --client-name "$name" --redirect-uris http://127.0.0.1:9/callback \
		--grant-types authorization_code --response-types code --scope openid --token-endpoint-auth-method client_secret_basic "$@"
}
client silent
client named --id-token-signed-response-alg RS256
venv/bin/canaille run --bind "127.0.0.1:$port" >server.log 2>&1 &
server=$!
cat >finding.py <<'PY'
import base64, html, http.cookiejar, json, re, sys, time, urllib.error, urllib.parse, urllib.request

BASE = f"http://127.0.0.1:{sys.argv[1]}"
CALLBACK = "http://127.0.0.1:9/callback"


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


browser = urllib.request.build_opener(Stay, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def send(url, values=None, headers=None):
    """Follows redirects until they leave the server; returns the last URL and its page."""
    data = urllib.parse.urlencode(values).encode() if values else None
    try:
        answer = browser.open(urllib.request.Request(url, data, headers or {}), timeout=60)
    except urllib.error.HTTPError as other:
        answer = other
    target = answer.headers["Location"]
    if answer.code not in (301, 302, 303) or not target:
        return url, answer.read().decode()
    target = urllib.parse.urljoin(url, target)
    return (target, "") if target.startswith(CALLBACK) else send(target)


def algorithm(client):
    asked = urllib.parse.urlencode({"client_id": client, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": "s", "nonce": "n", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"})
    url, page = send(BASE + "/oauth/authorize?" + asked)
    for _ in range(6):
        if url.startswith(CALLBACK):
            break
        token = re.search(r'name="csrf_token" value="([^"]*)"', page)
        values = {"csrf_token": html.unescape(token.group(1))} if token else {}
        if 'name="password"' in page:
            values["password"] = "correct-horse-9"
        elif 'name="login"' in page:
            values["login"] = "alice"
        else:
            values["answer"] = "accept"
        url, page = send(url, values, {"Referer": url})
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["code"][0]
    basic = base64.b64encode(f"{client}:secret".encode()).decode()
    _, answer = send(BASE + "/oauth/token", {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}, {"Authorization": "Basic " + basic})
    head = json.loads(answer)["id_token"].split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["alg"]


for _ in range(120):
    try:
        urllib.request.urlopen(BASE + "/.well-known/openid-configuration", timeout=30)
        break
    except OSError:
        time.sleep(0.5)
silent = algorithm("silent")
time.sleep(2)
named = algorithm("named")
print(f"nothing named: {silent}\nRS256 named: {named}")
sys.exit(0 if (silent, named) == ("RS512", "RS256") else 1)
PY
venv/bin/python finding.py "$port"
