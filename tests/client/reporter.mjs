/** A reporter for `node --test`: each failed test with its reason, and one line of totals.
 *
 * @param {AsyncIterable<{type: string, data: any}>} source
 * @returns {AsyncGenerator<string>}
 */
export default async function* report(source) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of source) {
    if (type === "test:pass") passed += 1;
    if (type === "test:fail") {
      failed += 1;
      yield describe(data);
    }
  }
  yield `client tests: ${failed ? `${failed} failed, ` : ""}${passed} passed\n`;
}

/** @param {any} data of a failed test @returns {string} */
function describe({ name, file, line, details }) {
  const error = details.error.cause ?? details.error;
  return `\nFAILED ${name}\n${file ?? ""}:${line ?? ""}\n${error?.stack ?? error}\n\n`;
}
