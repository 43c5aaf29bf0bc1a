/** Looking up names that somebody else chose: `constructor` and `__proto__` are in no table. */

/**
 * What `table` itself has under `name`; undefined for what every object inherits.
 * @template T
 * @param {Record<string, T>} table
 * @param {string} name
 * @returns {T | undefined}
 */
export const own = (table, name) => (Object.hasOwn(table, name) ? table[name] : undefined);
