/** The keeper of places: searches only when they are scarce, after a whole turn of the loop, and never more often than needed. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PlaceKeeper, type Relief } from "../../../src/server/places/place-keeper.ts";
import type { Scarcity, Standing, Wait } from "../../../src/server/places/policy.ts";
import { until } from "../../support/command.ts";

interface Stand {
  readonly keeper: PlaceKeeper;
  readonly places: { wanted: number; scarcity: Scarcity; connections: number };
  readonly standings: Map<string, Standing | undefined>;
  readonly closed: string[];
  readonly reliefs: Relief[];
  searches: number;
}

function stand(standings: Record<string, Standing | undefined>, wanted: number): Stand {
  const places = { wanted, scarcity: "full" as Scarcity, connections: 10 };
  const reliefs: Relief[] = [];
  const keeper = new PlaceKeeper(places, (relief) => reliefs.push(relief));
  const made: Stand = {
    keeper,
    places,
    standings: new Map(Object.entries(standings)),
    closed: [],
    reliefs,
    searches: 0,
  };
  const connections = {
    [Symbol.iterator]: () => {
      made.searches += 1;
      return [...made.standings.keys()][Symbol.iterator]();
    },
  };
  keeper.add<string>({
    connections,
    now: () => performance.now(),
    standing: (name) => made.standings.get(name),
    giveWay: (name, wait: Wait) => {
      made.closed.push(`${name} ${wait}`);
      made.standings.delete(name);
      places.wanted -= 1;
    },
  });
  return made;
}

const silent = (late: number): Standing => ({ wait: "first byte", late });

describe("the keeper of places", () => {
  test("closes as many as are wanted, and tells how many of which kind", async () => {
    const { keeper, closed, reliefs } = stand(
      { a: silent(700), b: silent(800), c: silent(900), busy: undefined },
      2,
    );
    keeper.makeRoom();
    await until("two are closed", () => closed.length === 2);
    assert.deepEqual(closed, ["c first byte", "b first byte"]);
    assert.deepEqual(reliefs, [new Map([["first byte", 2]])]);
  });

  test("a connection whose input is read in the turn between keeps its place", async () => {
    const made = stand({ a: silent(700), b: silent(700) }, 1);
    made.keeper.makeRoom();
    // As the loop does when it reads: after the moment at which lateness is measured.
    setImmediate(() => made.standings.set("a", undefined));
    await until("one is closed", () => made.closed.length === 1);
    assert.deepEqual(made.closed, ["b first byte"]);
  });

  test("searches again while places are wanted, not in each turn, and not once there are enough", async () => {
    const made = stand({ a: silent(100) }, 1);
    made.keeper.makeRoom();
    for (let count = 0; count < 100; count += 1) made.keeper.makeRoom();
    await until("it has searched", () => made.searches > 0);
    for (let turn = 0; turn < 50; turn += 1) {
      made.keeper.makeRoom();
      await new Promise(setImmediate);
    }
    assert.equal(made.searches, 1);
    made.standings.set("a", silent(600));
    await until("it is closed", () => made.closed.length === 1);
    assert.equal(made.searches, 2);
    made.keeper.makeRoom();
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    assert.equal(made.searches, 2);
  });

  test("searches at once when places get scarcer: somebody may be chosen who could not before", async () => {
    const made = stand({ a: { wait: "reader", late: 1200 } }, 1);
    made.places.scarcity = "scarce";
    made.keeper.makeRoom();
    await until("it has searched", () => made.searches === 1);
    assert.deepEqual(made.closed, []);
    made.places.scarcity = "tight";
    const since = performance.now();
    made.keeper.makeRoom();
    await until("it is closed", () => made.closed.length === 1);
    assert.ok(performance.now() - since < 400, "not after the half second in which nobody was due");
    assert.equal(made.searches, 2);
  });
});
