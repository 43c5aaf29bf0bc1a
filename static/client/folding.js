/** Texts in the form in which people compare them, as on the server (storage/engine/folding.py). */

const EXCESS_MARKS = /(\p{M}{30})\p{M}+/gu;
const anyOf = (/** @type {string[]} */ ...ranges) => `[${ranges.join("")}]`;
const UNSEEN = new RegExp(anyOf("\\u00ad\\u034f\\u061c\\u115f\\u1160\\u200b\\u200c\\u200e\\u200f",
  "\\u202a-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufe00-\\ufe0f"), "gu");
/** Accents, and vowel signs that are usually omitted. A breve stays on the Cyrillic letter `и`. */
const ACCENTS = new RegExp(`(?<!\\u0438)\\u0306|${anyOf("\\u0300-\\u0305\\u0307-\\u036f",
  "\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u20d0-\\u20ff\\ufe20-\\ufe2f", "\\u0591-\\u05bd\\u05bf",
  "\\u05c1\\u05c2\\u05c4\\u05c5\\u05c7", "\\u0610-\\u061a\\u0640\\u064b-\\u065f\\u0670")}`, "gu");
/** @type {Record<string, string>} */
const LETTERS = {
  ł: "l", ø: "o", đ: "d", ð: "d", ħ: "h", ı: "i", æ: "ae", œ: "oe", þ: "th", ß: "ss", ς: "σ",
};

/** The form that is equal for all texts that people read as the same. @param {string} text */
export const folded = (text) => text.replace(UNSEEN, "").replace(EXCESS_MARKS, "$1")
  .normalize("NFKD").toLowerCase().normalize("NFKD").replace(ACCENTS, "")
  .replace(/[łøđðħıæœþßς]/g, (letter) => LETTERS[letter]).normalize("NFC");

/** The index in `text` of the character at an index of its folded form.
 * @param {string} text @param {number} at */
export function placeIn(text, at) {
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (folded(text.slice(0, middle + 1)).length > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
