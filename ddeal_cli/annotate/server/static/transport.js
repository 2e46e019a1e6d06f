// Stepping, playing, and how a run goes.

import * as actions from "./actions.js";
import { complain, tell } from "./message.js";
import { frames, labels } from "./pictures.js";
import { isRunning, setView, state, view, watch } from "./store.js";

const byId = (id) => document.getElementById(id);
const AHEAD = 8;

export function togglePlay() {
  if (view.playing) {
    setView({ playing: false });
    return;
  }
  if (view.frame >= state.frames - 1) actions.goTo(0);
  setView({ playing: true });
  play();
}

/** At the video's rate, or as fast as frames come. */
async function play() {
  let due = performance.now();
  while (view.playing) {
    const next = view.frame + 1;
    if (next >= state.frames) break;
    for (let i = next + 1; i < Math.min(next + AHEAD, state.frames); i += 1) {
      frames.want(i).catch(() => {});
      labels.want(i).catch(() => {});
    }
    try {
      await Promise.all([frames.want(next), labels.want(next)]);
    } catch (error) {
      if (error.name !== "AbortError") complain(error.message);
      break;
    }
    due += 1000 / state.rate;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    else due = performance.now();
    if (!view.playing) return;
    actions.goTo(next, { byHand: false });
  }
  setView({ playing: false });
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}

function left(job) {
  if (!job.rate || job.done >= job.total) return "";
  const seconds = Math.round((job.total - job.done) / job.rate);
  return `, ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} left`;
}

function jobSays(job) {
  const what = job.what === "segment" ? "Segmenting" : "Exporting";
  if (job.state === "running") return `${what}: ${job.done}/${job.total}, ${job.rate.toFixed(1)} frames/s${left(job)}`;
  if (job.state === "cancelled") return `${what} was cancelled after ${job.done} frames`;
  if (job.state === "done") return job.what === "segment" ? `${job.done} frames done` : "Exported";
  return "";
}

let told = null; // number of the job whose end the person knows of

/** Tell how a job ended, once. */
function noticeEnd(job) {
  const ended = job === null ? 0 : job.state === "running" ? job.number - 1 : job.number;
  if (told !== null && ended > told && job.number === ended) {
    if (job.state === "failed") complain(job.message);
    else if (job.state === "done" && job.what === "export") tell(job.message);
  }
  told = ended;
}

function show() {
  const field = byId("frame");
  if (document.activeElement !== field) field.value = view.frame;
  field.max = Math.max(0, state.frames - 1);
  byId("of").textContent = state.ready ? `of ${state.frames}` : "";
  byId("time").textContent = state.ready ? clock(view.frame / state.rate) : "";
  byId("play-icon").setAttribute("href", view.playing ? "#i-pause" : "#i-play");
  byId("play").setAttribute("aria-label", view.playing ? "Pause" : "Play");
  const job = state.job;
  const running = isRunning();
  byId("job").textContent = job ? jobSays(job) : "";
  byId("progress").hidden = !running;
  if (running) byId("progress").value = job.total ? job.done / job.total : 0;
  const button = byId("segment");
  button.textContent = running ? "Cancel" : state.there.length ? "Segment again" : "Segment";
  button.classList.toggle("stop", running);
  button.classList.toggle("main", !running);
  const given = Object.values(state.marks).some((each) => each.objects.length);
  const all = state.fresh.reduce((sum, [first, stop]) => sum + stop - first, 0) === state.frames;
  button.disabled = !running && (!given || all);
}

/** Called with every new state that the server sends by itself. */
export function onState() {
  noticeEnd(state.job);
  actions.followRun();
}

export function wire() {
  byId("first").addEventListener("click", () => actions.goTo(0));
  byId("last").addEventListener("click", () => actions.goTo(state.frames - 1));
  byId("back").addEventListener("click", () => actions.step(-1));
  byId("next").addEventListener("click", () => actions.step(1));
  byId("mark-back").addEventListener("click", () => actions.goToMark(-1));
  byId("mark-next").addEventListener("click", () => actions.goToMark(1));
  byId("play").addEventListener("click", togglePlay);
  byId("segment").addEventListener("click", actions.segment);
  const field = byId("frame");
  field.addEventListener("change", () => {
    if (field.value !== "") actions.goTo(Number(field.value));
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "Escape") byId("picture").focus();
  });
  watch(show);
}
