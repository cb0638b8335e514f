// A second step by a risk score from Elasticsearch. callElastic always fails here: replace it by httpPost.
var riskScoreThreshold = 5;

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var username = context.steps[1].subject.username;
            callElastic({'username': username, 'ip': context.request.ip}, {
                onSuccess: function (context, data) {
                    Log.info('risk score: ' + data.riskScore);
                    if (data.riskScore > riskScoreThreshold) {
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
