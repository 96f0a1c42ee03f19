// The counters: what the operator does, and what it costs.
import { $, put, count, large, span, color, paper } from "./format.js";

let history = [];

export function setHistory(samples) {
  history = samples || [];
}

export function showCounters(c) {
  put($("c-rate"), count(c.events_per_second));
  put($("c-micros"), c.microseconds_per_event ? c.microseconds_per_event.toFixed(1) : "–");
  put($("c-events"), large(c.work.events) + " events so far");
  put($("c-bytes"), count(c.bytes_per_stream));
  put($("c-age"), c.running ? span(c.checkpoint_age_s) : "–");
  put($("c-partitions"), `${c.work.partitions} partitions · ${count(c.work.streams_in_memory)} streams`);
  put($("c-depth"), count(c.work.replay_depth));
  showBudget(c.incidents);
  put($("model"), c.work.model || "");
  const last = history[history.length - 1];
  if (c.bytes_per_stream && (!last || c.work.events - last.events > (last.events - history[0].events) / 240)) {
    history.push({ events: c.work.events, events_per_second: c.events_per_second, bytes_per_stream: c.bytes_per_stream });
    if (history.length > 480) history = history.filter((_, i) => i % 2);
  }
  line($("c-rate-line"), history.map((s) => s.events_per_second), null, "expect");
  line($("c-bytes-line"), history.map((s) => s.bytes_per_stream), history.map((s) => s.events), "expect");
}

function showBudget(b) {
  const p = $("c-incidents");
  put(p, `${count(b.total - b.false_alarms)} of ${b.allowed < 10 ? b.allowed.toFixed(1) : count(b.allowed)} allowed`);
  const meter = $("c-budget");
  meter.firstElementChild.style.transform = `scaleX(${b.allowed > 0 ? Math.min((b.total - b.false_alarms) / b.allowed, 1) : 0})`;
  meter.classList.toggle("over", b.total > b.allowed);
  put($("c-weeks"), `${b.open} open · ${b.stream_weeks.toFixed(1)} stream-weeks watched` + (b.false_alarms ? ` · ${b.false_alarms} called false` : ""));
}

// line draws a course from zero, against x where there is one, else evenly.
function line(canvas, ys, xs, ink) {
  const { pen, width, height } = paper(canvas);
  const most = Math.max(...ys.filter((y) => y != null), 0) * 1.25;
  if (ys.length < 2 || !most) return;
  const from = xs ? 0 : 0, to = xs ? xs[xs.length - 1] : ys.length - 1;
  const x = (i) => ((xs ? xs[i] : i) - from) / (to - from) * (width - 2) + 1;
  pen.strokeStyle = color("faint");
  pen.beginPath();
  pen.moveTo(0, height - 0.5);
  pen.lineTo(width, height - 0.5);
  pen.stroke();
  pen.strokeStyle = color(ink);
  pen.lineWidth = 1.5;
  pen.beginPath();
  ys.forEach((y, i) => y != null && pen.lineTo(x(i), height - 1 - y / most * (height - 3)));
  pen.stroke();
  if (!xs) return;
  pen.fillStyle = color("muted");
  pen.font = "10px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.fillText("at " + large(to) + " events", width - 1, height - 4);
  pen.textAlign = "left";
  pen.fillText("0", 1, height - 4);
}
