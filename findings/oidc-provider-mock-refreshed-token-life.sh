#!/bin/sh
# oidc-provider-mock 0.3.4 (Authlib 1.9.10): --token-max-age does not hold for refreshed tokens.
#
# Guess, made beforehand: "Max age of access and ID tokens in seconds until they expire" holds for every access token, so that a test
# with --token-max-age 5 sees one refresh after the other.
# Seen: it holds for the tokens that a code is redeemed for. A refreshed access token lives an hour: a test that waits for the second
# refresh waits in vain.
#
# Output:
#   code: expires_in 5
#   refresh: expires_in 3600
#
# Run by hand; needs Python 3.11 and PyPI. Exits non-zero when that has changed.
set -eu
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check oidc-provider-mock==0.3.4 Authlib==1.9.10 >pip.log 2>&1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
venv/bin/oidc-provider-mock --port "$port" --token-max-age 5 --user alice >server.log 2>&1 &
server=$!
cat >finding.py <<'PY'
import base64, json, sys, time, urllib.error, urllib.parse, urllib.request

BASE = f"http://127.0.0.1:{sys.argv[1]}/oauth2/"
CALLBACK = "http://127.0.0.1:9/callback"


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def post(url, **values):
    headers = {"Authorization": "Basic " + base64.b64encode(b"app:secret").decode()}
    request = urllib.request.Request(url, urllib.parse.urlencode(values).encode(), headers)
    try:
        return urllib.request.build_opener(Stay).open(request, timeout=30)
    except urllib.error.HTTPError as answer:
        return answer


for _ in range(120):
    try:
        urllib.request.urlopen(BASE[:-7] + ".well-known/openid-configuration", timeout=30)
        break
    except OSError:
        time.sleep(0.5)
asked = urllib.parse.urlencode({"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": "s"})
answer = post(BASE + "authorize?" + asked, sub="alice", action="authorize")
code = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)["code"][0]
first = json.load(post(BASE + "token", grant_type="authorization_code", code=code, redirect_uri=CALLBACK))
second = json.load(post(BASE + "token", grant_type="refresh_token", refresh_token=first["refresh_token"]))
print(f"code: expires_in {first['expires_in']}\nrefresh: expires_in {second['expires_in']}")
sys.exit(0 if (first["expires_in"], second["expires_in"]) == (5, 3600) else 1)
PY
venv/bin/python finding.py "$port"
