"use strict";
// The examples of a report: cards that are sorted, filtered and played.

(() => {
  const examples = JSON.parse(document.getElementById("examples").textContent);
  const list = document.getElementById("list");
  const control = (name) => document.getElementById(name);
  const cards = examples.map(makeCard);
  let shown = cards;
  let current = null;

  function makeCard(example) {
    const card = { example, element: make("article", "item panel"), buffer: null, word: -1 };
    card.element.tabIndex = -1;
    card.element.append(heading(example));
    if (example.audio) {
      const wave = card.element.appendChild(make("div", "wave"));
      card.wave = new Waveform(wave, {
        onSeek: (time) => play(card, time),
        onWord: (index) => playWord(card, index),
      });
      card.wave.set(Sound.bytesOf(example.peaks), Sound.bytesOf(example.peaks).length / PEAKS_A_SECOND);
      card.wave.setWords(example.words.map(([start, end, score, first, last]) =>
        [start, end, score, example.spoken.slice(first, last)]));
    }
    addText(card);
    addCommand(card);
    return card;
  }

  function heading(example) {
    const head = make("div", "bar head");
    const left = head.appendChild(make("div", "bar"));
    if (example.audio) {
      const button = left.appendChild(make("button", "", "\u25b6"));
      button.type = "button";
      button.setAttribute("aria-label", `play ${example.key}`);
      button.addEventListener("click", () => toggle(cards.find((card) => card.example === example)));
    }
    left.append(make("span", "id", example.key));
    left.append(make("span", `badge ${example.kind}`, example.kind === "clip" ? example.rule : example.reason));
    const right = head.appendChild(make("div", "figures"));
    if (example.score !== null) right.append(make("span", "", `score ${example.score.toFixed(2)}`));
    right.append(make("span", "", duration(example.seconds)));
    if (example.speaker) right.append(make("span", "", example.speaker));
    if (example.split) right.append(make("span", "", example.split));
    return head;
  }

  function addText(card) {
    const { example, element } = card;
    const flow = element.appendChild(make("div", "flow"));
    flow.lang = "km";
    if (example.kind === "clip") {
      card.spans = flowText(flow, example.spoken, example.words, (index) => playWord(card, index));
    } else {
      appendText(flow, example.text);
      if (!example.text) flow.append(make("span", "soft small", "no text here in the transcript"));
    }
    if (example.problem) element.append(make("p", "soft small", example.problem));
    if (example.kind === "clip" && example.text !== example.spoken) {
      const written = element.appendChild(make("p", "soft small", "written: "));
      appendText(written, example.text);
    }
    const more = element.appendChild(make("details"));
    more.append(make("summary", "", example.context ? "transcript around it, and figures" : "figures"));
    if (example.context) {
      const raw = more.appendChild(make("p", "raw"));
      raw.lang = "km";
      appendText(raw, example.context[0]);
      raw.append(make("mark", "", example.context[1]));
      appendText(raw, example.context[2]);
    }
    const figures = more.appendChild(make("div", "figures"));
    figures.append(make("span", "", `${example.recording}, ${duration(example.start)} to ${duration(example.end)}`));
    for (const [name, value] of Object.entries(example.figures)) figures.append(make("span", "", `${name} ${value}`));
  }

  function addCommand(card) {
    const row = card.element.appendChild(make("div", "command"));
    row.append(make("code", "small soft", card.example.command));
    const copy = row.appendChild(make("button", "small", "Copy"));
    copy.type = "button";
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(card.example.command);
      copy.textContent = "Copied";
    });
  }

  async function load(card) {
    if (!card.buffer) card.buffer = await Sound.decode(Sound.bytesOf(card.example.audio).buffer);
    return card.buffer;
  }

  async function play(card, from, to = Infinity) {
    if (!card || !card.example.audio) return;
    choose(card, false);
    const buffer = await load(card);
    const follow = (time) => {
      card.word = card.wave.setTime(time);
      if (card.spans) markWord(card.spans, card.word);
    };
    Sound.play(buffer, from, to, follow, () => { card.wave.setTime(null); if (card.spans) markWord(card.spans, -1); });
  }

  function playWord(card, index) {
    const word = card.example.words[index];
    if (!word) return;
    card.word = index;
    play(card, word[0], word[1]);
  }

  function toggle(card) {
    if (Sound.isPlaying()) Sound.stop();
    else play(card, 0);
  }

  function choose(card, scroll = true) {
    current?.element.classList.remove("current");
    current = card;
    card.element.classList.add("current");
    if (scroll) card.element.scrollIntoView({ block: "center" });
  }

  function step(by) {
    Sound.stop();
    const next = shown[Math.max(0, Math.min(shown.length - 1, shown.indexOf(current) + by))];
    if (next) choose(next);
  }

  const value = (card, order) => ({
    score: card.example.score ?? 2, seconds: -card.example.seconds, recording: card.example.recording,
  })[order];

  function update() {
    const words = control("search").value.trim().toLowerCase();
    const [kind, recording, speaker, order] =
      ["kind", "recording", "speaker", "order"].map((name) => control(name).value);
    shown = cards.filter(({ example }) =>
      (!kind || kind === example.rule) &&
      (!recording || recording === example.recording) &&
      (!speaker || speaker === example.speaker) &&
      (!words || `${example.key} ${example.text} ${example.spoken}`.toLowerCase().includes(words)));
    if (order) shown = [...shown].sort((a, b) => (value(a, order) < value(b, order) ? -1 : value(a, order) > value(b, order) ? 1 : 0));
    list.replaceChildren(...shown.map((card) => card.element));
    control("count").textContent = `${shown.length} of ${cards.length} examples`;
  }

  function fill(name) {
    const values = [...new Set(examples.map((example) => example[name]).filter(Boolean))].sort();
    for (const text of values) control(name === "rule" ? "kind" : name).append(new Option(text, text));
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = {
      j: () => step(1), k: () => step(-1), " ": () => toggle(current || shown[0]),
      ArrowRight: () => current && playWord(current, current.word + 1),
      ArrowLeft: () => current && playWord(current, Math.max(0, current.word - 1)),
      "/": () => control("search").focus(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  ["rule", "recording", "speaker"].forEach(fill);
  for (const name of ["search", "kind", "recording", "speaker", "order"]) control(name).addEventListener("input", update);
  update();
  document.body.dataset.ready = "yes";
})();
