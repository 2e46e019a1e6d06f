// Mouse, pen, fingers and the keyboard's cross, on the picture.

import { mark } from "./actions.js";
import { ink, pan, picture, scale, toFrame, zoom } from "./stage.js";
import { labels } from "./pictures.js";
import { objectOf, setView, state, touch, view, watch } from "./store.js";

const pointers = new Map();
let gesture = null; // what is being done: { kind, ... }
let spaceHeld = false;
let pinch = null;

const whole = ([x, y]) => [Math.floor(x), Math.floor(y)];
const isStroke = (tool) => tool === "brush" || tool === "eraser" || tool === "scribble";
const radiusOf = () => view.radius;

function begin(point, { negative = false, moving = false } = {}) {
  const tool = moving ? "pan" : view.tool;
  if (tool === "pan") gesture = { kind: "pan" };
  else if (tool === "box") gesture = { kind: "box", from: point, to: point };
  else if (tool === "click") gesture = { kind: "click", point, inside: view.inside && !negative };
  else {
    let kind = tool;
    if (tool === "scribble") kind = view.inside && !negative ? "inside" : "outside";
    else if (negative) kind = "eraser";
    const colour = kind === "eraser" ? "#000000" : kind === "outside" ? "#ff4444" : (objectOf(view.object)?.colour ?? "#ff5a5f");
    const radius = radiusOf();
    const stroke = { points: [whole(point)], radius, colour, dashed: tool === "scribble" };
    gesture = { kind, stroke };
    ink.strokes.push(stroke);
  }
  touch();
}

function move(point) {
  if (!gesture) return;
  if (gesture.kind === "box") {
    gesture.to = point;
    ink.box = boxOf(gesture);
  } else if (gesture.stroke) {
    const last = gesture.stroke.points.at(-1);
    const [x, y] = whole(point);
    if (x !== last[0] || y !== last[1]) gesture.stroke.points.push([x, y]);
  }
  touch();
}

async function end() {
  const done = gesture;
  gesture = null;
  if (!done) return;
  if (done.kind === "box") {
    const box = boxOf(done);
    if (box[2] * scale() < 5 || box[3] * scale() < 5) ink.box = null;
    else {
      ink.box = box;
      await mark({ kind: "box", box });
      ink.box = null;
    }
  } else if (done.kind === "click") {
    const point = whole(done.point);
    const inFrame = point[0] >= 0 && point[1] >= 0 && point[0] < state.width && point[1] < state.height;
    if (inFrame) await mark({ kind: "click", point, inside: done.inside });
  } else if (done.stroke) {
    const { points, radius } = done.stroke;
    const frame = view.frame;
    await mark({ kind: done.kind, points: points.slice(0, 20000), radius });
    // stays until the mask that it made is there
    if (view.frame === frame) await labels.want(frame).catch(() => {});
    ink.strokes.splice(ink.strokes.indexOf(done.stroke), 1);
  }
  touch();
}

function drop() {
  if (gesture?.stroke) ink.strokes.splice(ink.strokes.indexOf(gesture.stroke), 1);
  gesture = null;
  ink.box = null;
  touch();
}

function boxOf({ from, to }) {
  const left = Math.max(0, Math.floor(Math.min(from[0], to[0])));
  const top = Math.max(0, Math.floor(Math.min(from[1], to[1])));
  const right = Math.min(state.width, Math.ceil(Math.max(from[0], to[0])));
  const bottom = Math.min(state.height, Math.ceil(Math.max(from[1], to[1])));
  return [left, top, Math.max(0, right - left), Math.max(0, bottom - top)];
}

picture.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  picture.focus({ preventScroll: true });
  ink.cross = null;
  picture.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  if (view.playing) setView({ playing: false });
  if (pointers.size === 2) {
    drop(); // a second finger: zoom, do not draw
    pinch = spread();
    return;
  }
  if (pointers.size > 2) return;
  const moving = event.button === 1 || spaceHeld;
  begin(toFrame(event.clientX, event.clientY), { negative: event.button === 2 || event.altKey, moving });
});

picture.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (before) {
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (pointers.size === 2 && pinch) {
      const now = spread();
      const rectangle = picture.getBoundingClientRect();
      pan(now.x - pinch.x, now.y - pinch.y);
      zoom(now.distance / pinch.distance, now.x - rectangle.left, now.y - rectangle.top);
      pinch = now;
      return;
    }
    if (gesture?.kind === "pan") pan(event.clientX - before[0], event.clientY - before[1]);
    else {
      const all = event.getCoalescedEvents?.() ?? [];
      for (const each of all.length ? all : [event]) move(toFrame(each.clientX, each.clientY));
    }
  }
  hover(event);
});

function spread() {
  const [a, b] = [...pointers.values()];
  return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, distance: Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1])) };
}

function hover(event) {
  const [x, y] = toFrame(event.clientX, event.clientY);
  ink.cursor = event.pointerType !== "touch" && isStroke(view.tool) && !spaceHeld ? [x, y, radiusOf()] : null;
  touch();
}

for (const name of ["pointerup", "pointercancel"]) {
  picture.addEventListener(name, (event) => {
    pointers.delete(event.pointerId);
    if (pinch) {
      if (pointers.size === 0) pinch = null;
      return;
    }
    if (name === "pointercancel") drop();
    else end();
  });
}
picture.addEventListener("pointerleave", () => {
  ink.cursor = null;
  touch();
});
picture.addEventListener("contextmenu", (event) => event.preventDefault());
picture.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const rectangle = picture.getBoundingClientRect();
    const steps = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    zoom(Math.exp(-steps * 0.0016), event.clientX - rectangle.left, event.clientY - rectangle.top);
  },
  { passive: false },
);

/** Hold the picture instead of drawing on it. */
export function holdPan(held) {
  spaceHeld = held;
  touch();
}

/** Break off what is being drawn; gives whether there was anything. */
export function breakOff() {
  const was = gesture !== null || ink.cross !== null;
  drop();
  ink.cross = null;
  return was;
}

/** Move the keyboard's cross, in pixels of the frame. */
export function moveCross(dx, dy) {
  const [x, y] = ink.cross ?? [state.width / 2, state.height / 2];
  const point = [Math.max(0, Math.min(state.width - 1, x + dx)), Math.max(0, Math.min(state.height - 1, y + dy))];
  ink.cross = ink.cross ? point : [Math.floor(x), Math.floor(y)];
  if (gesture) move(ink.cross);
  touch();
}

/** Use the tool at the cross: a click at once, boxes and strokes begin and end. */
export function pressCross(negative) {
  if (!ink.cross) {
    moveCross(0, 0);
    return;
  }
  if (gesture) {
    end();
    return;
  }
  if (view.tool === "pan") return;
  begin(ink.cross, { negative });
  if (view.tool === "click") end();
}

watch(() => {
  picture.classList.toggle("panning", view.tool === "pan" || spaceHeld);
  picture.classList.toggle("none", ink.cursor !== null);
});
