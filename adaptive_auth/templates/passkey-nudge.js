// Who signed in with a password is asked once a month to add a passkey; saying no is fine. Step 2 is the passkey.
const cookieName = 'passkeyNudge';
const pause = 60 * 60 * 24 * 30; // seconds

async function onLogin(context) {
  const first = await step(1);
  if (!first.ok) deny();
  if (first.authenticator === 'FIDOAuthenticator') return;
  if (getCookieValue(context.request, cookieName) !== null) return;

  setCookie(context.response, cookieName, 'asked', { 'max-age': pause, 'httpOnly': true, 'secure': true });
  const wish = await ask('genericForm', { 'title': 'Sign in without a password next time?', 'choices': ['add', 'later'] });
  if (!wish.ok || wish.params.choice?.[0] !== 'add') return;
  const passkey = await step(2, { authenticationOptions: ['FIDOAuthenticator'] });
  Log.info(passkey.ok ? 'a passkey was added' : 'no passkey was added');
}
