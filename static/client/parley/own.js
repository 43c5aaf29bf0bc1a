/** Looks up names from untrusted input: `constructor` and `__proto__` must not be found. */

/**
 * The own property `name` of `table`; undefined for inherited properties.
 * @template T
 * @param {Record<string, T>} table
 * @param {string} name
 * @returns {T | undefined}
 */
export const own = (table, name) => (Object.hasOwn(table, name) ? table[name] : undefined);
