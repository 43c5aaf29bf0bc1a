/** Formats times in the browser's time zone, and names weeks. */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const day = new Intl.DateTimeFormat(undefined,
  { weekday: "short", day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** @param {string} at */
export const clock = (at) => hour.format(new Date(at));
/** @param {string} at */
export const date = (at) => longDay.format(new Date(at));

/** @param {string} at */
export function moment(at) {
  const today = new Date(at).toDateString() === new Date().toDateString();
  return today ? clock(at) : `${day.format(new Date(at))}, ${clock(at)}`;
}

/** The time of a block or a booking; a booking without a block is for right away.
 * @param {{starts_at: string | null, ends_at: string | null, block_id?: string | null}} block */
export const span = ({ starts_at, ends_at, block_id }) =>
  starts_at && ends_at && block_id !== null
    ? `${day.format(new Date(starts_at))}, ${clock(starts_at)} – ${clock(ends_at)}`
    : "Right away";

/** @param {number} total_s */
export function minutes(total_s) {
  const whole = Math.max(0, Math.floor(total_s));
  const parts = [[Math.floor(whole / 60), "minute"], [whole % 60, "second"]];
  return parts.map(([n, unit]) => `${n} ${unit}${n === 1 ? "" : "s"}`).join(" ");
}

/** @param {number} days_from_now */
export const inDays = (days_from_now) =>
  new Date(Date.now() + days_from_now * DAY_MS).toISOString();

/** The ISO week, such as `2026-W48`. @param {Date} at */
function isoWeek(at) {
  const thursday = new Date(Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()));
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const newYear = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = Math.ceil(((thursday.getTime() - newYear) / DAY_MS + 1) / 7);
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, "0")}`;
}

/** @param {number} count @returns {{week: string, title: string}[]} this week and the next */
export function comingWeeks(count) {
  return Array.from({ length: count }, (_, ahead) => {
    // Counts calendar days, because days have different lengths when the clocks change.
    const monday = new Date();
    monday.setDate(monday.getDate() - ((monday.getDay() + 6) % 7) + 7 * ahead);
    return { week: isoWeek(monday), title: `Week of ${day.format(monday)}` };
  });
}

/** @returns {string[]} Monday first */
export const weekdays = () =>
  Array.from({ length: 7 }, (_, n) =>
    new Intl.DateTimeFormat(undefined, { weekday: "long", timeZone: "UTC" })
      .format(new Date(Date.UTC(2024, 0, 1 + n))));

/** @param {number} at */
export const oclock = (at) => `${String(at).padStart(2, "0")}:00`;
