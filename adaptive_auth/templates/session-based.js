// Users with some roles may have so many sessions at a time: step 2 is the active sessions handler.
var rolesToStepUp = ['admin', 'manager'];
var maxSessionCount = '1';

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            if (hasAnyOfTheRolesV2(context, rolesToStepUp)) {
                executeStep(2, {
                    authenticatorParams: {
                        local: {
                            SessionExecutor: {
                                MaxSessionCount: maxSessionCount
                            }
                        }
                    }
                }, {});
            }
        }
    });
};
