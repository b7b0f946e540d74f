"use strict";
// A waveform: peaks on a canvas, the words below it, and a line where the sound is.

const PEAKS_A_SECOND = 60;

function sureness(score) {
  return score < 0.3 ? "doubtful" : score < 0.6 ? "unsure" : "";
}

// The peaks of decoded samples, as Python makes them for a page.
function peaksOf(samples, rate) {
  const hop = Math.max(1, Math.floor(rate / PEAKS_A_SECOND));
  const peaks = new Float32Array(Math.ceil(samples.length / hop));
  let most = 1e-6;
  for (let i = 0; i < peaks.length; i++) {
    let peak = 0;
    for (let k = i * hop; k < Math.min(samples.length, (i + 1) * hop); k++) {
      const level = Math.abs(samples[k]);
      if (level > peak) peak = level;
    }
    peaks[i] = peak;
    if (peak > most) most = peak;
  }
  return Uint8Array.from(peaks, (peak) => Math.round((255 * peak) / most));
}

class Waveform {
  // onSeek(seconds) is called for a click on the canvas, onWord(index) for one on a word.
  constructor(element, { onSeek, onWord }) {
    this.element = element;
    this.canvas = element.appendChild(document.createElement("canvas"));
    this.line = element.appendChild(document.createElement("div"));
    this.line.className = "head-line";
    this.line.hidden = true;
    this.lane = element.appendChild(document.createElement("div"));
    this.lane.className = "lane";
    this.peaks = new Uint8Array(0);
    this.seconds = 0;
    this.chosen = null; // [from, to] seconds that are drawn in full colour
    this.canvas.addEventListener("click", (event) => onSeek(this.timeAt(event.clientX)));
    this.onWord = onWord;
    this.now = -1;
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  timeAt(clientX) {
    const box = this.canvas.getBoundingClientRect();
    return Math.max(0, Math.min(1, (clientX - box.left) / box.width)) * this.seconds;
  }

  set(peaks, seconds) {
    this.peaks = peaks;
    this.seconds = seconds;
    this.draw();
  }

  // words: [start, end, score, text] in seconds of this waveform.
  setWords(words) {
    this.words = words;
    this.now = -1;
    this.lane.replaceChildren(...words.map(([start, end, score, text], index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.tabIndex = -1;
      button.textContent = text;
      button.title = `${text}  ${start.toFixed(2)} s, score ${score.toFixed(2)}`;
      button.className = sureness(score);
      button.style.left = `${(100 * start) / this.seconds}%`;
      button.style.width = `calc(${(100 * Math.max(0, end - start)) / this.seconds}% - 1px)`;
      button.addEventListener("click", () => this.onWord(index));
      return button;
    }));
  }

  // Moves the line; returns the word that is spoken then, or -1.
  setTime(time) {
    this.line.hidden = time === null;
    if (time !== null) this.line.style.left = `${(100 * time) / this.seconds}%`;
    const words = this.words || [];
    let index = -1;
    if (time !== null) {
      for (let i = 0; i < words.length; i++) if (words[i][0] <= time && time < words[i][1]) index = i;
    }
    if (index !== this.now) {
      this.lane.children[this.now]?.classList.remove("now");
      this.lane.children[index]?.classList.add("now");
      this.now = index;
    }
    return index;
  }

  draw() {
    const { canvas, peaks } = this;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width || !this.seconds) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const style = getComputedStyle(document.documentElement);
    const [plain, full] = ["--wave", "--played"].map((name) => style.getPropertyValue(name).trim());
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const step = 3;
    for (let x = 0; x < width; x += step) {
      const lo = Math.floor((x / width) * peaks.length);
      const hi = Math.max(lo + 1, Math.floor(((x + step) / width) * peaks.length));
      let peak = 0;
      for (let i = lo; i < Math.min(hi, peaks.length); i++) peak = Math.max(peak, peaks[i]);
      const tall = Math.max(1, (peak / 255) * (height - 4));
      const time = ((x + step / 2) / width) * this.seconds;
      const inside = this.chosen && this.chosen[0] <= time && time <= this.chosen[1];
      pen.fillStyle = inside ? full : plain;
      pen.fillRect(x, (height - tall) / 2, step - 1, tall);
    }
  }
}
