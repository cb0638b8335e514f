// A second step for the users of some tenants.
var tenantsToStepUp = ['foo.com', 'bar.com'];

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            if (tenantsToStepUp.indexOf(context.currentKnownSubject.tenantDomain) > -1) {
                executeStep(2);
            }
        }
    });
};
