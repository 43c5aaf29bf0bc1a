/** Formats and parses money; the wire format has integers in minor units. */

/** @import { Money } from "./contracts.js" */

/** @param {string} currency */
const format = (currency) => new Intl.NumberFormat(undefined, { style: "currency", currency });

/** @param {string} currency */
const unit = (currency) => 10 ** (format(currency).resolvedOptions().maximumFractionDigits ?? 2);

/** @param {Money} money */
export const price = ({ amount, currency }) => format(currency).format(amount / unit(currency));

/** @param {Money} money */
export const typed = ({ amount, currency }) => String(amount / unit(currency));

/**
 * @param {string} number
 * @param {string} currency
 * @returns {Money}
 */
export const money = (number, currency) =>
  ({ amount: Math.round(Number(number) * unit(currency)), currency });

export const currencies = () => Intl.supportedValuesOf("currency");
