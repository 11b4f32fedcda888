"use strict";
// --- Play ---

const runs = {all: [], get now() { return this.all.find(run => run.name === $("#run").value); }};
const panes = [];

class Pane {
  constructor() {
    this.root = $("#pane").content.firstElementChild.cloneNode(true);
    $("#panes").append(this.root);
    this.status = $(".status", this.root);
    this.checkpoint = $(".checkpoint", this.root);
    this.view = new View(this.root, text => {
      $("#prompt").value = text;
      writeAll();
    });
    for (const name of ["temperature", "top-p"]) {
      const show = () => $(`.${name}-value`, this.root).textContent = Number($("." + name, this.root).value).toFixed(2);
      $("." + name, this.root).addEventListener("input", () => { show(); this.writeSoon(); });
      show();
    }
    this.checkpoint.addEventListener("change", () => this.write());
    $(".copy", this.root).addEventListener("click", () => this.copy());
    this.list();
  }

  list() { fill(this.checkpoint, runs.now?.checkpoints ?? []); }

  async copy() {
    const text = this.view.upTo(this.view.symbols.length - 1);
    try {
      await navigator.clipboard.writeText(text);
      this.status.textContent = "copied";
    } catch {  // not allowed: the text is selected, for the user to copy
      getSelection().selectAllChildren(this.view.text);
    }
  }

  /** While a slider moves, the text is written anew as fast as the eye can follow. */
  writeSoon() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.write(), 60);
  }

  stop() { this.running?.abort(); }

  async write() {
    this.stop();
    const run = runs.now, prompt = $("#prompt").value;
    if (!run || !this.checkpoint.value) return this.say("the run has no checkpoint yet", true);
    const running = this.running = new AbortController();
    const request = {run: run.name, checkpoint: this.checkpoint.value, prompt, length: whole("#length", 400),
                     seed: whole("#seed", 1), temperature: Number($(".temperature", this.root).value),
                     top_p: Number($(".top-p", this.root).value)};
    const given = [...prompt].length, start = performance.now();
    this.say("writing");
    buttons();
    let empty = true;
    const clear = () => { if (empty) this.view.clear(); empty = false; };  // the old text stays until there is a new one
    try {
      await stream(request, running.signal, line => {
        if (line.error) throw Error(line.error);
        if (line.symbols) clear(), this.view.append(line.symbols, given);
        if (!line.end) return;
        const seconds = (performance.now() - start) / 1000, mean = this.view.bits / Math.max(1, this.view.symbols.length);
        this.say(`${line.chars} characters in ${seconds.toFixed(1)} s, ended by ${line.end}; ${mean.toFixed(2)} bits a character`);
      });
      trouble();
    } catch (error) {
      if (this.running !== running) return;  // another text is on its way
      if (error.name === "AbortError") this.say("stopped");
      else if (error instanceof Silence) trouble(error), this.say("");
      else this.say(error.message, true);
    }
    if (this.running === running) this.running = null;
    buttons();
  }

  say(text, bad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("bad", bad);
  }
}

const whole = (selector, otherwise) => {
  const number = Math.floor(Number($(selector).value));
  return Number.isFinite(number) && number >= 0 ? number : otherwise;
};
function fill(select, names) {
  const before = select.value;
  if ([...select.options].map(option => option.value).join("\n") === names.join("\n")) return;  // it may be open
  select.replaceChildren(...names.map(name => new Option(/^\d+$/.test(name) ? "step " + name : name, name)));
  select.value = names.includes(before) ? before : names[0] ?? "";
}
function writeAll() { for (const pane of panes) pane.write(); }
function buttons() {
  const writing = panes.some(pane => pane.running);
  $("#write").textContent = writing ? "Stop" : "Write";
}
$("#write").addEventListener("click", () => {
  if (panes.some(pane => pane.running)) panes.forEach(pane => pane.stop());
  else writeAll();
});
$("#again").addEventListener("click", () => {
  $("#seed").value = Math.floor(Math.random() * 1e6);
  writeAll();
});
for (const name of ["prompt", "length", "seed"])
  $("#" + name).addEventListener("input", () => panes.forEach(pane => pane.writeSoon()));
$("#compare").addEventListener("click", () => {
  const two = panes.length < 2;
  if (two) {
    panes.push(new Pane());
    $(".temperature", panes[1].root).value = 1.2;
    $(".temperature", panes[1].root).dispatchEvent(new Event("input"));
  } else {
    const pane = panes.pop();
    pane.stop();
    pane.root.remove();
  }
  $("#panes").classList.toggle("two", two);
  $("#compare").setAttribute("aria-pressed", two);
});
