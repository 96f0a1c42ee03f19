// One stream: its charts, what its state remembers, and what a person can do to it.
import { $, make, put, count, short, span, when, call, tell, color, paper } from "./format.js";
import { Charts } from "./charts.js";

const most = 2048; // points kept
const head = 5, columnSize = 5; // of a row of points

export class Stream {
  constructor() {
    this.name = null;
    $("fan").addEventListener("change", () => {
      this.draw();
      this.refresh();
    });
    $("steps").addEventListener("change", () => this.refresh());
    $("span").addEventListener("change", () => this.draw());
    $("forget").addEventListener("click", () => this.forget());
    $("false-alarm").addEventListener("click", () => this.falseAlarm());
    $("fields").addEventListener("click", (e) => e.target.dataset.field && this.choose(Number(e.target.dataset.field)));
    setInterval(() => document.visibilityState === "visible" && this.refresh(), 2000);
  }

  // open shows a stream; its points come with the events.
  open(name) {
    this.name = name;
    this.seq = 0;
    this.points = [];
    this.fields = [];
    this.field = 0;
    this.outlook = null;
    this.marks = { incidents: [], labels: [] };
    this.profile = null;
    $("stream").hidden = false;
    $("stream").scrollTop = 0;
    put($("s-name"), name);
    put($("break-name"), name);
    $("s-badges").replaceChildren();
    $("fields").hidden = true;
    $("why").hidden = true;
    this.charts ??= new Charts();
    this.draw();
    this.refresh();
  }

  // take takes points in that came with an event.
  take(p) {
    if (p.stream !== this.name) return;
    if (JSON.stringify(p.fields) !== JSON.stringify(this.fields)) {
      this.fields = p.fields;
      this.points = [];
      this.listFields();
    }
    this.seq = p.seq;
    const wide = head + columnSize * this.fields.length;
    for (const row of p.points) if (row.length === wide) this.points.push(row);
    if (this.points.length > most) this.points.splice(0, this.points.length - most);
    this.marks = { incidents: p.incidents, labels: this.keepLabels(p.labels) };
    this.draw();
  }

  // keepLabels joins labels of the newest points with those of the points before.
  keepLabels(labels) {
    const all = new Map(this.marks.labels.map((l) => [l.kind + l.start, l]));
    for (const l of labels) all.set(l.kind + l.start, l);
    const first = this.points[0]?.[0] ?? 0;
    return [...all.values()].filter((l) => l.end >= first);
  }

  draw() {
    if (this.name == null) return;
    const place = head + columnSize * this.field;
    this.charts.show(this.points.slice(-Number($("span").value)), place, $("fan").checked ? this.outlook?.[this.field] : null, this.marks);
    const last = this.points[this.points.length - 1];
    if (last) this.showLast(last, place);
    $("key-label").hidden = !this.marks.labels.some((l) => l.kind === "incident");
    $("key-broken").hidden = !this.marks.labels.some((l) => l.kind !== "incident");
    $("key-fan").hidden = !$("fan").checked;
    this.listIncidents();
  }

  showLast(last, place) {
    const open = this.marks.incidents.some((i) => i.open);
    const state = last[4] & 4 ? "late" : last[4] & 8 ? "gap" : last[4] & 2 ? "warming" : "ready";
    const texts = [open ? "in alarm" : state, "score " + last[3].toFixed(2), "p " + last[2].toPrecision(2)];
    const badges = $("s-badges");
    while (badges.children.length < texts.length) badges.append(make("span", "badge"));
    texts.forEach((t, i) => put(badges.children[i], t));
    badges.children[0].classList.toggle("alarm", open);
    const words = `value ${short(last[place])}, expected ${short(last[place + 1])}, 90% band ${short(last[place + 2])} to ${short(last[place + 3])}`;
    if (Date.now() - (this.said ?? 0) > 2000) {
      this.said = Date.now();
      $("value-chart").setAttribute("aria-label", "value with its forecast: " + words);
      $("score-chart").setAttribute("aria-label", "anomaly score: " + last[3].toFixed(2));
    }
    if (this.fields.length > 1) this.showShares(last);
  }

  listFields() {
    const bar = $("fields");
    bar.hidden = this.fields.length < 2;
    bar.replaceChildren(...this.fields.map((name, i) => {
      const b = make("button", "", name || "value");
      b.type = "button";
      b.dataset.field = i;
      b.setAttribute("role", "tab");
      b.setAttribute("aria-selected", i === this.field);
      return b;
    }));
  }

  choose(i) {
    this.field = i;
    [...$("fields").children].forEach((b, j) => b.setAttribute("aria-selected", j === i));
    this.showProfile();
    this.draw();
  }

  // showShares says which fields the latest event's surprise is made of; of late, the most
  // surprising event.
  showShares(last) {
    const recent = this.points.slice(-quietEvents);
    const p = recent.reduce((a, b) => (b[3] > a[3] ? b : a), last);
    const shares = this.fields.map((name, i) => [name, p[head + columnSize * i + 4] ?? 0]).sort((a, b) => b[1] - a[1]).slice(0, 8);
    $("why").hidden = false;
    const list = $("shares");
    while (list.children.length < shares.length) {
      const li = make("li"), track = make("span", "track");
      track.append(make("i"));
      li.append(make("span"), track, make("span", "sub"));
      list.append(li);
    }
    while (list.children.length > shares.length) list.lastChild.remove();
    shares.forEach(([name, share], i) => {
      const [label, track, number] = list.children[i].children;
      put(label, name);
      track.firstChild.style.transform = `scaleX(${share})`;
      put(number, Math.round(share * 100) + " %");
    });
  }

  // refresh asks for what does not come with the events: the profile and the forecast.
  async refresh() {
    const name = this.name;
    if (name == null || this.asking) return;
    this.asking = true;
    const path = "streams/" + encodeURIComponent(name);
    try {
      const [profile, outlook] = await Promise.all([
        call(path), $("fan").checked ? call(path + "/forecast?steps=" + $("steps").value) : null,
      ]);
      if (name !== this.name) return;
      this.profile = profile;
      this.outlook = outlook?.fields;
      this.showProfile();
      this.draw();
    } catch {
      // the operator is away: what is shown stays
    } finally {
      this.asking = false;
      if (name !== this.name) this.refresh();
    }
  }

  showProfile() {
    const p = this.profile;
    if (!p) return;
    const f = p.fields[this.field];
    const lines = [
      ["events seen", count(p.events)], ["bytes in the store", count(p.bytes)],
      ["numbers of state", count(p.state_floats * p.fields.length) + " × f32"],
      ["last offset", count(p.offset)], ["last event", when(p.time)], ["usual gap", span(p.typical_gap_s)], ["model", p.model],
    ];
    if (f) lines.push(["usual value", `${short(f.centre)} ± ${short(f.spread)}`], ["repeats", Math.round(f.repeats * 100) + " %"]);
    const list = $("s-profile");
    while (list.children.length < 2 * lines.length) list.append(make("dt"), make("dd"));
    lines.forEach(([name, value], i) => {
      put(list.children[2 * i], name);
      put(list.children[2 * i + 1], value);
    });
    if (f) showMemory(f.half_lives, p.typical_gap_s);
  }

  listIncidents() {
    const list = $("s-incidents"), all = this.marks.incidents;
    $("false-alarm").disabled = !all.some((i) => !i.verdict);
    const key = JSON.stringify(all.map((i) => [i.id, i.end, i.open, i.verdict]));
    if (key === this.listed) return;
    this.listed = key;
    if (!all.length) {
      list.replaceChildren(make("li", "sub", "none while this page watched"));
      return;
    }
    list.replaceChildren(...all.map((i) => {
      const li = make("li", i.verdict === "false_alarm" ? "false" : i.open ? "open" : "");
      const lasted = (i.end - i.start) / 1000;
      li.append(make("span", "", when(i.start)), make("span", "", i.open ? "open" : lasted ? span(lasted) : "one event"), make("span", "", "score " + i.worst.toFixed(1)));
      return li;
    }));
  }

  async falseAlarm() {
    const latest = this.marks.incidents.find((i) => !i.verdict);
    if (!latest) return;
    try {
      await call(`streams/${encodeURIComponent(this.name)}/feedback`, { incident: latest.id, verdict: "false_alarm" });
      latest.verdict = "false_alarm";
      this.draw();
      tell(`The incident of ${when(latest.start)} is noted as a false alarm.`);
    } catch (err) {
      tell(err.message);
    }
  }

  async forget() {
    const name = this.name;
    if (!(await sure(`Forget everything that is remembered of ${name}? The stream begins anew, as one never seen. This cannot be undone.`))) return;
    try {
      await call(`streams/${encodeURIComponent(name)}/reset`, {});
      tell(`${name} begins anew.`);
      this.refresh();
    } catch (err) {
      tell(err.message);
    }
  }
}

const quietEvents = 10;

function sure(question) {
  put($("ask-text"), question);
  $("ask").returnValue = "";
  $("ask").showModal();
  return new Promise((done) => $("ask").addEventListener("close", () => done($("ask").returnValue === "yes"), { once: true }));
}

// showMemory draws how many numbers of the state remember for how long.
function showMemory(lives, gap) {
  const { pen, width, height } = paper($("memory"));
  const most = Math.max(...lives.counts, 1), wide = width / lives.counts.length;
  pen.fillStyle = color("expect");
  lives.counts.forEach((n, i) => {
    const tall = n / most * (height - 20);
    pen.fillRect(i * wide + 1, height - 14 - tall, wide - 2, tall);
  });
  pen.fillStyle = color("muted");
  pen.font = "10px system-ui, sans-serif";
  [0, 4, 8, 12, 16].forEach((i) => {
    pen.textAlign = i ? "center" : "left";
    pen.fillText(i ? count(lives.edges[i]) : "¼", i * wide, height - 2);
  });
  pen.textAlign = "right";
  pen.fillText("events", width, height - 2);
  put($("memory-text"), `from ${short(lives.shortest)} to ${count(lives.longest)} events, half of them beyond ${short(lives.median)} (${span(lives.median * gap)})`);
}
