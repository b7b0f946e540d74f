"use strict";
// The list of stretches: filtered and ordered, with the ones around the current one shown.

class Rows {
  constructor(rows, onChoose) {
    this.rows = rows;
    this.onChoose = onChoose;
    this.list = document.getElementById("rows");
    this.order = rows.map((_, index) => index); // what the filters leave, in order
    for (const name of ["kind", "state", "reason", "recording", "speaker", "order"]) {
      document.getElementById(name).addEventListener("input", () => { this.filter(); this.enter(); });
    }
    document.getElementById("search").addEventListener("input", () => this.filter());
    document.getElementById("search").addEventListener("change", () => this.enter());
    this.fill("reason");
    this.fill("recording");
    this.fill("speaker");
    this.filter();
  }

  fill(name) {
    const select = document.getElementById(name);
    const values = [...new Set(this.rows.map((row) => row[name]).filter(Boolean))].sort();
    for (const value of values.slice(0, 2000)) select.append(new Option(value, value));
    select.hidden = values.length < 2;
  }

  filter() {
    const value = (name) => document.getElementById(name).value;
    const words = value("search").trim().toLowerCase();
    const state = value("state");
    this.order = [];
    this.rows.forEach((row, index) => {
      const fits = (!value("kind") || row.kind === value("kind")) &&
        (!state || (state === "open" ? !row.state : row.state === state)) &&
        ["reason", "recording", "speaker"].every((name) => !value(name) || row[name] === value(name)) &&
        (!words || `${row.key} ${row.text}`.toLowerCase().includes(words));
      if (fits) this.order.push(index);
    });
    const by = {
      seconds: (row) => -row.seconds,
      recording: (row) => row.key,
    }[value("order")];
    if (by) this.order.sort((a, b) => (by(this.rows[a]) < by(this.rows[b]) ? -1 : 1));
    this.show();
  }

  // Goes to the first stretch of a list that does not hold the current one.
  enter() {
    if (this.order.length && !this.order.includes(this.current)) {
      this.onChoose(this.next(null, 1, true) ?? this.order[0]);
    }
  }

  // The stretch that is `by` places further on; undecided: skip those that are decided.
  next(current, by, undecided) {
    let at = this.order.indexOf(current);
    if (at < 0) at = by > 0 ? -1 : this.order.length;
    for (at += by; at >= 0 && at < this.order.length; at += by) {
      if (!undecided || !this.rows[this.order[at]].state) return this.order[at];
    }
    return null;
  }

  setState(index, state) {
    this.rows[index].state = state;
    this.show();
  }

  show(current = this.current) {
    this.current = current;
    const at = Math.max(0, this.order.indexOf(current));
    const first = Math.max(0, at - 20);
    this.list.replaceChildren(...this.order.slice(first, first + 80).map((index) => this.element(index)));
    this.list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    const decided = this.rows.filter((row) => row.state).length;
    document.getElementById("done").textContent = `${decided.toLocaleString("en")} of ${this.rows.length.toLocaleString("en")} checked`;
    document.getElementById("progress").style.width = `${(100 * decided) / Math.max(1, this.rows.length)}%`;
    document.getElementById("shown").textContent = `${this.order.length.toLocaleString("en")} shown`;
  }

  element(index) {
    const row = this.rows[index];
    const button = make("button", `row ${row.state}`);
    button.type = "button";
    if (index === this.current) button.setAttribute("aria-current", "true");
    const top = button.appendChild(make("span", "row-top"));
    top.append(make("span", `dot ${row.state || (row.kind === "clip" ? "" : "was-rejected")}`));
    top.append(make("span", "id", row.key));
    top.append(make("span", "soft", row.kind === "clip" ? (row.score ?? 0).toFixed(2) : ""));
    button.append(make("span", "row-text", row.text || row.reason));
    button.addEventListener("click", () => this.onChoose(index));
    return button;
  }
}
