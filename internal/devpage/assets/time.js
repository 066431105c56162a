// Times as people read them.

// clock is a span of seconds on a button: 0:07, 12:30, and in words from an hour up.
export function clock(seconds) {
  if (seconds >= 3600) return spell(seconds);
  const rest = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(rest / 60)}:${String(rest % 60).padStart(2, "0")}`;
}

// spell is a span of seconds in words, in its two largest units.
export function spell(seconds) {
  const left = Math.max(0, Math.round(seconds));
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => left >= size);
  if (first < 0) return "0 s";
  const [name, size] = units[first];
  const [smaller, smallerSize] = units[first + 1] ?? [];
  const rest = smaller ? Math.floor((left % size) / smallerSize) : 0;
  return `${Math.floor(left / size)} ${name}${rest ? ` ${rest} ${smaller}` : ""}`;
}

// ago says how long ago a text came.
export function ago(when, now = Date.now()) {
  const seconds = (now - when) / 1000;
  return seconds < 10 ? "now" : `${spell(seconds < 60 ? seconds : seconds - (seconds % 60))} ago`;
}

const dateAndTime = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const moment = (seconds) => dateAndTime.format(new Date(seconds * 1000));

// countdown calls show with the seconds that are left until a time, then done. It counts towards
// the time and not by ticks: a tab in the background gets few of those. It returns what stops it.
export function countdown(until, show, done) {
  const step = () => {
    const left = (until - Date.now()) / 1000;
    if (left > 0) return show(left);
    clearInterval(timer);
    done();
  };
  const timer = setInterval(step, 250);
  step();
  return () => clearInterval(timer);
}

const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const timeOfDay = () => time.format(new Date());

// keepClocks shows the time of day on every telephone of the page.
export function keepClocks() {
  const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const date = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });
  const set = () => {
    for (const node of document.querySelectorAll("[data-clock]")) node.textContent = time.format(new Date());
    for (const node of document.querySelectorAll("[data-date]")) node.textContent = date.format(new Date());
  };
  set();
  setInterval(set, 5000);
}
