// So many sessions for each person: the oldest ones end when a new one begins.
var maximumSessions = 3;

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var user = context.currentKnownSubject;
            var sessions = getUserSessions(user);
            sessions.sort(function (a, b) {
                return Number(a.lastAccessTime) - Number(b.lastAccessTime);
            });
            for (var i = 0; i <= sessions.length - maximumSessions; i++) {
                if (!terminateUserSession(user, sessions[i].id)) {
                    fail({errorCode: 'access_denied', errorMessage: 'Too many sessions.'});
                }
                Log.info('ended session ' + sessions[i].id);
            }
        }
    });
};
