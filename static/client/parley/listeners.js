/** Event listeners: a set of functions for each event of each namespace. */

export class Listeners {
  /** @type {Map<string, Set<Function>>} */
  #byEvent = new Map();

  /**
   * @param {string} event
   * @param {Function} listener
   */
  add(event, listener) {
    const listeners = this.#byEvent.get(event) ?? new Set();
    this.#byEvent.set(event, listeners.add(listener));
  }

  /**
   * @param {string} event
   * @param {Function} listener
   */
  remove(event, listener) {
    this.#byEvent.get(event)?.delete(listener);
  }

  /**
   * Calls all listeners of an event. An error in one does not keep the event from the others.
   * @param {string} event
   * @param {...unknown} said
   */
  tell(event, ...said) {
    for (const listener of [...(this.#byEvent.get(event) ?? [])]) {
      try {
        listener(...said);
      } catch (mistake) {
        console.error(mistake);
      }
    }
  }
}
