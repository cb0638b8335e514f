// A mail and a second step for a browser that has no cookie of an earlier sign-in.
// How long a device is remembered, in seconds.
var deviceRememberPeriod = 60 * 60 * 24 * 365 * 2;
var cookieName = 'deviceAuth';
var sendNotification = true;
var stepUpAuthentication = true;
var emailTemplate = 'UnseenDeviceLogin';

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            subject = context.currentKnownSubject;
            if (isKnownDevice(context, subject)) {
                return;
            }
            Log.debug('new device of ' + subject.identifier);
            if (sendNotification === true) {
                var sent = sendEmail(subject, emailTemplate, {
                    'username': subject.identifier,
                    'login-time': new Date().toUTCString()
                });
                Log.debug('notification sent: ' + sent);
            }
            if (stepUpAuthentication === true) {
                executeStep(2, {
                    onSuccess: function (context) {
                        rememberDevice(context, subject);
                    }
                });
            } else {
                rememberDevice(context, subject);
            }
        }
    });
};

var isKnownDevice = function (context, subject) {
    var value = getCookieValue(context.request, cookieName, {'decrypt': true, 'validateSignature': true});
    return value === subject.username;
};

var rememberDevice = function (context, subject) {
    setCookie(context.response, cookieName, subject.username, {
        'sign': true,
        'encrypt': true,
        'max-age': deviceRememberPeriod,
        'sameSite': 'LAX'
    });
};
