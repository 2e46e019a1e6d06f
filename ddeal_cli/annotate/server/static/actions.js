// What a person can do, whatever button or key asks for it.

import { act } from "./api.js";
import { invalidate } from "./pictures.js";
import { complain, hide } from "./message.js";
import { fitPicture, whileBusy, zoom } from "./stage.js";
import { isRunning, setState, setView, state, touch, view } from "./store.js";

let noticed = null; // number of the last warning that was shown

export function accept(record) {
  setState(record);
  const { number, text } = state.notice;
  if (noticed !== null && number > noticed) complain(text);
  noticed = Math.max(noticed ?? 0, number);
  invalidate();
  touch();
}

/** Do it, show the state after it, or say what went wrong; gives whether it worked. */
export async function doing(path, body) {
  hide(); // what was said of the action before; a warning of this one may come before its answer
  try {
    accept(await whileBusy(act(path, body)));
    return true;
  } catch (error) {
    complain(error.message);
    return false;
  }
}

/** Mark on the frame in view; without any object, one is made first. */
export async function mark(record) {
  const frame = view.frame;
  if (view.object === null && !(await addObject())) return false;
  return doing(`frames/${frame}/mark`, { object: view.object, ...record });
}

export async function addObject() {
  const before = new Set(state.objects.map((each) => each.id));
  if (!(await doing("objects", {}))) return false;
  const added = state.objects.find((each) => !before.has(each.id));
  if (added) setView({ object: added.id });
  return true;
}

export const renameObject = (id, name) => doing(`objects/${id}/rename`, { name });
export const deleteObject = (id) => doing(`objects/${id}/delete`);
export const undo = () => doing("undo");
export const redo = () => doing("redo");
export const save = () => doing("save");

export function clearMarks() {
  const marks = state.marks[view.frame];
  if (!marks || view.object === null) return;
  doing(`frames/${view.frame}/clear`, { object: view.object });
}

export async function segment() {
  if (isRunning()) return doing("cancel");
  setView({ playing: false });
  following = (await doing("segment")) && view.follow;
  followRun();
}

export function cancel() {
  if (isRunning()) doing("cancel");
}

let following = false;

/** The picture goes along with a run, until the person goes somewhere else. */
export function followRun() {
  const job = state.job;
  if (!following || !view.follow || job === null || job.what !== "segment") return;
  if (job.frame !== null) goTo(job.frame, { byHand: false });
  if (!isRunning()) following = false;
}

export function goTo(index, { byHand = true } = {}) {
  const frame = Math.max(0, Math.min(state.frames - 1, Math.round(index)));
  if (byHand) {
    following = false;
    view.playing = false;
  }
  if (frame !== view.frame) setView({ frame });
  else touch();
}

export const step = (by) => goTo(view.frame + by);

/** To the next frame with marks, forward or back. */
export const goToMark = (direction) => goToNext(Object.keys(state.marks).map(Number), direction);

/** To the next stretch that may be wrong, forward or back. */
export const goToDoubt = (direction) => goToNext(state.doubts.map(([first]) => first), direction);

function goToNext(frames, direction) {
  const ahead = frames.filter((each) => (each - view.frame) * direction > 0);
  if (ahead.length) goTo(direction > 0 ? Math.min(...ahead) : Math.max(...ahead));
}

export function chooseTool(tool) {
  setView({ tool });
}

export function chooseObjectAt(place) {
  const object = state.objects[place];
  if (object) setView({ object: object.id });
}

export function resize(factor) {
  const next = factor > 1 ? Math.max(view.radius + 1, view.radius * factor) : Math.min(view.radius - 1, view.radius * factor);
  setView({ radius: Math.max(1, Math.min(120, Math.round(next))) });
}

export const zoomIn = () => zoom(1.3);
export const zoomOut = () => zoom(1 / 1.3);
export const zoomFit = () => fitPicture();
export const toggleMasks = () => setView({ visible: !view.visible });
export const toggleSign = () => setView({ inside: !view.inside });
