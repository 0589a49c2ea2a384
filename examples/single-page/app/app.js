"use strict";
const show = (id, text) => { document.getElementById(id).textContent = text; };

// call is fetch for the API. A 401 with a login_url of ours sends the page to sign in and back.
async function call(path, options) {
  const response = await fetch("/api/" + path, options);
  if (response.status !== 401) return response;
  const { login_url } = await response.clone().json().catch(() => ({}));
  if (!login_url?.startsWith("/auth/")) return response; // the API's own 401, not the session's
  location.assign(login_url);
  return new Promise(() => {}); // the page is leaving
}

async function whoami() {
  const response = await fetch("/auth/session");
  show("who", response.ok ? `Signed in as ${(await response.json()).name}` : "Not signed in");
}

document.getElementById("load").onclick = async () => show("orders", await (await call("orders")).text());
whoami();
