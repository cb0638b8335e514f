// A second step for users with some roles of the application.
var rolesToStepUp = ['admin', 'manager'];

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var user = context.currentKnownSubject;
            if (hasAnyOfTheRolesV2(context, rolesToStepUp)) {
                Log.info(user.username + ' has one of the roles: ' + rolesToStepUp.toString());
                executeStep(2);
            }
        }
    });
};
