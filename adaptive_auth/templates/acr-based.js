// Steps by the requested acr: the application says with acr_values how strong the sign-in has to be.
// The list runs from the weakest to the strongest. Needs three steps.
var supportedAcrValues = ['acr1', 'acr2', 'acr3'];

var onLoginRequest = function (context) {
    var selectedAcr = selectAcrFrom(context, supportedAcrValues);
    Log.info('acr selected: ' + selectedAcr);
    context.selectedAcr = selectedAcr;
    switch (selectedAcr) {
        case supportedAcrValues[0]:
            executeStep(1);
            break;
        case supportedAcrValues[1]:
            executeStep(1);
            executeStep(2);
            break;
        case supportedAcrValues[2]:
            executeStep(1);
            executeStep(3);
            break;
        default:
            executeStep(1);
            executeStep(2);
            executeStep(3);
    }
};
