// How numbers and times are written.  Decimals stay text: a float is only ever used for pixels.
import { language, t } from "./words.js";

export const NONE = "–";

// {negative, digits, scale} of a decimal as the server writes it: "-1.50", "1E-8".
function parsed(text) {
  const [, sign, whole, part = "", exponent = "0"] = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  if (whole === undefined) return null;
  let digits = whole + part;
  let scale = part.length - Number(exponent);
  if (scale < 0) {
    digits += "0".repeat(Math.min(-scale, 400));
    scale = 0;
  }
  return { negative: sign === "-", digits: digits.padStart(scale + 1, "0"), scale };
}

function written(negative, digits, scale, keep) {
  const whole = digits.slice(0, digits.length - scale).replace(/^0+(?=\d)/, "");
  let part = scale ? digits.slice(-scale) : "";
  while (part.length > keep && part.endsWith("0")) part = part.slice(0, -1);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const sign = negative && /[1-9]/.test(digits) ? "−" : "";
  return sign + grouped + (part ? `.${part}` : "");
}

// All digits but zeros at the end.
export function exact(text) {
  const value = text ? parsed(text) : null;
  return value ? written(value.negative, value.digits, value.scale, 0) : NONE;
}

// Rounded half away from zero to so many places.
export function rounded(text, places, keep = places) {
  const value = text ? parsed(text) : null;
  if (!value) return NONE;
  let { digits, scale } = value;
  if (scale > places) {
    const cut = scale - places;
    const up = digits[digits.length - cut] >= "5" ? 1n : 0n;
    digits = (BigInt(digits.slice(0, -cut)) + up).toString().padStart(places + 1, "0");
    scale = places;
  } else {
    digits += "0".repeat(places - scale);
    scale = places;
  }
  return written(value.negative, digits, scale, keep);
}

// A price or quantity that was worked out, and may have many digits: ten that say something.
export function short(text) {
  const value = text ? parsed(text) : null;
  if (!value) return NONE;
  const size = value.digits.replace(/^0+/, "").length - value.scale;
  return rounded(text, Math.max(0, Math.min(12, 9 - size)), 0);
}

export function signed(text, places) {
  const made = rounded(text, places);
  return made === NONE || made.startsWith("−") || !/[1-9]/.test(made) ? made : `+${made}`;
}

export const percent = (share, places = 1) =>
  share === undefined || share === null ? NONE : `${(share * 100).toFixed(places)} %`;

// A span of time, ms.
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return t("span-s", { s: seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t("span-m", { m: minutes, s: String(seconds % 60).padStart(2, "0") });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return t("span-h", { h: hours, m: String(minutes % 60).padStart(2, "0") });
  return t("span-d", { d: Math.floor(hours / 24), h: hours % 24 });
}

const forms = {};

function form(name, options) {
  const key = `${name} ${language}`;
  forms[key] ??= new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", options);
  return forms[key];
}

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

export const clock = (ms) => (ms ? form("clock", TIME).format(ms) : NONE);

export function moment(ms) {
  if (!ms) return NONE;
  return form("moment", { month: "2-digit", day: "2-digit", ...TIME }).format(ms);
}

export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let place = 0;
  while (count >= 1024 && place < units.length - 1) {
    count /= 1024;
    place += 1;
  }
  return `${count.toFixed(place ? 1 : 0)} ${units[place]}`;
}
