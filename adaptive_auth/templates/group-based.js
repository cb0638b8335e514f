// A second step for the members of some groups.
var groups = ['manager', 'employee'];

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var user = context.currentKnownSubject;
            if (isMemberOfAnyOfGroups(user, groups)) {
                Log.info(user.username + ' is in one of the groups: ' + groups.toString());
                executeStep(2);
            }
        }
    });
};
