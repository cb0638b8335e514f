// A second step when nobody could have travelled so fast since the last sign-in, and for weeks of absence.
var fastestJourney = 900; // km/h, an airliner
var longAbsence = 60 * 24 * 60 * 60; // seconds
var failedAttempts = 5;

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var user = context.currentKnownSubject;
            var speed = getLoginVelocity(user, context);
            var absence = getTimeSinceLastLogin(user);
            var tooFast = speed !== null && speed > fastestJourney;
            var tooLong = absence !== null && absence > longAbsence;
            if (tooFast || tooLong || getFailedAttempts(user) >= failedAttempts) {
                Log.warn('unusual sign-in', user.username, 'km/h:', speed, 'seconds:', absence);
                executeStep(2);
            }
        }
    });
};
