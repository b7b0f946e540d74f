"use strict";
// What the page asks of the server, and what it has asked already: the next stretches are fetched
// while this one is listened to.

const Server = (() => {
  const kept = new Map(); // index -> promise of {view, buffer, fit}
  const MOST = 12;

  async function ask(path, body, signal) {
    const options = body === undefined ? {} : {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
    };
    let response;
    try {
      response = await fetch(path, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("the server does not answer; what was decided is saved: start `review` again");
    }
    if (!response.ok) {
      const text = await response.text();
      let message = text;
      try { message = JSON.parse(text).error; } catch (error) { /* a plain line */ }
      throw new Error(message);
    }
    return response;
  }

  const json = async (path, body, signal) => (await ask(path, body, signal)).json();

  async function fetchStretch(index) {
    const view = await json(`/api/stretch/${index}`);
    const audio = await ask(`/api/audio/${index}?low=${view.low}&high=${view.high}`);
    const buffer = await Sound.decode(await audio.arrayBuffer());
    return { view, buffer, peaks: peaksOf(buffer.getChannelData(0), buffer.sampleRate), fit: view.fit };
  }

  function stretch(index) {
    if (!kept.has(index)) {
      const promise = fetchStretch(index);
      promise.catch(() => kept.delete(index));
      kept.set(index, promise);
      while (kept.size > MOST) kept.delete(kept.keys().next().value);
    }
    return kept.get(index);
  }

  // One alignment at a time: a browser has six connections, and decisions must not wait.
  let aligning = null;
  function align(body) {
    if (aligning) aligning.abort();
    aligning = new AbortController();
    return json("/api/align", body, aligning.signal);
  }

  const forget = (index) => kept.delete(index);
  return { json, stretch, align, forget };
})();
