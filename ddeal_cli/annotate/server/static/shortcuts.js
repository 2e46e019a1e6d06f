// Keys: one table for what they do and what the page says of them.

import * as actions from "./actions.js";
import * as exporting from "./exporting.js";
import { rename } from "./panels.js";
import { picture } from "./stage.js";
import { breakOff, holdPan, moveCross, pressCross } from "./tools.js";
import { togglePlay } from "./transport.js";
import { state, view } from "./store.js";

const dialog = document.getElementById("shortcuts");
const showHelp = () => {
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
};

// keys as people read them, what they do; `short` ones stand beside the picture
const TABLE = [
  [["←", "→"], "one frame back, on", "short"],
  [["Shift ←", "Shift →"], "ten frames"],
  [["Home", "End"], "first, last frame"],
  [["PageUp", "PageDown"], "frames with marks"],
  [["J", "Shift J"], "next, last doubtful stretch"],
  [["P"], "play, pause", "short"],
  [["B"], "box", "short"],
  [["C"], "click", "short"],
  [["S"], "scribble", "short"],
  [["T"], "object / not the object", "short"],
  [["D"], "brush", "short"],
  [["E"], "eraser", "short"],
  [["[", "]"], "smaller, larger brush", "short"],
  [["1", "…", "9"], "choose an object", "short"],
  [["N"], "new object", "short"],
  [["F2"], "rename the object"],
  [["Delete"], "clear marks on the frame"],
  [["Ctrl Z"], "undo", "short"],
  [["Ctrl Shift Z"], "redo", "short"],
  [["Ctrl S"], "save"],
  [["R"], "segment, or cancel", "short"],
  [["X"], "export", "short"],
  [["H"], "hide or show masks"],
  [["V", "Space"], "move the picture"],
  [["+", "−", "0"], "zoom in, out, fit"],
  [["Esc"], "break off"],
  [["↑", "↓", "Enter"], "on the picture: a cross instead of the mouse"],
  [["?"], "all keys", "short"],
];

const PLAIN = {
  ",": () => actions.step(-1),
  ".": () => actions.step(1),
  arrowleft: () => actions.step(-1),
  arrowright: () => actions.step(1),
  home: () => actions.goTo(0),
  end: () => actions.goTo(state.frames - 1),
  pageup: () => actions.goToMark(-1),
  pagedown: () => actions.goToMark(1),
  j: (event) => actions.goToDoubt(event.shiftKey ? -1 : 1),
  p: togglePlay,
  b: () => actions.chooseTool("box"),
  c: () => actions.chooseTool("click"),
  s: () => actions.chooseTool("scribble"),
  d: () => actions.chooseTool("brush"),
  e: () => actions.chooseTool("eraser"),
  v: () => actions.chooseTool("pan"),
  t: actions.toggleSign,
  n: actions.addObject,
  r: actions.segment,
  x: exporting.open,
  h: actions.toggleMasks,
  "[": () => actions.resize(1 / 1.2),
  "]": () => actions.resize(1.2),
  "+": actions.zoomIn,
  "=": actions.zoomIn,
  "-": actions.zoomOut,
  0: actions.zoomFit,
  f2: () => rename(view.object),
  delete: actions.clearMarks,
  backspace: actions.clearMarks,
  "?": showHelp,
  escape: () => breakOff() || actions.cancel(),
};

const WITH_CONTROL = { z: actions.undo, y: actions.redo, s: actions.save };

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let crossInUse = false;

/** On the picture, up and down or Enter begin a cross, which then takes all arrows until Escape. */
function onPicture(event) {
  if (document.activeElement !== picture || event.ctrlKey || event.metaKey) return false;
  const arrow = ARROWS[event.key];
  if (event.key === "Enter") {
    crossInUse = true;
    pressCross(event.altKey);
    return true;
  }
  if (event.key === "Escape") crossInUse = false;
  if (!arrow || !(crossInUse || arrow[1])) return false;
  crossInUse = true;
  const far = event.shiftKey ? 20 : event.altKey ? 1 : 5;
  moveCross(arrow[0] * far, arrow[1] * far);
  return true;
}

function pressed(event) {
  if (document.querySelector("dialog[open]")) return;
  const field = event.target;
  const typing = field instanceof HTMLInputElement && field.type !== "range" && field.type !== "checkbox";
  if (typing) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    const action = key === "z" && event.shiftKey ? actions.redo : WITH_CONTROL[key];
    if (action) {
      event.preventDefault();
      action();
    }
    return;
  }
  if (onPicture(event)) {
    event.preventDefault();
    return;
  }
  if (key === " ") {
    if (field instanceof HTMLButtonElement || field instanceof HTMLInputElement) return;
    event.preventDefault();
    holdPan(true);
    return;
  }
  if (field instanceof HTMLInputElement && field.type === "range" && key in { arrowleft: 1, arrowright: 1, home: 1, end: 1, pageup: 1, pagedown: 1 }) return;
  if (event.shiftKey && (key === "arrowleft" || key === "arrowright")) {
    event.preventDefault();
    actions.step(key === "arrowleft" ? -10 : 10);
    return;
  }
  if (/^[1-9]$/.test(key)) {
    actions.chooseObjectAt(Number(key) - 1);
    return;
  }
  const action = PLAIN[key];
  if (action && !event.altKey) {
    event.preventDefault();
    action(event);
  }
}

function fill(list, rows) {
  for (const [keys, what] of rows) {
    const term = document.createElement("dt");
    for (const key of keys) {
      const cap = document.createElement("kbd");
      cap.textContent = key;
      term.append(cap);
    }
    const words = document.createElement("dd");
    words.textContent = what;
    list.append(term, words);
  }
}

export function wire() {
  addEventListener("keydown", pressed);
  addEventListener("keyup", (event) => {
    if (event.key === " ") holdPan(false);
  });
  addEventListener("blur", () => holdPan(false));
  picture.addEventListener("pointerdown", () => {
    crossInUse = false;
  });
  document.getElementById("help").addEventListener("click", showHelp);
  fill(document.getElementById("keys"), TABLE.filter((row) => row[2] === "short"));
  fill(document.getElementById("all-keys"), TABLE);
}
