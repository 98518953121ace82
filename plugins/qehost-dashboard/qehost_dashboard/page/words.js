// The words of the page, in the reader's language.  Each table is a file; a test compares their keys.
const LANGUAGES = ["en", "zh"];
const TABLES = Object.fromEntries(
  await Promise.all(
    LANGUAGES.map(async (lang) => [lang, await (await fetch(`static/${lang}.json`)).json()]),
  ),
);
let table = TABLES.en;

export let language = "en";

export function choose(wanted) {
  const browser = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  language = LANGUAGES.includes(wanted) ? wanted : browser;
  table = TABLES[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

// The text of a key; {name} in it is replaced.  A key that is not there is shown, so that it is seen.
export function t(key, values = {}) {
  const text = table[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// The same, where the venue or a later version may send what the table does not know.
export const known = (prefix, value) => table[`${prefix}-${value}`] ?? value;

export function translate(root) {
  for (const each of root.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of root.querySelectorAll("[data-t-label]")) {
    each.setAttribute("aria-label", t(each.dataset.tLabel));
  }
  for (const each of root.querySelectorAll("[data-t-hint]")) each.placeholder = t(each.dataset.tHint);
}
