// A person without a passkey may enrol one: after signing in with another option of step 1.
var onLoginRequest = function (context) {
    executeStep(1, {
        onFail: function (context) {
            var scenario = context.request.params.scenario;
            if (scenario != null && scenario[0] == 'INIT_FIDO_ENROLL') {
                var others = filterAuthenticators(context.steps[1].options, 'FIDOAuthenticator');
                executeStep(1, {
                    stepOptions: {
                        markAsSubjectIdentifierStep: 'true',
                        markAsSubjectAttributeStep: 'true'
                    },
                    authenticationOptions: others
                }, {
                    onSuccess: function (context) {
                        // The passkey is enrolled and used.
                        executeStep(1, {
                            stepOptions: {forceAuth: 'true'},
                            authenticationOptions: [{authenticator: 'FIDOAuthenticator'}]
                        }, {});
                    }
                });
            }
        }
    });
};
