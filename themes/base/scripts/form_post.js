// Sends the authorization response on (OAuth 2.0 Form Post Response Mode §2). Without scripts the button does it.
"use strict";
document.getElementById("form-post").submit();
