// After sign-out: go on to the application once every frame has loaded, or after five seconds (decision 21).
// Without scripts the page's refresh does it.
"use strict";
const link = document.getElementById("logout-return");
const goOn = () => location.replace(link.href);
window.addEventListener("load", goOn);
setTimeout(goOn, 5000);
