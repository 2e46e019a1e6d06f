// Talking to the server. Actions go one after the other, so that strokes keep their order.

let queue = Promise.resolve();

async function answered(response) {
  const record = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(record.error || `the server answered ${response.status}`);
  return record;
}

async function fetched(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the program does not answer: was it ended? Start it again, and reload this page");
  }
}

/** Do something; gives the state after it. */
export function act(path, body = {}) {
  const done = queue.then(async () =>
    answered(
      await fetched(`/api/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    ),
  );
  queue = done.catch(() => {});
  return done;
}

export async function project() {
  return answered(await fetched("/api/project"));
}

export async function frameBitmap(index, signal) {
  const response = await fetched(`/api/frames/${index}`, { signal });
  if (!response.ok) await answered(response);
  return createImageBitmap(await response.blob());
}

/** Label map as bytes, row by row. */
export async function labels(index, signal) {
  const response = await fetched(`/api/labels/${index}`, { signal });
  if (!response.ok) await answered(response);
  return new Uint8Array(await response.arrayBuffer());
}

/** Call `listen` with the state now and after every change; `lost` when nobody answers. */
export function follow(listen, lost) {
  const events = new EventSource("/api/events");
  events.onmessage = (event) => listen(JSON.parse(event.data));
  events.onerror = () => lost();
  addEventListener("pagehide", () => events.close());
}
