"use strict";
// --- Read ---

let reading = null;
const page = (() => {
  const pane = $("#pane").content.firstElementChild.cloneNode(true);
  $(".controls", pane).remove();
  $(".status", pane).remove();
  $("#pages").append(pane);
  return new View(pane);
})();

async function read() {
  reading?.abort();
  const mine = reading = new AbortController();
  const run = runs.now, text = $("#given").value, total = $("#total");
  total.classList.remove("bad");
  $("#surprises").replaceChildren();
  if (!text || !run || !$("#reader").value) return total.textContent = text ? "The run has no checkpoint yet." : "Paste a text first.";
  page.clear();
  let note = "";
  try {
    await stream({run: run.name, checkpoint: $("#reader").value, prompt: text, length: 0, temperature: 1, unknown: "skip"}, reading.signal, line => {
      if (line.error) throw Error(line.error);
      if (line.note) note = " Characters that the network does not know were left out.";
      if (line.symbols) page.append(line.symbols, 0);
      total.textContent = `${page.symbols.length} characters, ${(page.bits / Math.max(1, page.symbols.length)).toFixed(4)} bits each, ` +
        `${page.bits.toFixed(1)} in all.` + (line.end === "time" ? " The time was not enough for more." : "") + note;
    });
    const places = page.symbols.map((symbol, i) => i).sort((a, b) => page.symbols[b][1] - page.symbols[a][1]).slice(0, 5);
    const around = (from, to) => page.symbols.slice(Math.max(0, from), to).map(s => s[0] === "\n" ? "\u21b5" : s[0]).join("");
    $("#surprises").replaceChildren(...places.map(i => {
      const item = make("li"), button = make("button", `${around(i - 25, i)}[${around(i, i + 1)}]${around(i + 1, i + 12)}  ${page.symbols[i][1].toFixed(1)} bits`);
      button.addEventListener("click", () => page.select(i));
      item.append(button);
      return item;
    }));
    trouble();
  } catch (error) {
    if (error.name === "AbortError" || mine !== reading) return;
    total.classList.add("bad");
    total.textContent = error instanceof Silence ? "" : error.message;
    if (error instanceof Silence) trouble(error);
  }
}
$("#score").addEventListener("click", read);

// --- Runs and views ---

const tabs = [...document.querySelectorAll("[role=tab]")];
function turnTo(tab) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", other === tab);
    other.tabIndex = other === tab ? 0 : -1;
    $("#" + other.getAttribute("aria-controls")).hidden = other !== tab;
  }
  list().then(poll);
}
for (const tab of tabs) {
  tab.addEventListener("click", () => turnTo(tab));
  tab.addEventListener("keydown", event => {
    const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!by) return;
    const next = tabs[(tabs.indexOf(tab) + by + tabs.length) % tabs.length];
    next.focus();
    turnTo(next);
  });
}

/** Runs come and go, and get checkpoints, while the page is open. */
async function list() {
  try {
    runs.all = (await (await ask("api/runs")).json()).runs;
    fill($("#run"), runs.all.map(run => run.name));
    $(".run").hidden = runs.all.length < 2;
    document.title = runs.now ? `${runs.now.name} - charnn` : "charnn";
    trouble();
    for (const pane of panes) pane.list();
    fill($("#reader"), runs.now?.checkpoints ?? []);
  } catch (error) {
    trouble(error);
  }
}
$("#run").addEventListener("change", () => {
  list().then(() => {
    if (!$("#play").hidden) writeAll();
    poll();
  });
});
setInterval(() => { if (!document.hidden) list(); }, 10000);

list().then(() => {
  panes.push(new Pane());
  const run = runs.now;
  if (run?.checkpoints.length) writeAll();
  else if (run) turnTo($("#tab-watch"));
});
