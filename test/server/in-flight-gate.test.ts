/** The gate alone: places, the queue, its bounds in number and time, and turns of the event loop. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, test } from "node:test";
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { type GateVisit, InFlightGate, type InFlightGateOptions } from "../../src/server/in-flight-gate.ts";
import { until as untilTrue } from "../support/command.ts";
import { randomNumbers } from "../support/random.ts";

const until = (condition: () => boolean): Promise<unknown> => untilTrue("what the gate does", condition);

/** A gate, and what has become of each request by its name. */
class Door {
  readonly gate: InFlightGate;
  /** `name runs`, `name overload` and so on, in order. */
  readonly log: string[] = [];
  readonly visits = new Map<string, GateVisit>();

  constructor(options: InFlightGateOptions) {
    this.gate = new InFlightGate(options);
  }

  come(name: string, { waited = undefined as number | undefined, work = () => {} } = {}): void {
    const visit = this.gate.visit(performance.now(), waited);
    this.visits.set(name, visit);
    visit.enter({
      run: () => {
        this.log.push(`${name} runs`);
        work();
      },
      shed: (reason) => {
        this.log.push(`${name} ${reason}`);
      },
      queued: () => {},
    });
  }

  leave(name: string): void {
    const visit = this.visits.get(name);
    assert.ok(visit);
    visit.leave();
  }
}

function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describe("places", () => {
  test("as many requests run as there are places; the others wait in order", async () => {
    const door = new Door({ maxInFlight: 2, maxQueue: 10 });
    for (const name of ["a", "b", "c", "d", "e"]) door.come(name);
    assert.deepEqual(door.log, ["a runs", "b runs"]);
    assert.deepEqual([door.gate.inFlight, door.gate.waiting], [2, 3]);
    door.gate.leave();
    await until(() => door.log.length === 3);
    await turn();
    assert.deepEqual(door.log, ["a runs", "b runs", "c runs"]);
    door.gate.leave();
    door.gate.leave();
    await until(() => door.log.length === 5);
    assert.deepEqual(door.log.slice(3), ["d runs", "e runs"]);
    assert.deepEqual([door.gate.inFlight, door.gate.waiting], [2, 0]);
  });

  test("one that has just come does not overtake one that waits", async () => {
    const door = new Door({ maxInFlight: 1 });
    for (const name of ["a", "b"]) door.come(name);
    door.gate.leave();
    door.come("c");
    assert.deepEqual(door.log, ["a runs", "c overload"]);
    await until(() => door.log.length === 3);
    assert.equal(door.log[2], "b runs");
  });

  test("a full queue refuses at once; by default it is as long as there are places", () => {
    const door = new Door({ maxInFlight: 2 });
    for (const name of ["a", "b", "c", "d", "e"]) door.come(name);
    assert.deepEqual(door.log, ["a runs", "b runs", "e overload"]);
    const without = new Door({ maxInFlight: 1, maxQueue: 0 });
    for (const name of ["a", "b"]) without.come(name);
    assert.deepEqual(without.log, ["a runs", "b overload"]);
  });

  test("a request whose client has gone never runs, and its place in the queue is free", async () => {
    const door = new Door({ maxInFlight: 1, maxQueue: 2 });
    for (const name of ["a", "b", "c"]) door.come(name);
    door.leave("b");
    door.leave("b");
    door.come("d");
    door.leave("a");
    await until(() => door.log.length === 2);
    door.leave("c");
    await until(() => door.log.length === 3);
    assert.deepEqual(door.log, ["a runs", "c runs", "d runs"]);
    // It has left twice, and freed one place.
    door.leave("c");
    assert.deepEqual([door.gate.inFlight, door.gate.waiting], [1, 0]);
  });

  test("closing refuses all that wait", () => {
    const door = new Door({ maxInFlight: 1, maxQueue: 2 });
    for (const name of ["a", "b", "c"]) door.come(name);
    door.gate.close();
    assert.deepEqual(door.log, ["a runs", "b draining", "c draining"]);
  });
});

describe("time", () => {
  test("a request waits no longer than the timeout, though no place becomes free", async () => {
    const door = new Door({ maxInFlight: 1, maxQueue: 5, queueTimeout: 40 });
    for (const name of ["a", "b"]) door.come(name);
    await wait(25);
    door.come("c");
    await until(() => door.log.includes("b queue_timeout"));
    assert.deepEqual(door.log, ["a runs", "b queue_timeout"]);
    await until(() => door.log.length === 3);
    assert.equal(door.log[2], "c queue_timeout");
  });

  test("the time counts from where the proxy says, in whatever order they come", async () => {
    const door = new Door({ maxInFlight: 1, maxQueue: 5, queueTimeout: 1000 });
    door.come("late", { waited: 1001 });
    door.come("a");
    door.come("b");
    door.come("c", { waited: 900 });
    await until(() => door.log.length === 3);
    assert.deepEqual(door.log, ["late queue_timeout", "a runs", "c queue_timeout"]);
  });

  test("one that waited too long while the loop was blocked does not run, and takes no place from a new one", async () => {
    const door = new Door({ maxInFlight: 1, maxQueue: 1, queueTimeout: 20 });
    for (const name of ["a", "b"]) door.come(name);
    busy(30);
    door.come("c");
    assert.deepEqual(door.log, ["a runs", "b queue_timeout"]);
    assert.equal(door.gate.waiting, 1);
  });
});

describe("turns of the event loop", () => {
  test("what arrives while handlers keep the loop busy waits, and the loop turns between two", async () => {
    const door = new Door({ maxInFlight: 100, maxQueue: 2 });
    const work = (): void => {
      busy(3);
      door.gate.leave();
      setImmediate(() => door.log.push("turn"));
    };
    for (const name of ["a", "b", "c", "d"]) door.come(name, { work });
    // Each handler had ended when the next one came, but all came in one turn.
    assert.deepEqual(door.log, ["a runs", "d overload"]);
    await until(() => door.log.filter((line) => line === "turn").length === 3);
    const between = door.log.slice(door.log.indexOf("b runs"), door.log.indexOf("c runs"));
    assert.ok(between.includes("turn"), door.log.join(", "));
  });

  test("while connections keep coming, the loop reads on for a moment before the next handler", async () => {
    const door = new Door({ maxInFlight: 100, maxQueue: 10 });
    const work = (): void => busy(3);
    for (const name of ["a", "b"]) door.come(name, { work });
    let turns = 0;
    const connect = (): void => {
      if (door.log.length === 2) return;
      turns += 1;
      door.gate.connected();
      setImmediate(connect);
    };
    const since = performance.now();
    connect();
    await until(() => door.log.length === 2);
    assert.ok(turns > 2, `${turns} turns`);
    assert.ok(performance.now() - since < 1000, "it waited for an end of the connections");
  });

  test("what a handler does after an await counts as well", async () => {
    const door = new Door({ maxInFlight: 100, maxQueue: 10 });
    let turns = 0;
    const work = (): void => {
      void Promise.resolve().then(() => busy(3));
    };
    const count = (): void => {
      turns += 1;
      if (door.log.length < 4) setImmediate(count);
    };
    door.come("a", { work: () => busy(3) });
    for (const name of ["b", "c", "d"]) door.come(name, { work });
    setImmediate(count);
    await until(() => door.log.length === 4);
    assert.ok(turns >= 3, `${turns} turns for 3 requests`);
  });

  test("short handlers run at once, and many that wait in one turn", async () => {
    const door = new Door({ maxInFlight: 1, maxQueue: 1000 });
    const work = (): void => door.gate.leave();
    door.come("first");
    for (let each = 0; each < 200; each += 1) door.come(`${each}`, { work });
    let turns = 0;
    const count = (): void => {
      turns += 1;
      if (door.log.length < 201) setImmediate(count);
    };
    door.gate.leave();
    setImmediate(count);
    await until(() => door.log.length === 201);
    assert.ok(turns < 100, `${turns} turns`);
  });

  test("a request that waited runs in the context in which it arrived", async () => {
    const storage = new AsyncLocalStorage<string>();
    const door = new Door({ maxInFlight: 1 });
    const seen: (string | undefined)[] = [];
    const work = (): void => {
      seen.push(storage.getStore());
    };
    storage.run("one", () => door.come("a", { work }));
    storage.run("two", () => door.come("b", { work }));
    storage.run("one", () => door.gate.leave());
    await until(() => door.log.length === 2);
    assert.deepEqual(seen, ["one", "two"]);
  });
});

describe("whatever happens", () => {
  test("each request has exactly one end, and no place is lost", async () => {
    const below = randomNumbers(20_26);
    const random = (): number => below(1000) / 1000;
    for (let round = 0; round < 20; round += 1) {
      const maxInFlight = 1 + Math.floor(random() * 4);
      const maxQueue = Math.floor(random() * 5);
      const door = new Door({ maxInFlight, maxQueue, queueTimeout: random() < 0.5 ? 3 : 1000 });
      let running = 0;
      let cancelled = 0;
      const work = (): void => {
        running += 1;
        assert.ok(running <= maxInFlight);
      };
      const names = Array.from({ length: 60 }, (_, index) => `r${index}`);
      for (const name of names) {
        door.come(name, { work });
        assert.ok(door.gate.waiting <= maxQueue);
        assert.equal(door.gate.inFlight, running);
        const step = random();
        if (step < 0.3 && running > 0) {
          running -= 1;
          door.gate.leave();
        } else if (step < 0.4) {
          const visit = door.visits.get(name);
          if (visit?.isWaiting === true) cancelled += 1;
          if (visit?.isWaiting === true) visit.leave();
        } else if (step < 0.7) await turn();
        else if (step < 0.75) await wait(2);
      }
      while (door.gate.waiting > 0 || running > 0) {
        if (running > 0) {
          running -= 1;
          door.gate.leave();
        }
        await turn();
      }
      assert.equal(door.gate.inFlight, 0);
      const ended = door.log.map((line) => line.split(" ")[0]);
      assert.equal(new Set(ended).size, ended.length, "one request had two ends");
      assert.equal(ended.length + cancelled, names.length);
    }
  });
});
