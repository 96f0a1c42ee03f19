// What can be done to a demo: kill the operator, break a stream, change the pace.
import { $, make, put, count, span, call, tell, color, paper } from "./format.js";

export class Demo {
  constructor(current) {
    this.current = current; // name of the stream that is shown
    $("kill").addEventListener("click", () => this.ask("demo/kill", {}));
    $("kinds").addEventListener("click", (e) => e.target.dataset.kind && this.ask("demo/break", { stream: this.current(), kind: e.target.dataset.kind }));
    $("speeds").addEventListener("click", (e) => e.target.dataset.speed && this.ask("demo/speed", { speed: Number(e.target.dataset.speed) }));
  }

  async ask(path, body) {
    try {
      this.show(await call(path, body));
    } catch (err) {
      tell(err.message);
    }
  }

  show(d) {
    $("demo").hidden = false;
    if (!$("kinds").children.length) {
      $("kinds").replaceChildren(...d.kinds.map((kind) => {
        const b = make("button", "", kind);
        b.type = "button";
        b.dataset.kind = kind;
        return b;
      }));
    }
    for (const b of $("speeds").children) b.setAttribute("aria-pressed", Number(b.dataset.speed) === d.speed);
    this.showBreaks(d.breaks);
    this.showKills(d.worker);
    this.showTwin(d.twin, d.worker.kills);
  }

  showBreaks(breaks) {
    const key = JSON.stringify(breaks);
    if (key === this.listed) return;
    this.listed = key;
    $("breaks").replaceChildren(...breaks.slice(0, 2).map((b) => {
      const li = make("li", "", `${b.kind} in ${b.stream}: `);
      if (b.found) li.append(make("b", "", b.events === 1 ? "found at once" : `found after ${b.events} events`), ` · ${count(b.millis)} ms by the clock`);
      else li.append(make("span", "miss", b.late ? "not found: it looks like this stream’s own past" : "waiting for an alarm …"));
      return li;
    }));
  }

  showKills(worker) {
    const k = worker.kills[worker.kills.length - 1];
    this.dead = !!k && !k.restore;
    $("kill").disabled = this.dead;
    if (!k) return;
    if (this.dead) put($("kill-text"), `process ${k.pid} is dead; nobody scores`);
    else put($("kill-text"), `process ${k.pid} died; ${span((k.restore - k.killed) / 1000)} later ${worker.pid} went on where it was`);
  }

  // showTwin draws both paces by the clock: where the operator is dead, only its twin goes on.
  showTwin(t, kills) {
    const { pen, width, height } = paper($("pace"));
    const n = t.operator.length, most = Math.max(...t.operator, ...t.twin, 1);
    const x = (i) => i / (n - 1) * width, y = (v) => height - 1 - v / most * (height - 3);
    const first = t.now - n * t.span_ms;
    pen.fillStyle = color("alarm-area");
    for (const k of kills) {
      const a = (k.killed - first) / t.span_ms / n * width, b = ((k.restore || t.now) - first) / t.span_ms / n * width;
      if (b > 0) pen.fillRect(a, 0, Math.max(b - a, 2), height);
    }
    for (const [counts, ink] of [[t.twin, "fan"], [t.operator, "expect"]]) {
      pen.strokeStyle = color(ink);
      pen.lineWidth = 1.4;
      pen.beginPath();
      counts.forEach((v, i) => pen.lineTo(x(i), y(v)));
      pen.stroke();
    }
    put($("twin-text"), `${count(t.compared)} answers compared · largest score difference ${t.largest_difference === 0 ? "0" : t.largest_difference.toPrecision(3)}` + (t.differ ? ` · ${count(t.differ)} differ` : ""));
  }
}
