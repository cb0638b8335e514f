// Only people of a certain age may sign in.
var ageLimit = 18;
var errorPage = null;
var dateOfBirthClaim = 'http://wso2.org/claims/dob';
var validateDOBFormat = /^(\d{4})-(\d{2})-(\d{2})$/;

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var dateOfBirth = context.currentKnownSubject.localClaims[dateOfBirthClaim];
            Log.debug('date of birth: ' + dateOfBirth);
            if (!dateOfBirth || !validateDOBFormat.test(dateOfBirth) || ageOf(dateOfBirth) < ageLimit) {
                sendError(errorPage, {
                    'status': 'Unauthorized',
                    'statusMsg': 'You have to be ' + ageLimit + ' or older.',
                    'i18nkey': 'user.age.not.validated'
                });
            }
        }
    });
};

var ageOf = function (dateOfBirth) {
    var born = validateDOBFormat.exec(dateOfBirth);
    var today = new Date();
    var age = today.getUTCFullYear() - Number(born[1]);
    var month = today.getUTCMonth() + 1 - Number(born[2]);
    if (month < 0 || (month === 0 && today.getUTCDate() < Number(born[3]))) {
        age--;
    }
    return age;
};
