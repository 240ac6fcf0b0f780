/**
 * The live members of something that come and go with every connection or request. A `Set` would keep their garbage:
 * when it has seen enough changes V8 gives it a new table, and the old one refers to the new. Once one of them is in the
 * old generation, each scavenge finds the whole chain of tables since, with all that was in them, until the next full
 * collection: under load, 100 MB and more.
 */
export interface Member {
  /** Its index; only for the list. */
  place: number;
}

export class MemberList<T extends Member> implements Iterable<T> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** The member at an index below `size`, which changes with each removal. */
  at(index: number): T | undefined {
    return this.#members[index];
  }

  add(member: T): void {
    member.place = this.#members.length;
    this.#members.push(member);
  }

  /** Removes a member; nothing happens if it is none. */
  delete(member: T): void {
    const members = this.#members;
    const { place } = member;
    if (members[place] !== member) return;
    const last = members.pop() as T;
    member.place = -1;
    if (last === member) return;
    members[place] = last;
    last.place = place;
  }

  /** Backwards, so that members may be removed meanwhile: the one that takes the place of another has been seen. */
  *[Symbol.iterator](): Iterator<T> {
    for (let index = this.#members.length - 1; index >= 0; index -= 1) {
      const member = this.#members[index];
      if (member !== undefined) yield member;
    }
  }
}
