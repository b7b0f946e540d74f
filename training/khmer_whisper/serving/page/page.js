"use strict";

const part = (id) => document.getElementById(id);
const EXTENSIONS = { text: "txt", srt: "srt", vtt: "vtt", verbose_json: "json" };
let recorder = null;
let last = null; // the file or recording that was transcribed last
let running = null; // stops the request that is under way

function say(text, isError = false) {
  part("status").textContent = text;
  part("status").classList.toggle("error", isError);
}

function authorization() {
  const key = part("key").value;
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function showModel() {
  const response = await fetch("v1/models", { headers: authorization() });
  if (response.status === 401) {
    part("key-label").hidden = false;
    return;
  }
  const { data } = await response.json();
  part("model").textContent = data[0].id;
}

async function transcribe(blob, name) {
  last = { blob, name };
  running?.abort();
  const { signal } = (running = new AbortController());
  part("result").hidden = part("save").hidden = true;
  const format = part("format").value;
  const form = new FormData();
  form.append("file", blob, name);
  form.append("model", "whisper-1");
  form.append("response_format", format);
  say(`Transcribing ${name} …`);
  try {
    const response = await fetch("v1/audio/transcriptions", {
      method: "POST",
      headers: authorization(),
      body: form,
      signal,
    });
    let text = await response.text();
    if (!response.ok) {
      say(readError(response, text), true);
      return;
    }
    if (format === "verbose_json") text = JSON.stringify(JSON.parse(text), null, 2);
    show(text, name, format);
  } catch (error) {
    if (!signal.aborted) say(`The server does not answer: ${error.message}`, true);
  }
}

function readError(response, text) {
  try {
    return JSON.parse(text).error.message;
  } catch {
    return `The server answers ${response.status} ${response.statusText}`; // or a proxy before it
  }
}

function show(text, name, format) {
  say(text.trim() ? name : `${name}: no speech was found`);
  part("result").textContent = text;
  part("result").hidden = !text.trim();
  const save = part("save");
  URL.revokeObjectURL(save.href);
  save.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  save.download = `${name.replace(/\.[^.]*$/, "")}.${EXTENSIONS[format]}`;
  save.textContent = `Save ${save.download}`;
  save.hidden = !text.trim();
}

async function speak() {
  if (recorder) {
    recorder.stop();
    return;
  }
  if (!navigator.mediaDevices) {
    say("Browsers lend the microphone only to pages by https, or from this machine itself.", true);
    return;
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    say(`No microphone: ${error.message}`, true);
    return;
  }
  const blocks = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = (event) => blocks.push(event.data);
  recorder.onstop = () => {
    stream.getTracks().forEach((track) => track.stop());
    const type = recorder.mimeType;
    recorder = null;
    part("speak").textContent = "Speak";
    transcribe(new Blob(blocks, { type }), `speech.${type.includes("mp4") ? "mp4" : "webm"}`);
  };
  recorder.start();
  part("speak").textContent = "Stop";
  say("Speak now.");
}

function drop(event) {
  event.preventDefault();
  part("drop").classList.toggle("over", event.type === "dragover");
  const [file] = event.dataTransfer.files;
  if (event.type === "drop" && file) transcribe(file, file.name);
}

for (const type of ["dragover", "dragleave", "drop"]) document.addEventListener(type, drop);
part("file").addEventListener("change", () => {
  const [file] = part("file").files;
  if (file) transcribe(file, file.name);
  part("file").value = ""; // so that the same file can be chosen again
});
part("speak").addEventListener("click", speak);
part("key").addEventListener("change", showModel);
part("format").addEventListener("change", () => last && transcribe(last.blob, last.name));
showModel();
