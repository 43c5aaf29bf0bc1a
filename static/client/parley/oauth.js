/**
 * The redirect to a provider and back. The client makes a verifier and sends only its hash, so that
 * only this client can use the ticket with which the user returns (as in PKCE).
 */

import { usable } from "./tokens.js";

/** @typedef {"sign_in" | "link" | "prove"} Purpose what the ticket is for */
/** @typedef {{purpose: Purpose, verifier?: string}} Errand */

const KEY = "parley.oauth";
const VERIFIER_BYTES = 32;

/** @param {Uint8Array} bytes */
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replace(/[+]/g, "-").replace(/[/]/g, "_").replace(/=/g, "");

/** A verifier and its S256 challenge; neither on a page without TLS. */
async function makeProof() {
  const { subtle } = globalThis.crypto ?? {};
  if (!subtle) return {};
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(VERIFIER_BYTES)));
  const digest = await subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return { verifier, challenge: base64url(new Uint8Array(digest)) };
}

/** Storage for this tab only: another tab may be at a provider at the same time. */
const tab = () => usable(() => globalThis.sessionStorage);

/**
 * Stores the purpose and the verifier; returns the path that starts the redirect.
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

/** The purpose for which this tab left; null if it did not. @returns {Errand | null} */
export function returned() {
  const kept = tab().getItem(KEY);
  return kept ? JSON.parse(kept) : null;
}

/** Deletes the stored purpose and verifier. */
export const forget = () => tab().removeItem(KEY);
