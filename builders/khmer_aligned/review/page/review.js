"use strict";
// One stretch at a time: listen, mend, decide.

(async () => {
  const settings = JSON.parse(document.getElementById("settings").textContent);
  const at = (id) => document.getElementById(id);
  const text = at("text");
  let now = null; // {index, view, buffer, fit, start, end}
  let word = -1;

  const waveform = new Waveform(at("wave"), { onSeek: (time) => play(time, edges.values[1] > time ? edges.values[1] : Infinity), onWord: playWord });
  const edges = new Edges(waveform, (start, end, done) => {
    now.start = now.view.low + start;
    now.end = now.view.low + end;
    showTimes();
    if (done) realign();
  });
  const rows = new Rows(await Server.json("/api/rows"), open);

  // ---- the stretch on display

  async function open(index) {
    if (index === null || index === undefined) return say("nothing more in this list");
    Sound.stop();
    at("reasons").hidden = true;
    const started = performance.now();
    let stretch;
    try {
      stretch = await Server.stretch(index);
    } catch (error) {
      return say(error.message, true);
    }
    now = { index, ...stretch, start: stretch.view.start, end: stretch.view.end };
    rows.show(index);
    show();
    document.body.dataset.shown = String(index);
    document.body.dataset.milliseconds = (performance.now() - started).toFixed(1);
    if (at("autoplay").checked) play(edges.values[0], edges.values[1]);
    if (now.fit) showFit(now.fit); else realign(false);
    for (const by of [1, 2]) {
      const next = [...Array(by)].reduce((i) => (i === null ? null : rows.next(i, 1, false)), index);
      if (next !== null) Server.stretch(next).catch(() => {});
    }
  }

  function show() {
    const { view } = now;
    at("key").replaceChildren();
    appendText(at("key"), view.key);
    at("what").className = `badge ${view.kind}`;
    at("what").textContent = view.kind === "clip" ? "clip" : view.reason;
    at("where").textContent = [view.speaker, view.split].filter(Boolean).join(", ");
    text.value = view.text;
    waveform.set(now.peaks, now.buffer.duration);
    waveform.setWords([]);
    at("flow").replaceChildren();
    edges.set(now.start - view.low, now.end - view.low);
    showTimes();
    showState();
    const context = at("context");
    context.replaceChildren();
    appendText(context, view.context[0]);
    context.append(make("mark", "", view.context[1]));
    appendText(context, view.context[2]);
    at("figures").replaceChildren(...Object.entries(view.figures).map(([name, value]) => make("span", "", `${name} ${value}`)));
    at("fit").textContent = "";
  }

  function showState() {
    const { view } = now;
    const state = at("verdict");
    state.className = `badge ${view.state}`;
    state.hidden = !view.state;
    state.textContent = { accept: "accepted", reject: `rejected: ${view.why}` }[view.state] || "";
    if (view.state && view.who) state.textContent += ` (${view.who})`;
    rows.setState(now.index, view.state);
  }

  const isChanged = () => text.value.trim() !== now.view.text ||
    Math.abs(now.start - now.view.start) > 0.004 || Math.abs(now.end - now.view.end) > 0.004;

  function showTimes() {
    at("times").textContent = `${now.start.toFixed(2)} to ${now.end.toFixed(2)} s, ${duration(now.end - now.start)}`;
    at("unsaved").hidden = !isChanged();
  }

  // ---- how the text fits the audio

  async function realign(speak = true) {
    const asked = now;
    const body = { index: now.index, text: text.value, start: now.start, end: now.end };
    if (!body.text.trim()) return showFit({ fits: false, problem: "no text", words: [], spoken: "" });
    if (speak) at("fit").textContent = "aligning\u2026";
    try {
      const fit = await Server.align(body);
      if (asked !== now) return;
      now.fit = fit;
      showFit(fit);
    } catch (error) {
      if (asked === now && error.name !== "AbortError") say(error.message, true);
    }
  }

  function showFit(fit) {
    const shift = now.start - now.view.low;
    waveform.setWords(fit.words.map(([start, end, score, first, last]) =>
      [start + shift, end + shift, score, fit.spoken.slice(first, last)]));
    now.spans = flowText(at("flow"), fit.spoken, fit.words, playWord);
    word = -1;
    const line = at("fit");
    line.className = `badge ${fit.fits ? "accept" : "reject"}`;
    line.textContent = fit.fits ? `fits, score ${fit.score.toFixed(2)}` : `does not fit: ${fit.problem}`;
    document.body.dataset.fits = fit.fits ? "yes" : "no";
  }

  // ---- sound

  function play(from, to) {
    const follow = (time) => {
      const index = waveform.setTime(time);
      if (index >= 0) word = index;
      if (now.spans) markWord(now.spans, index);
    };
    Sound.play(now.buffer, from, to, follow, () => { waveform.setTime(null); if (now.spans) markWord(now.spans, -1); });
  }

  function playWord(index) {
    const chosen = (waveform.words || [])[index];
    if (!chosen) return;
    play(chosen[0], Math.max(chosen[1], chosen[0] + 0.1));
    word = index;
  }

  const toggle = () => (Sound.isPlaying() ? Sound.stop() : play(edges.values[0], edges.values[1]));

  // ---- decisions

  async function decide(verdict, reason = "") {
    const decided = now;
    const body = { index: now.index, verdict, text: text.value, start: now.start, end: now.end, reason };
    try {
      const view = await Server.json("/api/decide", body);
      decided.view = view;
      Server.forget(decided.index);
      if (decided === now) { showTimes(); showState(); }
      at("reasons").hidden = true;
      document.body.dataset.decided = String(Number(document.body.dataset.decided || 0) + 1);
      return true;
    } catch (error) {
      say(error.message, true);
      return false;
    }
  }

  async function save() {
    text.blur();
    if (await decide("accept")) { say("saved"); await realign(); }
  }

  async function accept() {
    if (await decide("accept")) { say("accepted"); await open(rows.next(now.index, 1, true)); }
  }

  async function reject(reason) {
    if (await decide("reject", reason)) { say("rejected"); await open(rows.next(now.index, 1, true)); }
  }

  async function undo() {
    try {
      const view = await Server.json("/api/undo", {});
      if (view.index === null) return say("nothing to take back");
      Server.forget(view.index);
      rows.setState(view.index, view.state);
      await open(view.index);
      say(`taken back: ${view.key}`);
    } catch (error) {
      say(error.message, true);
    }
  }

  let hush = 0;
  function say(message, isError = false) {
    const line = at("message");
    line.replaceChildren();
    appendText(line, message);
    line.classList.toggle("error", isError);
    line.hidden = false;
    clearTimeout(hush);
    hush = setTimeout(() => { line.hidden = true; }, isError ? 8000 : 1500);
  }

  // ---- reasons of a rejection

  settings.reasons.forEach((reason, index) => {
    const button = make("button", "", `${index + 1}  ${reason}`);
    button.type = "button";
    button.addEventListener("click", () => reject(reason));
    at("choices").append(button);
  });
  const askReason = () => { at("reasons").hidden = false; };
  at("other").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.value.trim()) reject(event.target.value.trim());
  });

  // ---- keys and buttons

  const step = (by) => open(rows.next(now.index, by, false) ?? undefined);
  const actions = {
    " ": toggle, j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1),
    n: () => open(rows.next(now.index, 1, true)), a: accept, r: askReason, u: undo, s: save,
    e: () => { text.focus(); text.setSelectionRange(text.value.length, text.value.length); },
    w: () => playWord(Math.max(0, word)), ArrowRight: () => playWord(word + 1), ArrowLeft: () => playWord(Math.max(0, word - 1)),
    "[": () => edges.nudge(0, -0.02), "]": () => edges.nudge(0, 0.02),
    "{": () => edges.nudge(1, -0.02), "}": () => edges.nudge(1, 0.02),
    p: () => play(Math.max(edges.values[0], edges.values[1] - 1), edges.values[1]),
    "/": () => at("search").focus(), "?": () => { at("help").open = !at("help").open; },
  };
  document.addEventListener("keydown", (event) => {
    const typing = /INPUT|SELECT|TEXTAREA/.test(event.target.tagName) && event.target.type !== "checkbox";
    if ((event.ctrlKey || event.metaKey) && (event.key === "Enter" || event.key === "s")) {
      event.preventDefault();
      return save();
    }
    if (event.key === "Escape") { event.target.blur(); at("reasons").hidden = true; return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !now) return;
    const choice = settings.reasons[Number(event.key) - 1];
    const act = !at("reasons").hidden && choice ? () => reject(choice)
      : !at("reasons").hidden && event.key === "o" ? () => at("other").focus() : actions[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  const buttons = { play: toggle, accept, reject: askReason, save, undo, next: () => step(1), back: () => step(-1), menu: () => at("side").classList.toggle("open") };
  for (const [id, act] of Object.entries(buttons)) {
    at(id).addEventListener("click", (event) => { act(); event.currentTarget.blur(); });
  }
  let typed = 0;
  text.addEventListener("input", () => {
    showTimes();
    clearTimeout(typed);
    typed = setTimeout(realign, 600);
  });

  const first = settings.first >= 0 ? settings.first : rows.next(null, 1, true) ?? 0;
  await open(first);
  document.body.dataset.ready = "yes";
})();
