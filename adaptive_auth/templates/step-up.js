// A second step when the application asks for a sensitive scope, or for a payment above an amount (RFC 9396).
const sensitiveScopes = ['payments', 'admin'];
const paymentTypes = ['payment_initiation'];
const amountWithoutStepUp = 100;

function isLarge(detail) {
  if (!paymentTypes.includes(detail.type)) return false;
  const amount = Number(detail.instructedAmount?.amount);
  return !(amount <= amountWithoutStepUp); // an amount that is no number is large
}

async function onLogin(context) {
  const sensitive = context.requestedScopes.filter((scope) => sensitiveScopes.includes(scope));
  const payments = context.authorizationDetails.filter(isLarge);
  if (!(await step(1)).ok) deny();
  if (sensitive.length === 0 && payments.length === 0) return;
  Log.info('step-up for', sensitive, payments.length, 'payments');
  const second = await step(2, { stepOptions: { forceAuth: 'true' } });
  if (!second.ok) deny({ errorCode: 'access_denied', errorMessage: 'The second factor is needed for this.' });
}
