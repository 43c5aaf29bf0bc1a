/**
 * Drafts: unsent texts in conversations, stored for all devices of the user.
 *
 * The server clears a draft in the transaction that stores its message. So a text that waits to be
 * sent is not lost with the page.
 */

import { useEffect, useRef } from "preact/hooks";
import { chatOf, noteDraft } from "./chats.js";
import { me, parley } from "../state.js";

/** @import { Signal } from "@preact/signals" */

const KEPT_AFTER_MS = 1_000;
/** @type {Map<string, string>} The text to store, by conversation; a newer one replaces it. */
const wanted = new Map();
/** @type {Set<string>} */
const keeping = new Set();
parley.on("signed_out", () => wanted.clear());

/** Stores a draft, with one command at a time per conversation, so that the latest arrives last.
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

/** Discards a text that was not sent, unless there is a newer draft already.
 * @param {string} conversation_id */
export function discard(conversation_id) {
  if (!chatOf(conversation_id)?.draft) void keepDraft(conversation_id, "");
}

/** Synchronizes a text field with the draft of its conversation. */
export class Draft {
  /** The last known stored draft. */
  #kept = "";
  /** @type {string[]} Texts sent from here whose events have not arrived yet. */
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

  /** Stores the text after a short delay; called while the user types. */
  later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), KEPT_AFTER_MS);
  }

  /** Follows a text that was sent and left the field. The draft is cleared here if the server may
   * not recognize it: it clears only a draft that the text begins with.
   * @param {string} text */
  sent(text) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const known = text.startsWith(this.#kept.trim()) && !keeping.has(this.#conversation_id);
    noteDraft(this.#conversation_id, "");
    if (known) this.#kept = "";
    else this.now();
  }

  /** Stores the text now; called when the user leaves the field. */
  now() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text.peek();
    if (text === this.#kept || !me.value) return;
    this.#kept = text;
    this.#echoes.push(text);
    void keepDraft(this.#conversation_id, text);
  }

  /** Takes a stored draft, and shows it unless the user is writing another text here.
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
