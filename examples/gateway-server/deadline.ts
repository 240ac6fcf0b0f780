/** A deadline that can be moved. Node's timers take no more than 31 bits; a later one counts as none. */
export class Deadline {
  readonly #expire: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(expire: () => void) {
    this.#expire = expire;
  }

  set(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (milliseconds <= 0x7fffffff) this.#timer = setTimeout(this.#expire, milliseconds);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
