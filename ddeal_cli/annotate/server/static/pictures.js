// Frames and label maps, fetched when needed; a few are kept.

import * as api from "./api.js";
import { state } from "./store.js";

class Cache {
  constructor(load, most, drop = () => {}) {
    this.load = load;
    this.most = most;
    this.drop = drop;
    this.found = new Map();
    this.coming = new Map();
  }

  get(index) {
    return this.found.get(index);
  }

  /** Fetch unless it is there; several who ask share one request. */
  async want(index) {
    if (this.found.has(index)) return this.found.get(index);
    if (!this.coming.has(index)) {
      const stop = new AbortController();
      const request = { stop, promise: null };
      request.promise = this.load(index, stop.signal)
        .then((value) => {
          if (this.coming.get(index) === request) {
            this.found.set(index, value);
            this.trim(index);
          }
          return value;
        })
        .finally(() => {
          if (this.coming.get(index) === request) this.coming.delete(index);
        });
      this.coming.set(index, request);
    }
    return this.coming.get(index).promise;
  }

  trim(near) {
    while (this.found.size > this.most()) {
      let far = near;
      for (const index of this.found.keys()) {
        if (Math.abs(index - near) > Math.abs(far - near)) far = index;
      }
      if (far === near) return;
      this.drop(this.found.get(far));
      this.found.delete(far);
    }
  }

  /** Requests that nobody waits for any more. */
  abandon(wanted) {
    for (const [index, { stop }] of this.coming) {
      if (!wanted.has(index)) {
        this.coming.delete(index);
        stop.abort();
      }
    }
  }

  forget(first, stop) {
    for (const index of [...this.found.keys()]) {
      if (index >= first && index < stop) this.found.delete(index);
    }
    for (const index of [...this.coming.keys()]) {
      if (index >= first && index < stop) this.coming.delete(index);
    }
  }
}

const room = (bytes) => () => Math.max(6, Math.min(160, Math.floor(bytes / (state.width * state.height))));

export const frames = new Cache(api.frameBitmap, room(64 << 20), (bitmap) => bitmap.close());
export const labels = new Cache(api.labels, room(64 << 20));

let revision = -1;
let reached = null;

/** Drop label maps that a new state has made old. */
export function invalidate() {
  if (state.revision !== revision) {
    revision = state.revision;
    labels.forget(0, Infinity);
  }
  const job = state.job;
  if (job === null || job.frame === null) return;
  if (job.state !== "running") {
    if (reached !== null) labels.forget(0, Infinity);
    reached = null;
    return;
  }
  // events may come together: everything since the last one is new
  labels.forget(reached === null ? 0 : reached, job.frame + 1);
  reached = job.frame;
}
