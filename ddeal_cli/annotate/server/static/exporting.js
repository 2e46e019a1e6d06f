// The dialog that writes results.

import { doing } from "./actions.js";
import { isRunning, state, view, watch } from "./store.js";

const byId = (id) => document.getElementById(id);
const dialog = byId("exporting");
const list = byId("exports");
let listed = "";

// name, what the page says, greatest value; 0 for a check mark
const STEPS = [
  ["steady", "Steady edges", 0],
  ["drop_specks", "Drop specks", 0],
  ["fill_holes", "Fill holes", 0],
  ["grow", "Grow, pixels", 200],
  ["shrink", "Shrink, pixels", 200],
  ["choke", "Choke, percent", 95],
  ["feather", "Feather, pixels", 200],
];

function stepOf([name, title, most]) {
  const label = document.createElement("label");
  label.className = "line";
  const input = document.createElement("input");
  input.name = name;
  input.type = most ? "number" : "checkbox";
  if (most) Object.assign(input, { min: 0, max: most, value: 0 });
  const says = document.createElement("span");
  says.textContent = title;
  label.append(input, says);
  return label;
}

function edges() {
  const finishing = {};
  for (const input of document.querySelectorAll(".finishing input")) {
    finishing[input.name] = input.type === "checkbox" ? input.checked : Math.round(Number(input.value) || 0);
  }
  return { hard: byId("hard").checked, finishing };
}

function preview() {
  const image = byId("preview");
  if (!dialog.open || !byId("finishing").open) return;
  image.src = `/api/previews/${view.frame}?edges=${encodeURIComponent(JSON.stringify(edges()))}`;
}

function rowOf(each) {
  const row = document.createElement("li");
  const label = document.createElement("label");
  label.className = "line";
  const box = document.createElement("input");
  box.type = "checkbox";
  box.value = each.key;
  const title = document.createElement("span");
  title.textContent = each.title;
  label.append(box, title);
  const link = document.createElement("a");
  link.href = `/api/exports/${each.key}`;
  link.download = "";
  link.textContent = "Download";
  link.hidden = true;
  row.append(label, link);
  return row;
}

function show() {
  const keys = state.exports.map((each) => each.key).join();
  if (keys !== listed) {
    listed = keys;
    list.replaceChildren(...state.exports.map(rowOf));
    const first = list.querySelector("input");
    if (first) first.checked = true;
  }
  state.exports.forEach((each, place) => {
    list.children[place].querySelector("a").hidden = !each.written;
  });
  byId("output").textContent = state.output ?? "";
  const running = isRunning();
  byId("export-now").disabled = running;
  const job = state.job;
  let says = "";
  if (job && running) says = `${job.what === "export" ? "Writing" : "Segmenting"}: ${job.done}/${job.total} frames`;
  else if (job && job.what === "export") says = job.message || (job.state === "cancelled" ? "Cancelled." : "");
  byId("export-says").textContent = says;
}

export function open() {
  if (!dialog.open) dialog.showModal();
  preview();
}

export function wire() {
  byId("export").addEventListener("click", open);
  document.querySelector(".finishing").replaceChildren(...STEPS.map(stepOf));
  byId("finishing").addEventListener("toggle", preview);
  byId("finishing").addEventListener("change", preview);
  byId("preview").addEventListener("load", () => { byId("preview").hidden = false; });
  byId("preview").addEventListener("error", () => { byId("preview").hidden = true; });
  byId("export-now").addEventListener("click", async () => {
    const outputs = [...list.querySelectorAll("input:checked")].map((each) => each.value);
    if (!(await doing("export", { outputs, ...edges() }))) {
      byId("export-says").textContent = document.querySelector("#message span").textContent;
    }
  });
  watch(show);
}
