// The page: one connection for the events of what is looked at, and who shows them.
import { $, put, call, forgetColors, tell } from "./format.js";
import { Wall } from "./wall.js";
import { Stream } from "./stream.js";
import { Demo } from "./demo.js";
import { showCounters, setHistory } from "./counters.js";

const stream = new Stream();
const demo = new Demo(() => stream.name);
const wall = new Wall((offset, limit) => connect({ offset, limit }), (name) => open(name));
const view = { q: "", sort: "worst", only: "", offset: 0, limit: 40 };
let source, heard = 0, chosen = false;

// connect asks for the events of the present view.
function connect(change) {
  Object.assign(view, change);
  source?.close();
  const params = new URLSearchParams({ sort: view.sort, offset: view.offset, limit: view.limit });
  if (view.q) params.set("q", view.q);
  if (view.only) params.set("only", view.only);
  if (stream.name != null) {
    params.set("stream", stream.name);
    params.set("since", stream.seq);
  }
  source = new EventSource("api/v1/events?" + params);
  const on = (kind, take) => source.addEventListener(kind, (e) => {
    heard = Date.now();
    take(JSON.parse(e.data));
  });
  on("wall", (w) => {
    wall.update(w);
    settle();
  });
  on("points", (p) => stream.take(p));
  on("counters", (c) => {
    status(c.running ? "live" : "dead", c.running ? "live" : "the operator is gone");
    showCounters(c);
  });
  on("demo", (d) => demo.show(d));
  source.onerror = () => {
    status("", "connecting");
    // The browser tries again by itself unless the server refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
}

function status(kind, text) {
  $("dot").className = "dot " + kind;
  put($("status-text"), text);
}

setInterval(() => {
  if (heard && Date.now() - heard > 4000) status("dead", "no answer");
}, 1000);

// settle shows the worst stream on a wide screen until somebody chooses one.
function settle() {
  if (chosen || stream.name != null || !matchMedia("(min-width: 861px)").matches) return;
  const worst = wall.worst();
  if (worst != null) show(worst);
}

function show(name) {
  stream.open(name);
  wall.select(name);
  connect({});
}

// open is somebody's choice; it has an address.
function open(name) {
  chosen = true;
  const address = "#" + encodeURIComponent(name);
  if (location.hash !== address) history.pushState(null, "", address);
  document.body.classList.add("open");
  if (stream.name !== name) show(name);
}

function close() {
  document.body.classList.remove("open");
  if (location.hash) history.pushState(null, "", location.pathname);
  $("list").focus();
}

function byAddress() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (name) open(name);
  else document.body.classList.remove("open");
}

addEventListener("popstate", byAddress);
$("back").addEventListener("click", close);

let typing;
function filtered() {
  $("list").scrollTop = 0;
  $("list").setAttribute("aria-label", "Streams, " + $("sort").selectedOptions[0].textContent);
  connect({ q: $("q").value.trim(), sort: $("sort").value, only: $("only").checked ? "alarm" : "", offset: 0, limit: wall.window().limit });
}
$("filter").addEventListener("submit", (e) => e.preventDefault());
$("q").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(filtered, 150);
});
$("sort").addEventListener("change", filtered);
$("only").addEventListener("change", filtered);

// next goes to the stream of the latest incident that is not the one shown.
async function next() {
  try {
    const { incidents } = await call("incidents?limit=50");
    const at = incidents.findIndex((i) => i.stream === stream.name);
    const other = incidents.slice(at + 1).find((i) => i.stream !== stream.name) || incidents[0];
    if (other) open(other.stream);
  } catch (err) {
    tell(err.message);
  }
}

addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || $("ask").open) return;
  const inField = e.target.matches("input[type=search]"), inChoice = e.target.matches("select");
  if (e.key === "Escape" && (inField || inChoice)) return $("list").focus();
  if (e.key === "Escape") return close();
  if (inField) return;
  if (e.key === "/") {
    e.preventDefault();
    $("q").focus();
  } else if (inChoice) return; // letters choose there
  else if (e.key === "j") wall.move(1);
  else if (e.key === "k") wall.move(-1);
  else if (e.key === "n") next();
  else if (e.key === "f") $("fan").click();
});

// The theme is the system's until somebody says otherwise.
const dark = matchMedia("(prefers-color-scheme: dark)");
function paint() {
  const theme = localStorage.getItem("weir-theme") || (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = theme;
  put($("theme"), theme === "dark" ? "Light" : "Dark");
  forgetColors();
  stream.charts?.build();
  wall.draw(true);
}
$("theme").addEventListener("click", () => {
  localStorage.setItem("weir-theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  paint();
});
dark.addEventListener("change", paint);

paint();
call("counters").then((c) => setHistory(c.history)).catch(() => {});
byAddress();
connect({ limit: wall.window().limit });
