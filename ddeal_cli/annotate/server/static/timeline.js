// Where masks are given, what is done, and where the picture is.

import { goTo, step } from "./actions.js";
import { objectOf, state, touch, view, watch } from "./store.js";

const canvas = document.getElementById("timeline");
const context = canvas.getContext("2d");
const EDGE = 9; // room for a mark on the first and last frame
const styles = getComputedStyle(document.documentElement);
const colour = (name) => styles.getPropertyValue(name).trim();

const width = () => canvas.clientWidth - 2 * EDGE;
const xOf = (index) => EDGE + ((index + 0.5) / Math.max(1, state.frames)) * width();

function draw() {
  if (!state.ready) return;
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, w, h);
  const [top, thick] = [22, 8];
  bar(EDGE, w - EDGE, top, thick, colour("--control"));
  for (const [first, stop] of state.there) span(first, stop, top, thick, colour("--stale"));
  for (const [first, stop] of state.fresh) span(first, stop, top, thick, colour("--done"));
  for (const [first, stop] of state.doubts) span(first, stop, top, thick, colour("--doubt"));
  drawTicks(top + thick, h);
  for (const [frame, marks] of Object.entries(state.marks)) drawMark(Number(frame), marks, top);
  drawHead(h);
  canvas.setAttribute("aria-valuemax", state.frames - 1);
  canvas.setAttribute("aria-valuenow", view.frame);
}

function bar(left, right, top, thick, fill) {
  context.fillStyle = fill;
  context.beginPath();
  context.roundRect(left, top, Math.max(1.5, right - left), thick, 3);
  context.fill();
}

function span(first, stop, top, thick, fill) {
  const share = width() / Math.max(1, state.frames);
  bar(EDGE + first * share, EDGE + stop * share, top, thick, fill);
}

function drawTicks(top, bottom) {
  const share = width() / Math.max(1, state.frames);
  const apart = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000].find((each) => each * share >= 56) ?? 100000;
  context.fillStyle = colour("--faint");
  context.font = "10px system-ui, sans-serif";
  context.textAlign = "center";
  context.globalAlpha = 0.75;
  for (let i = 0; i < state.frames; i += apart) context.fillText(String(i), Math.max(8, xOf(i)), bottom - 1);
  context.globalAlpha = 1;
}

/** A diamond in the objects' colours. */
function drawMark(frame, marks, top) {
  const x = xOf(frame);
  const ids = marks.objects.slice(0, 4);
  const shades = ids.length ? ids.map((id) => objectOf(id)?.colour ?? "#888888") : ["#666666"];
  context.save();
  context.beginPath();
  context.moveTo(x, top - 15);
  context.lineTo(x + 6.5, top - 8.5);
  context.lineTo(x, top - 2);
  context.lineTo(x - 6.5, top - 8.5);
  context.closePath();
  context.clip();
  shades.forEach((shade, place) => {
    context.fillStyle = shade;
    context.fillRect(x - 6.5 + (13 / shades.length) * place, top - 16, 13 / shades.length + 0.5, 15);
  });
  context.restore();
}

function drawHead(bottom) {
  const x = xOf(view.frame);
  context.fillStyle = "#ffffff";
  context.fillRect(x - 1, 4, 2, bottom - 14);
  context.beginPath();
  context.moveTo(x - 5, 0);
  context.lineTo(x + 5, 0);
  context.lineTo(x + 5, 4);
  context.lineTo(x, 9);
  context.lineTo(x - 5, 4);
  context.fill();
}

function frameAt(event) {
  const left = canvas.getBoundingClientRect().left + EDGE;
  return Math.floor(((event.clientX - left) / Math.max(1, width())) * state.frames);
}

export function wire() {
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    goTo(frameAt(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) goTo(frameAt(event));
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    step(event.deltaY + event.deltaX > 0 ? 1 : -1);
  }, { passive: false });
  watch(draw);
  new ResizeObserver(touch).observe(canvas);
}
