// A second step by a risk score from stream analytics. callAnalytics always fails here: replace it by httpPost.
var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var username = context.steps[1].subject.username;
            callAnalytics({'Application': 'is-analytics', 'InputStream': 'LoginRequest'}, {'username': username}, {
                onSuccess: function (context, data) {
                    Log.info('risk score: ' + data.event.riskScore);
                    if (data.event.riskScore > 0) {
                        executeStep(2);
                    }
                },
                onFail: function (context) {
                    Log.info('no risk score for ' + username);
                    executeStep(2);
                }
            });
        }
    });
};
