// A mail and a second step for a browser that the person never used before.
async function onLogin(context) {
  const first = await step(1);
  if (!first.ok) deny();
  if (!isNewDevice(context)) return;

  const network = getNetwork(context);
  sendEmail(first.user, 'UnseenDeviceLogin', {
    'username': first.user.identifier,
    'login-time': new Date().toUTCString(),
    'country': network.country ?? 'unknown',
  });
  for (let attempt = 1; attempt <= 3; attempt++) {
    if ((await step(2)).ok) return;
  }
  deny({ errorCode: 'access_denied', errorMessage: 'This device could not be confirmed.' });
}
