/**
 * The way to a provider and back. Before it the client makes a verifier and shows only its hash,
 * so that the ticket it comes back with is worth something here and nowhere else.
 */

import { usable } from "./tokens.js";

/** @typedef {"sign_in" | "link" | "prove"} Purpose what the ticket is wanted for */
/** @typedef {{purpose: Purpose, verifier?: string}} Errand */

const KEY = "parley.oauth";
const VERIFIER_BYTES = 32;

/** @param {Uint8Array} bytes */
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replace(/[+]/g, "-").replace(/[/]/g, "_").replace(/=/g, "");

/** A verifier and its S256 challenge; none where the page came without TLS. */
async function makeProof() {
  const { subtle } = globalThis.crypto ?? {};
  if (!subtle) return {};
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(VERIFIER_BYTES)));
  const digest = await subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return { verifier, challenge: base64url(new Uint8Array(digest)) };
}

/** Of this tab alone: another one may be on its own way. */
const tab = () => usable(() => globalThis.sessionStorage);

/**
 * The path to leave by.
 * @param {string} provider
 * @param {Purpose} purpose
 */
export async function leave(provider, purpose) {
  const { verifier, challenge } = await makeProof();
  tab().setItem(KEY, JSON.stringify({ purpose, verifier }));
  const query = new URLSearchParams();
  if (challenge) query.set("challenge", challenge);
  if (purpose === "prove") query.set("fresh", "1");
  return `/oauth/${encodeURIComponent(provider)}/start?${query}`;
}

/** What this tab left for; null when it did not. @returns {Errand | null} */
export function returned() {
  const kept = tab().getItem(KEY);
  return kept ? JSON.parse(kept) : null;
}

/** The errand is done. */
export const forget = () => tab().removeItem(KEY);
