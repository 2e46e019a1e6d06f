// The picture: frame, masks and hints, with zoom and pan.

import { frames, labels } from "./pictures.js";
import { tinted } from "./overlay.js";
import { objectOf, state, touch, view, watch } from "./store.js";
import { complain } from "./message.js";

const stage = document.getElementById("stage");
const canvas = document.getElementById("picture");
const context = canvas.getContext("2d", { alpha: false });
const shownZoom = document.getElementById("zoom-shown");
const busy = document.getElementById("busy");

const place = { scale: 1, x: 0, y: 0, fitted: true };
let shownFrame = null; // bitmap on screen: stays until the next one is there
let tint = null; // { labels, opacity, objects, canvas }
let working = 0;

/** Drawn by the tools on top: what is being drawn, in pixels of the frame. */
export const ink = { strokes: [], box: null, cursor: null, cross: null };

export const picture = canvas;

export function toFrame(clientX, clientY) {
  const rectangle = canvas.getBoundingClientRect();
  return [
    (clientX - rectangle.left - place.x) / place.scale,
    (clientY - rectangle.top - place.y) / place.scale,
  ];
}

export function toScreen(x, y) {
  return [x * place.scale + place.x, y * place.scale + place.y];
}

export const scale = () => place.scale;

function fit() {
  const { clientWidth, clientHeight } = stage;
  place.scale = Math.min(clientWidth / state.width, clientHeight / state.height) || 1;
  place.x = (clientWidth - state.width * place.scale) / 2;
  place.y = (clientHeight - state.height * place.scale) / 2;
}

export function fitPicture() {
  place.fitted = true;
  touch();
}

export function pan(dx, dy) {
  place.fitted = false;
  place.x += dx;
  place.y += dy;
  keepInside();
  touch();
}

/** Zoom about a point of the stage, or its middle. */
export function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const least = Math.min(1, stage.clientWidth / state.width, stage.clientHeight / state.height) / 2;
  const next = Math.min(32, Math.max(least, place.scale * factor));
  place.x = x - ((x - place.x) / place.scale) * next;
  place.y = y - ((y - place.y) / place.scale) * next;
  place.scale = next;
  place.fitted = false;
  keepInside();
  touch();
}

function keepInside() {
  const spare = 60;
  const [w, h] = [state.width * place.scale, state.height * place.scale];
  place.x = Math.min(stage.clientWidth - spare, Math.max(spare - w, place.x));
  place.y = Math.min(stage.clientHeight - spare, Math.max(spare - h, place.y));
}

/** Show that something is being worked out until the promise is settled. */
export function whileBusy(promise) {
  working += 1;
  touch();
  return promise.finally(() => {
    working -= 1;
    touch();
  });
}

/** Fetch what the view needs, then draw again. */
export async function load() {
  const wanted = view.frame;
  const near = new Set();
  for (let i = wanted - 3; i <= wanted + 8; i += 1) near.add(i);
  frames.abandon(near);
  labels.abandon(near);
  if (frames.get(wanted) && labels.get(wanted)) return;
  try {
    await Promise.all([frames.want(wanted), labels.want(wanted)]);
    touch();
  } catch (error) {
    if (error.name !== "AbortError") complain(error.message);
  }
}

function draw() {
  if (!state.ready) return;
  load();
  busy.hidden = working === 0 && frames.get(view.frame) !== undefined;
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [stage.clientWidth, stage.clientHeight];
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  if (place.fitted) fit();
  shownZoom.textContent = `${Math.round(place.scale * 100)} %`;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#0b0c0e";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.setTransform(ratio * place.scale, 0, 0, ratio * place.scale, ratio * place.x, ratio * place.y);
  context.imageSmoothingEnabled = place.scale < 3;
  context.imageSmoothingQuality = "high";

  const bitmap = frames.get(view.frame);
  if (bitmap) shownFrame = bitmap;
  if (shownFrame && shownFrame.width) context.drawImage(shownFrame, 0, 0);
  else {
    context.fillStyle = "#16181c";
    context.fillRect(0, 0, state.width, state.height);
  }
  if (view.visible) {
    drawMasks();
    if (!view.playing) drawHints();
  }
  drawInk();
  picture.dataset.frame = bitmap && labels.get(view.frame) ? view.frame : "";
}

function drawMasks() {
  const found = labels.get(view.frame);
  const colours = state.objects.map((each) => `${each.id}${each.colour}`).join();
  if (found && (!tint || tint.labels !== found || tint.opacity !== view.opacity || tint.colours !== colours)) {
    tint = { labels: found, opacity: view.opacity, colours, canvas: tinted(found, view.opacity) };
  }
  // of the frame before: shown until its successor is there, lest it flickers
  if (tint && tint.labels.length === state.width * state.height) context.drawImage(tint.canvas, 0, 0);
}

function drawHints() {
  const marks = state.marks[view.frame];
  if (!marks) return;
  const one = 1 / place.scale;
  for (const [id, hints] of Object.entries(marks.hints)) {
    const object = objectOf(Number(id));
    if (!object) continue;
    const faint = object.id === view.object ? 1 : 0.45;
    context.globalAlpha = faint;
    if (hints.box) drawBox(hints.box, object.colour, one);
    for (const point of hints.inside) drawPoint(point, true, object.colour, one);
    for (const point of hints.outside) drawPoint(point, false, object.colour, one);
    context.globalAlpha = 1;
  }
}

function drawBox([x, y, width, height], colour, one) {
  context.lineWidth = 3 * one;
  context.strokeStyle = "rgb(0 0 0 / 0.6)";
  context.strokeRect(x, y, width, height);
  context.lineWidth = 1.5 * one;
  context.strokeStyle = colour;
  context.setLineDash([6 * one, 4 * one]);
  context.strokeRect(x, y, width, height);
  context.setLineDash([]);
}

function drawPoint([x, y], inside, colour, one) {
  const [cx, cy, r] = [x + 0.5, y + 0.5, 6.5 * one];
  context.beginPath();
  context.arc(cx, cy, r, 0, 7);
  context.fillStyle = inside ? colour : "#15171a";
  context.fill();
  context.lineWidth = 1.6 * one;
  context.strokeStyle = inside ? "#15171a" : colour;
  context.stroke();
  context.beginPath();
  context.moveTo(cx - r / 2, cy);
  context.lineTo(cx + r / 2, cy);
  if (inside) {
    context.moveTo(cx, cy - r / 2);
    context.lineTo(cx, cy + r / 2);
  }
  context.stroke();
}

function drawInk() {
  const one = 1 / place.scale;
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const { points, radius, colour, dashed } of ink.strokes) {
    context.beginPath();
    context.moveTo(points[0][0] + 0.5, points[0][1] + 0.5);
    for (const [x, y] of points) context.lineTo(x + 0.5, y + 0.5);
    context.lineWidth = Math.max(2 * radius, one);
    context.strokeStyle = colour;
    context.globalAlpha = dashed ? 0.9 : 0.55;
    context.stroke();
    context.globalAlpha = 1;
  }
  if (ink.box) drawBox(ink.box, objectOf(view.object)?.colour ?? "#ffffff", one);
  if (ink.cursor) drawCursor(ink.cursor, one);
  if (ink.cross) drawCross(ink.cross, one);
}

function drawCursor([x, y, radius], one) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.lineWidth = 2.5 * one;
  context.strokeStyle = "rgb(0 0 0 / 0.6)";
  context.stroke();
  context.lineWidth = 1.2 * one;
  context.strokeStyle = "#ffffff";
  context.stroke();
}

function drawCross([x, y], one) {
  const arm = 14 * one;
  for (const [width, colour] of [[3.5, "rgb(0 0 0 / 0.65)"], [1.4, "#ffffff"]]) {
    context.beginPath();
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
    context.lineWidth = width * one;
    context.strokeStyle = colour;
    context.stroke();
  }
}

watch(draw);
new ResizeObserver(touch).observe(stage);
