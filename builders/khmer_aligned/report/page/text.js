"use strict";
// Text as text: nothing in it is markup, and what would turn its direction is shown.

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) appendText(element, text);
  return element;
}

function appendText(element, text) {
  let at = 0;
  for (const match of text.matchAll(CONTROLS)) {
    element.append(text.slice(at, match.index));
    const sign = document.createElement("span");
    sign.className = "control";
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    sign.textContent = `U+${code}`;
    element.append(sign);
    at = match.index + match[0].length;
  }
  element.append(text.slice(at));
}

// The spoken text with its words as elements; words: [start, end, score, first, last].
function flowText(element, spoken, words, onWord) {
  element.replaceChildren();
  const spans = [];
  let at = 0;
  words.forEach(([, , score, first, last], index) => {
    appendText(element, spoken.slice(at, first));
    const word = make("span", `word ${sureness(score)}`, spoken.slice(first, last));
    word.addEventListener("click", () => onWord(index));
    element.append(word);
    spans.push(word);
    at = last;
  });
  appendText(element, spoken.slice(at));
  return spans;
}

function markWord(spans, index) {
  for (const span of spans) span.classList.remove("now");
  spans[index]?.classList.add("now");
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  return seconds < 60 ? `${seconds.toFixed(2)} s` : `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}
