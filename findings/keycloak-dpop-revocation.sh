#!/bin/sh
# Keycloak 26.7.3: with the client policy executor dpop-bind-enforcer, a confidential client can't revoke its refresh token.
#
# Guess, made beforehand: the executor asks for a proof at the revocation endpoint, and a valid proof by the key of the token request
# revokes a refresh token, whatever kind of client has it.
# Seen: Keycloak binds refresh tokens of public clients only. At the revocation of a confidential client's, which has no cnf, the
# executor misses the binding: 400 invalid_token. Without a proof it is 400 too. An offline token goes on after every such sign-out.
# The same request of a public client is answered 200, and so is the confidential client's without the policy.
#
# Output:
#   public, policy on: refresh token bound: True, revocation: 200, refresh afterwards: 400
#   confidential, policy off: refresh token bound: False, revocation: 200, refresh afterwards: 400
#   confidential, policy on: refresh token bound: False, revocation: 400 invalid_token, refresh afterwards: 200
#
# Run by hand; needs Java 17, Maven, unzip, Python 3, OpenSSL and Maven Central (180 MB), and takes some minutes. Exits non-zero when that has
# changed.
set -eu
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact=org.keycloak:keycloak-quarkus-dist:26.7.3:zip -DoutputDirectory=. >mvn.log 2>&1
unzip -q keycloak-quarkus-dist-26.7.3.zip
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export JAVA_OPTS="-Xmx512m" KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=admin
keycloak-26.7.3/bin/kc.sh start-dev --http-host=127.0.0.1 --http-port="$port" --cache=local >kc.log 2>&1 &
server=$!
openssl genrsa -out key.pem 2048 2>/dev/null
cat >finding.py <<'PY'
import base64, json, subprocess, sys, time, urllib.error, urllib.parse, urllib.request, uuid

BASE = f"http://127.0.0.1:{sys.argv[1]}"
OIDC = BASE + "/realms/finding/protocol/openid-connect/"


def b64(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


N = bytes.fromhex(openssl("rsa", "-in", "key.pem", "-noout", "-modulus").decode().strip().split("=")[1])


def proof(url):
    head = {"typ": "dpop+jwt", "alg": "RS256", "jwk": {"kty": "RSA", "e": "AQAB", "n": b64(N)}}
    body = {"jti": str(uuid.uuid4()), "htm": "POST", "htu": url, "iat": int(time.time())}
    signed = b64(json.dumps(head).encode()) + "." + b64(json.dumps(body).encode())
    return signed + "." + b64(openssl("dgst", "-sha256", "-sign", "key.pem", data=signed.encode()))


def call(method, url, body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def form(url, dpop=True, **values):
    return call("POST", url, urllib.parse.urlencode(values).encode(), {"DPoP": proof(url)} if dpop else {})


def admin(method, path, value):
    _, answer = form(BASE + "/realms/master/protocol/openid-connect/token", dpop=False,
                     grant_type="password", client_id="admin-cli", username="admin", password="admin")
    headers = {"Authorization": "Bearer " + json.loads(answer)["access_token"], "Content-Type": "application/json"}
    status, answer = call(method, BASE + "/admin/realms" + path, json.dumps(value).encode(), headers)
    if status >= 300:
        sys.exit(f"{method} {path}: {status} {answer}")


for _ in range(600):
    try:
        if call("GET", BASE + "/realms/master")[0] == 200:
            break
    except OSError:
        pass
    time.sleep(1)
admin("POST", "", {"realm": "finding", "enabled": True})
admin("POST", "/finding/users", {"username": "alice", "enabled": True, "email": "alice@example.test", "firstName": "A", "lastName": "B",
                                 "credentials": [{"type": "password", "value": "pw"}]})
admin("PUT", "/finding/client-policies/profiles", {"profiles": [{"name": "dpop", "executors": [
    {"executor": "dpop-bind-enforcer", "configuration": {"auto-configure": "true"}}]}]})
rows = []
for public, policy in ((True, True), (False, False), (False, True)):
    admin("PUT", "/finding/client-policies/policies", {"policies": [{
        "name": "dpop", "enabled": policy, "profiles": ["dpop"], "conditions": [{"condition": "any-client", "configuration": {}}]}]})
    client = {"client_id": f"{public}-{policy}", **({} if public else {"client_secret": "secret"})}
    admin("POST", "/finding/clients", {"clientId": client["client_id"], "secret": "secret", "publicClient": public, "directAccessGrantsEnabled": True})
    status, answer = form(OIDC + "token", grant_type="password", username="alice", password="pw", scope="openid offline_access", **client)
    if status != 200:
        sys.exit(f"token: {status} {answer}")
    token = json.loads(answer)["refresh_token"]
    payload = token.split(".")[1]
    bound = "cnf" in json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    revoked, answer = form(OIDC + "revoke", token=token, token_type_hint="refresh_token", **client)
    error = " " + json.loads(answer)["error"] if answer else ""
    after, _ = form(OIDC + "token", grant_type="refresh_token", refresh_token=token, **client)
    rows.append(f"{'public' if public else 'confidential'}, policy {'on' if policy else 'off'}: "
                f"refresh token bound: {bound}, revocation: {revoked}{error}, refresh afterwards: {after}")
print("\n".join(rows))
sys.exit(0 if rows == [
    "public, policy on: refresh token bound: True, revocation: 200, refresh afterwards: 400",
    "confidential, policy off: refresh token bound: False, revocation: 200, refresh afterwards: 400",
    "confidential, policy on: refresh token bound: False, revocation: 400 invalid_token, refresh afterwards: 200",
] else 1)
PY
python3 finding.py "$port"
