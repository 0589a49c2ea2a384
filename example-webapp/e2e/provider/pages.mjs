// The provider's pages. They load nothing, neither from here nor from elsewhere.

export const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export const page = (title, body) => `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<h1>${escape(title)}</h1>
${body}
</html>`;

export const loginPage = (action, hint, wrong) => page('Test provider: sign in', `
${wrong ? '<p role="alert">That name and password do not match.</p>' : ''}
<form method="post" action="${escape(action)}/login">
<p><label>Name <input name="login" autocomplete="username" required value="${escape(hint)}"></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button type="submit">Sign in</button></p>
</form>
<form method="post" action="${escape(action)}/cancel"><button type="submit">Cancel</button></form>`);

export const consentPage = (action, client, scopes) => page('Test provider: allow access', `
<p>${escape(client)} asks for: ${escape(scopes)}</p>
<form method="post" action="${escape(action)}/consent"><button type="submit">Allow</button></form>
<form method="post" action="${escape(action)}/cancel"><button type="submit">Cancel</button></form>`);

export function confirmLogout(ctx, form) {
  ctx.body = page('Test provider: sign out', `${form}
<p><button type="submit" form="op.logoutForm" value="yes" name="logout">Sign out</button></p>
<p><button type="submit" form="op.logoutForm">Stay signed in</button></p>`);
}

export function signedOut(ctx) {
  ctx.body = page('Test provider: signed out', '<p>You are signed out of the provider.</p>');
}

export function failed(ctx, out) {
  ctx.type = 'html';
  ctx.body = page('Test provider: error', Object.entries(out).map(([key, value]) => `<p>${escape(key)}: ${escape(value)}</p>`).join('\n'));
}
