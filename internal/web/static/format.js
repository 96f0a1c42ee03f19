// How numbers and times are written.

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const dayTime = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

export const count = (n) => (n == null ? "–" : grouped.format(n));

// short is a measured value in few characters, whatever its size.
export function short(x) {
  if (x == null) return "–";
  const a = Math.abs(x);
  if (a === 0) return "0";
  if (a >= 1e5 || a < 1e-3) return x.toExponential(1).replace("e+", "e");
  if (a >= 100) return x.toFixed(0);
  return String(Number(x.toPrecision(3)));
}

// large is a count in few characters.
export function large(n) {
  if (n == null) return "–";
  if (n >= 1e9) return (n / 1e9).toFixed(2) + " G";
  if (n >= 1e6) return (n / 1e6).toFixed(2) + " M";
  return grouped.format(n);
}

export const when = (ms) => dayTime.format(ms) + " UTC";

// span is a length of time in the unit that keeps it short.
export function span(seconds) {
  if (seconds == null || !isFinite(seconds)) return "–";
  if (seconds < 1) return Math.round(seconds * 1000) + " ms";
  if (seconds < 120) return Number(seconds.toPrecision(2)) + " s";
  if (seconds < 7200) return Number((seconds / 60).toPrecision(2)) + " min";
  if (seconds < 172800) return Number((seconds / 3600).toPrecision(2)) + " h";
  return Number((seconds / 86400).toPrecision(2)) + " d";
}

export const $ = (id) => document.getElementById(id);

// make returns an element with a class and a text.
export function make(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text != null) e.textContent = text;
  return e;
}

// put sets an element's text where it differs: an unchanged text costs no layout.
export function put(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

const known = new Map();

// color is a color of the present theme.
export function color(name) {
  if (!known.has(name)) known.set(name, getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim());
  return known.get(name);
}

export const forgetColors = () => known.clear();

// paper readies a canvas of the size that it is shown in, and returns how to draw on it.
export function paper(canvas) {
  const scale = devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

// call asks the API; what it refuses is shown, and thrown.
export async function call(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch("api/v1/" + path, options);
  } catch (err) {
    throw new Error("no answer: " + err.message);
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(told.detail || answer.statusText);
  }
  return answer.json();
}

let fading;

// tell shows a message for a while.
export function tell(text) {
  const toast = $("toast");
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { toast.hidden = true; }, 5000);
}
