"use strict";
// The two edges of a stretch on its waveform: dragged, or moved by keys.

class Edges {
  // onMove(start, end, done) is called while an edge moves, with done when it is let go.
  constructor(waveform, onMove) {
    this.waveform = waveform;
    this.onMove = onMove;
    this.values = [0, 0]; // seconds of the waveform
    this.handles = ["start", "end"].map((name, which) => {
      const handle = waveform.element.appendChild(document.createElement("div"));
      handle.className = `edge ${name}`;
      handle.title = `${name} of the clip: drag it`;
      handle.setAttribute("role", "slider");
      handle.setAttribute("aria-label", `${name} of the clip`);
      handle.tabIndex = 0;
      handle.addEventListener("pointerdown", (event) => this.drag(event, which));
      handle.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
        if (!by) return;
        event.preventDefault();
        event.stopPropagation();
        this.nudge(which, by);
      });
      return handle;
    });
    this.shades = [0, 1].map(() => {
      const shade = waveform.element.appendChild(document.createElement("div"));
      shade.className = "shade";
      return shade;
    });
  }

  set(start, end) {
    this.values = [start, end];
    this.show();
  }

  show() {
    const whole = this.waveform.seconds || 1;
    this.handles.forEach((handle, which) => {
      handle.style.left = `${(100 * this.values[which]) / whole}%`;
      handle.setAttribute("aria-valuenow", this.values[which].toFixed(2));
    });
    this.shades[0].style.cssText = `left:0;width:${(100 * this.values[0]) / whole}%`;
    this.shades[1].style.cssText = `left:${(100 * this.values[1]) / whole}%;right:0`;
    this.waveform.chosen = [...this.values];
    this.waveform.draw();
  }

  move(which, seconds, done) {
    const [start, end] = this.values;
    const least = 0.05;
    const whole = this.waveform.seconds;
    this.values[which] = which === 0
      ? Math.max(0, Math.min(seconds, end - least))
      : Math.min(whole, Math.max(seconds, start + least));
    this.show();
    this.onMove(this.values[0], this.values[1], done);
  }

  nudge(which, by) {
    this.move(which, this.values[which] + by, true);
  }

  drag(event, which) {
    event.preventDefault();
    const handle = this.handles[which];
    handle.setPointerCapture(event.pointerId);
    const follow = (moved) => this.move(which, this.waveform.timeAt(moved.clientX), false);
    const drop = (moved) => {
      handle.removeEventListener("pointermove", follow);
      handle.removeEventListener("pointerup", drop);
      handle.removeEventListener("pointercancel", drop);
      this.move(which, this.waveform.timeAt(moved.clientX), true);
    };
    handle.addEventListener("pointermove", follow);
    handle.addEventListener("pointerup", drop);
    handle.addEventListener("pointercancel", drop);
  }
}
