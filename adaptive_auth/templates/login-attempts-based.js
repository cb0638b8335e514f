// A second step after several failed attempts in a row.
var invalidAttemptsToStepup = 3;
var failedLoginAttemptsBeforeSuccessClaim = 'http://wso2.org/claims/identity/failedLoginAttemptsBeforeSuccess';

var onLoginRequest = function (context) {
    doLogin(context);
};

var doLogin = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var user = context.steps[1].subject;
            if (isExceedInvalidAttempts(user)) {
                executeStep(2, {
                    onSuccess: function (context) {
                        var user = context.steps[1].subject;
                        user.localClaims[failedLoginAttemptsBeforeSuccessClaim] = '0';
                    }
                });
            }
        },
        onFail: function (context) {
            doLogin(context);
        }
    });
};

var isExceedInvalidAttempts = function (user) {
    return user.localClaims[failedLoginAttemptsBeforeSuccessClaim] >= invalidAttemptsToStepup;
};
