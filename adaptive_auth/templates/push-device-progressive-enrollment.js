// A person without a registered phone may register one: after passing step 2.
var onLoginRequest = function (context) {
    executeStep(1, {
        onFail: function (context) {
            var scenario = context.request.params.scenario;
            if (scenario != null && scenario[0] == 'INIT_PUSH_ENROLL') {
                executeStep(2, {
                    stepOptions: {
                        markAsSubjectIdentifierStep: 'true',
                        markAsSubjectAttributeStep: 'true'
                    }
                }, {
                    onSuccess: function (context) {
                        executeStep(1, {stepOptions: {forceAuth: 'true'}}, {});
                    }
                });
            }
        }
    });
};
