// Label maps as tinted areas with outlines.

import { state } from "./store.js";

const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { willReadFrequently: false });
let pixels = null;

function packed(colour, alpha) {
  const value = parseInt(colour.slice(1), 16);
  const [red, green, blue] = [value >> 16, (value >> 8) & 255, value & 255];
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0; // little-endian RGBA
}

/** Paint labels on a canvas of the video's size, and give it. */
export function tinted(labels, opacity) {
  const { width, height } = state;
  if (canvas.width !== width || canvas.height !== height || pixels === null) {
    canvas.width = width;
    canvas.height = height;
    pixels = context.createImageData(width, height);
  }
  const inner = new Uint32Array(256);
  const edge = new Uint32Array(256);
  for (const { id, colour } of state.objects) {
    inner[id] = packed(colour, Math.round(opacity * 255));
    edge[id] = packed(colour, opacity > 0 ? 255 : 0);
  }
  const out = new Uint32Array(pixels.data.buffer);
  const thick = Math.max(1, Math.round(Math.min(width, height) / 400));
  for (let y = 0, at = 0; y < height; y += 1) {
    const up = y >= thick ? -width * thick : 0;
    const down = y < height - thick ? width * thick : 0;
    for (let x = 0; x < width; x += 1, at += 1) {
      const id = labels[at];
      if (id === 0) {
        out[at] = 0;
        continue;
      }
      const left = x >= thick ? -thick : 0;
      const right = x < width - thick ? thick : 0;
      const outline =
        labels[at + left] !== id || labels[at + right] !== id || labels[at + up] !== id || labels[at + down] !== id;
      out[at] = outline ? edge[id] : inner[id];
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
