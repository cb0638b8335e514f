// Gives the session a role claim that Office 365 understands, by the user's roles here.
var rolesToUpdate = ['admin', 'manager'];
var roleClaim = 'http://wso2.org/claims/role';
var office365Role = 'office365-administrator';

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var user = context.steps[1].subject;
            if (hasAnyOfTheRoles(user, rolesToUpdate)) {
                user.claims[roleClaim] = office365Role;
                Log.info('role of ' + user.username + ': ' + user.claims[roleClaim]);
            }
        }
    });
};
