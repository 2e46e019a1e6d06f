// What the server says (`state`) and what this page shows of it (`view`), and who wants to know.

export const state = { ready: false, frames: 0, width: 1, height: 1, rate: 24, objects: [], marks: {}, fresh: [], there: [], doubts: [], exports: [], job: null, revision: -1 };

export const view = {
  frame: 0,
  object: null,
  tool: "box",
  inside: true,
  radius: 14,
  opacity: 0.5,
  visible: true,
  follow: true,
  playing: false,
};

const listeners = new Set();
let asked = false;

/** Call `listen` after every change, at most once a picture of the screen. */
export function watch(listen) {
  listeners.add(listen);
}

export function touch() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    for (const listen of listeners) listen();
  });
}

export function setView(changes) {
  Object.assign(view, changes);
  touch();
}

export function setState(record) {
  Object.assign(state, record, { ready: true });
  view.frame = Math.min(view.frame, Math.max(0, state.frames - 1));
  if (!state.objects.some((each) => each.id === view.object)) {
    view.object = state.objects.length ? state.objects[0].id : null;
  }
  touch();
}

export function objectOf(id) {
  return state.objects.find((each) => each.id === id);
}

export function inSpans(spans, index) {
  return spans.some(([first, stop]) => index >= first && index < stop);
}

export const isRunning = () => state.job !== null && state.job.state === "running";
