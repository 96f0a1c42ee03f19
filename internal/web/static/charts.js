// The two charts of a stream: its value with the forecast, and its score under it.
import { $, color } from "./format.js";

const day = 86400;

// axis times are the events' own, in UTC.
const utc = (ts) => uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC");

export class Charts {
  constructor() {
    this.marks = { incidents: [], labels: [] };
    this.build();
    new ResizeObserver(() => this.resize()).observe($("value-chart"));
  }

  // build makes both charts anew, in the colors of the theme.
  build() {
    this.value?.destroy();
    this.score?.destroy();
    const sync = { key: "stream" };
    const axes = [axis({ space: 80, size: 26 }), axis({ size: 58 })];
    this.value = new uPlot({
      width: 600, height: 300, tzDate: utc, cursor: { sync, y: false }, legend: { show: false },
      scales: { x: { time: true }, y: { range: (u) => this.valueRange(u) } }, axes,
      series: [{}, hidden(), hidden(), line("expect", 1), line("value", 1.6), hidden(), hidden(), hidden(), hidden(), line("fan", 1.4)],
      bands: [
        { series: [2, 1], fill: color("band") },
        { series: [8, 5], fill: color("fan-a") },
        { series: [7, 6], fill: color("fan-b") },
      ],
      hooks: { drawClear: [(u) => this.shade(u)], drawSeries: [(u, i) => i === 4 && this.alarms(u)] },
    }, empty(10), $("value-chart"));
    this.score = new uPlot({
      width: 600, height: 130, tzDate: utc, cursor: { sync, y: false }, legend: { show: false },
      scales: { x: { time: true }, y: { range: (u, min, max) => [0, Math.max(1.25, (max || 0) * 1.08)] } },
      axes: [axis({ space: 80, size: 26, show: true }), axis({ size: 58 })],
      series: [{}, { ...line("value", 1.3), fill: color("band") }],
      hooks: { drawClear: [(u) => this.shade(u)], draw: [(u) => threshold(u)] },
    }, empty(2), $("score-chart"));
    this.resize();
    if (this.shown) this.show(...this.shown);
  }

  resize() {
    const width = $("value-chart").clientWidth;
    if (!width) return;
    const tall = Math.max(190, Math.min(380, innerHeight * 0.3));
    this.value.setSize({ width, height: tall });
    this.score.setSize({ width, height: Math.max(96, tall * 0.38) });
  }

  // show draws points of one field, and what is expected after them. Points are rows of
  // the API, at the place where the field's numbers begin.
  show(points, place, outlook, marks) {
    this.shown = [points, place, outlook, marks];
    this.marks = marks;
    const last = points.length ? points[points.length - 1][0] : 0;
    const ahead = outlook ? outlook.times.map((t, i) => [t, i]).filter(([t]) => t > last) : [];
    const n = points.length, all = n + ahead.length;
    const columns = Array.from({ length: 10 }, () => new Array(all).fill(null));
    const scores = new Array(all).fill(null);
    this.reach = spread(points, place, outlook, ahead);
    for (let i = 0; i < n; i++) {
      const p = points[i];
      columns[0][i] = p[0] / 1000;
      columns[4][i] = p[place];
      columns[3][i] = p[place + 1];
      columns[1][i] = p[place + 2];
      columns[2][i] = p[place + 3];
      scores[i] = p[3];
    }
    ahead.forEach(([t, k], j) => {
      columns[0][n + j] = t / 1000;
      for (let q = 0; q < 4; q++) columns[5 + q][n + j] = outlook.quantiles[k][q < 2 ? q : q + 1];
      columns[9][n + j] = outlook.quantiles[k][2];
    });
    this.value.setData(columns);
    this.score.setData([columns[0], scores]);
  }

  valueRange() {
    return this.reach || [0, 1];
  }

  // shade marks what is known of a time: incidents that were found over the whole height,
  // what was known before in a strip at the foot.
  shade(u) {
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    const strip = (from, to, y, tall, ink) => {
      const a = u.valToPos(from / 1000, "x", true), b = u.valToPos(to / 1000, "x", true);
      ctx.fillStyle = color(ink);
      ctx.fillRect(a - 1, y, Math.max(b - a + 2, 3), tall);
    };
    for (const l of this.marks.labels) {
      const ink = l.kind === "incident" ? "label" : "broken";
      strip(l.start, l.end, top, height, ink + "-area");
      strip(l.start, l.end, top + height - 5 * devicePixelRatio, 5 * devicePixelRatio, ink);
    }
    for (const i of this.marks.incidents) if (i.verdict !== "false_alarm") strip(i.start, i.end, top, height, "alarm-area");
    ctx.restore();
  }

  // alarms are dots on the value.
  alarms(u) {
    const points = this.shown?.[0];
    if (!points) return;
    const { ctx } = u;
    ctx.save();
    ctx.fillStyle = color("alarm");
    for (const p of points) {
      if (!(p[4] & 1) || p[this.shown[1]] == null) continue;
      ctx.beginPath();
      ctx.arc(u.valToPos(p[0] / 1000, "x", true), u.valToPos(p[this.shown[1]], "y", true), 3 * devicePixelRatio, 0, 7);
      ctx.fill();
    }
    ctx.restore();
  }
}

// spread is the part of the value axis that is shown: the values, with some room. A band
// that is wide because little is known does not press them flat.
function spread(points, place, outlook, ahead) {
  let least = Infinity, most = -Infinity;
  const take = (v) => {
    if (v == null) return;
    if (v < least) least = v;
    if (v > most) most = v;
  };
  for (const p of points) take(p[place]);
  if (least > most) return [0, 1];
  const room = (most - least || Math.abs(most) || 1) * 0.15;
  const low = least - room, high = most + room;
  for (const [, k] of ahead) {
    take(Math.max(outlook.quantiles[k][0], low - room * 2));
    take(Math.min(outlook.quantiles[k][4], high + room * 2));
  }
  return [Math.min(low, least), Math.max(high, most)];
}

function threshold(u) {
  const y = u.valToPos(1, "y", true);
  u.ctx.save();
  u.ctx.strokeStyle = color("alarm");
  u.ctx.setLineDash([5, 4]);
  u.ctx.lineWidth = devicePixelRatio;
  u.ctx.beginPath();
  u.ctx.moveTo(u.bbox.left, y);
  u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
  u.ctx.stroke();
  u.ctx.restore();
}

const empty = (n) => Array.from({ length: n }, () => []);
const hidden = () => ({ stroke: "transparent", width: 0, points: { show: false } });
const line = (ink, width) => ({ stroke: color(ink), width, points: { show: false } });
const axis = (more) => ({
  stroke: color("muted"), font: "11px system-ui, sans-serif",
  grid: { stroke: color("faint"), width: 1 }, ticks: { stroke: color("faint"), width: 1, size: 4 },
  values: more.space ? (u, ticks) => ticks.map((t, i) => tick(t, ticks[i - 1])) : undefined,
  ...more,
});

// tick names a time: the day where it begins, else the hour.
function tick(t, before) {
  const d = new Date(t * 1000), hour = d.toISOString().slice(11, 16);
  const fresh = before == null || Math.floor(before / day) !== Math.floor(t / day);
  return fresh ? d.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }) + " " + hour : hour;
}
