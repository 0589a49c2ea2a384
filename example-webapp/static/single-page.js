// A page without tokens: it calls the API through /proxy/ with the session's cookie.
"use strict";
const root = new URL("..", document.currentScript.src);

// call is fetch for the API. When a login helps, it sends the page there, to come back to it.
async function call(path, options) {
  const response = await fetch(new URL("proxy/" + path, root), options);
  if (response.status !== 401) return response;
  const { login_url } = await response.clone().json().catch(() => ({}));
  const login = new URL(login_url ?? "", root);
  // An API may answer 401 itself, with an address of its own choice: only ours is followed.
  if (!login_url || !login.href.startsWith(new URL("auth/", root).href)) return response;
  location.assign(login);
  return new Promise(() => {}); // the page is leaving
}

// watch shows how long the session lasts. Asking does not prolong it.
async function watch() {
  const response = await fetch(new URL("auth/session", root)).catch(() => undefined);
  if (response?.ok) {
    const { idle_expires_at, session_expires_at } = await response.json();
    const left = Math.ceil((Date.parse(idle_expires_at ?? session_expires_at) - Date.now()) / 1000);
    show("session", `You will be signed out in ${Math.floor(left / 60)} min ${left % 60} s.`);
  } else if (response?.status === 401) {
    show("session", "You were signed out.");
  }
  setTimeout(watch, 1000);
}

const show = (id, text) => { document.getElementById(id).textContent = text; };
document.getElementById("call").onclick = async () => show("answer", await (await call("")).text());
watch();
