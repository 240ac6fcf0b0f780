/** Two releases of an app and a link `current` to the live one, which is a common way to deploy. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class Releases {
  readonly #folder: string;

  /** Makes the releases `one` and `two` in `folder`; `current` leads to the first one. */
  constructor(folder: string, source: (name: string) => string) {
    this.#folder = folder;
    for (const name of ["one", "two"]) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "app.mjs"), source(name));
    }
    symlinkSync("one", this.current);
  }

  /** The link. */
  get current(): string {
    return join(this.#folder, "current");
  }

  /** Moves the link to the second release, in one step. */
  turn(): void {
    symlinkSync("two", `${this.current}.new`);
    renameSync(`${this.current}.new`, this.current);
  }

  /** Moves the link to the second release, and deletes the first one. */
  deploy(): void {
    this.turn();
    rmSync(join(this.#folder, "one"), { recursive: true });
  }
}
