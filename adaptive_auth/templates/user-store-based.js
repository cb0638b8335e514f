// A second step for the users of some user stores.
var userStoresToStepUp = ['EMPLOYEES', 'PARTNERS'];

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var user = context.currentKnownSubject;
            if (userStoresToStepUp.indexOf(user.userStoreDomain) >= 0) {
                executeStep(2);
            }
        }
    });
};
