"use strict";
// Sound: decoded once to samples, and played from any moment to any other.

const Sound = (() => {
  let context = null;
  let playing = null; // {node, from, to, started, onTime, onEnd}

  function bytesOf(base64) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  }

  // An offline context decodes before anybody has clicked, which a page may not play before.
  function decode(arrayBuffer) {
    return new OfflineAudioContext(1, 1, 16000).decodeAudioData(arrayBuffer);
  }

  function play(buffer, from, to, onTime, onEnd) {
    stop();
    if (!buffer) return;
    context = context || new AudioContext();
    context.resume();
    const node = context.createBufferSource();
    node.buffer = buffer;
    node.connect(context.destination);
    const begin = Math.max(0, Math.min(from, buffer.duration));
    const end = Math.min(to, buffer.duration);
    const now = { node, from: begin, to: end, started: context.currentTime, onTime, onEnd };
    playing = now;
    node.onended = () => { if (playing === now) finish(); };
    node.start(0, begin, Math.max(0.01, end - begin));
    requestAnimationFrame(tick);
  }

  function tick() {
    if (!playing) return;
    playing.onTime(time());
    requestAnimationFrame(tick);
  }

  function time() {
    if (!playing) return null;
    return Math.min(playing.to, playing.from + context.currentTime - playing.started);
  }

  function finish() {
    const ended = playing;
    playing = null;
    if (ended && ended.onEnd) ended.onEnd(ended.to);
  }

  function stop() {
    if (!playing) return;
    const { node } = playing;
    node.onended = null;
    try { node.stop(); } catch (error) { /* it has not started yet */ }
    finish();
  }

  return { bytesOf, decode, play, stop, time, isPlaying: () => playing !== null };
})();
