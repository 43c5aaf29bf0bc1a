/** What was begun in a conversation and not sent: kept for all of the viewer's devices. */

import { useEffect, useRef } from "preact/hooks";
import { chatOf } from "./chats.js";
import { me, parley } from "../state.js";

/** @import { Signal } from "@preact/signals" */

const KEPT_AFTER_MS = 1_000;
/** @type {Map<string, string>} What is to be kept, by conversation: only the latest counts. */
const wanted = new Map();
/** @type {Set<string>} */
const keeping = new Set();
parley.on("signed_out", () => wanted.clear());

/** One at a time, so that the latest arrives last.
 * @param {string} conversation_id @param {string} text */
export async function keepDraft(conversation_id, text) {
  wanted.set(conversation_id, text);
  if (keeping.has(conversation_id)) return;
  keeping.add(conversation_id);
  for (let next; (next = wanted.get(conversation_id)) !== undefined;) {
    wanted.delete(conversation_id);
    await parley.call("/chat", "draft", { conversation_id, text: next }).catch(() => {});
  }
  keeping.delete(conversation_id);
}

/** What one field knows of its conversation's draft. */
export class Draft {
  /** As other devices have it, as far as this one knows. */
  #kept = "";
  /** @type {string[]} What was kept from here and has not come back yet. */
  #echoes = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #conversation_id;
  #text;

  /** @param {string} conversation_id @param {Signal<string>} text of the field */
  constructor(conversation_id, text) {
    this.#conversation_id = conversation_id;
    this.#text = text;
  }

  /** Somebody types: it is kept in a moment. */
  later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), KEPT_AFTER_MS);
  }

  /** It was sent, or its field is left. */
  now() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text.peek();
    if (text === this.#kept || !me.value) return;
    this.#kept = text;
    this.#echoes.push(text);
    void keepDraft(this.#conversation_id, text);
  }

  /** What a device has kept: shown, unless something else is being written here.
   * @param {string} draft */
  hear(draft) {
    const echo = this.#echoes.indexOf(draft);
    this.#echoes = echo < 0 ? [] : this.#echoes.slice(echo + 1);
    if (echo >= 0 || draft === this.#kept) return;
    const unchanged = !this.#text.peek() || this.#text.peek() === this.#kept;
    this.#kept = draft;
    if (unchanged) this.#text.value = draft;
  }
}

/** @param {string} conversation_id @param {Signal<string>} text */
export function useDraft(conversation_id, text) {
  const made = useRef(/** @type {Draft | null} */ (null));
  const draft = (made.current ??= new Draft(conversation_id, text));
  const kept = chatOf(conversation_id)?.draft;
  useEffect(() => void (kept !== undefined && draft.hear(kept)), [kept]);
  useEffect(() => {
    const leave = () => void (document.visibilityState === "hidden" && draft.now());
    document.addEventListener("visibilitychange", leave);
    return () => {
      document.removeEventListener("visibilitychange", leave);
      draft.now();
    };
  }, []);
  return draft;
}
