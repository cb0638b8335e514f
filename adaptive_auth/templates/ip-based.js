// A second step for requests from outside the networks of the company.
var corpNetwork = ['192.168.1.0/24', '10.100.0.0/16'];

var onLoginRequest = function (context) {
    executeStep(1, {
        onSuccess: function (context) {
            var address = context.request.ip;
            Log.info('request from ' + address);
            for (var i = 0; i < corpNetwork.length; i++) {
                if (isInNetwork(address, corpNetwork[i])) {
                    return;
                }
            }
            executeStep(2);
        }
    });
};

// The address as a number; null for anything but four numbers of 0 to 255.
function toNumber(address) {
    var match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
    if (match === null) {
        return null;
    }
    var number = 0;
    for (var i = 1; i <= 4; i++) {
        if (Number(match[i]) > 255) {
            return null;
        }
        number = number * 256 + Number(match[i]);
    }
    return number;
}

function isInNetwork(address, network) {
    var parts = network.split('/');
    var start = toNumber(parts[0]);
    var number = toNumber(address);
    if (start === null || number === null) {
        return false;
    }
    var size = Math.pow(2, 32 - Number(parts[1]));
    return Math.floor(number / size) === Math.floor(start / size);
}
