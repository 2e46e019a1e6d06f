// Puts the page together.

import { accept } from "./actions.js";
import * as api from "./api.js";
import * as exporting from "./exporting.js";
import { complain, hide } from "./message.js";
import * as panels from "./panels.js";
import * as shortcuts from "./shortcuts.js";
import * as timeline from "./timeline.js";
import * as transport from "./transport.js";

history.replaceState(null, "", "/"); // the token stays out of the address

panels.wire();
transport.wire();
timeline.wire();
exporting.wire();
shortcuts.wire();

let lost = false;

api.follow(
  (record) => {
    if (lost) hide();
    lost = false;
    accept(record);
    transport.onState();
  },
  () => {
    if (!lost) complain("the program does not answer: was it ended? Masks are saved; start it again to go on");
    lost = true;
  },
);
