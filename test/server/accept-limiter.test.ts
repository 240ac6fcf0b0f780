/** When the accept limiter stops and restarts accepting, on fake listening handles. */
import assert from "node:assert/strict";
import type { Server } from "node:net";
import { test } from "node:test";
import { AcceptLimiter } from "../../src/server/accept-limiter.ts";
import { DescriptorBudget } from "../../src/server/descriptor-budget.ts";

/** A listening handle like libuv's: `readStop` has an effect only after `readStart`. */
class Handle {
  accepting = true;
  #started = false;

  readStart(): number {
    this.#started = true;
    this.accepting = true;
    return 0;
  }

  readStop(): number {
    if (this.#started) this.accepting = false;
    return 0;
  }
}

function handleOf(limiter: AcceptLimiter): Handle {
  const handle = new Handle();
  limiter.addServer({ _handle: handle } as unknown as Server);
  return handle;
}

function open(limiter: AcceptLimiter, count: number): void {
  for (let opened = 0; opened < count; opened += 1) limiter.connectionOpened();
}

test("at its maximum it stops every socket until a connection closes, and reports that once", () => {
  let reports = 0;
  const limiter = new AcceptLimiter({
    maxConnections: 2,
    onFull: () => {
      reports += 1;
    },
  });
  const [one, two] = [handleOf(limiter), handleOf(limiter)];
  limiter.connectionOpened();
  assert.deepEqual([limiter.full, one.accepting, two.accepting], [false, true, true]);
  open(limiter, 2);
  assert.deepEqual([limiter.full, one.accepting, two.accepting, reports], [true, false, false, 1]);
  assert.equal(handleOf(limiter).accepting, false);
  limiter.connectionClosed();
  assert.deepEqual([limiter.full, one.accepting], [true, false]);
  limiter.connectionClosed();
  assert.deepEqual([limiter.full, one.accepting, two.accepting], [false, true, true]);
});

test("beyond its share it pauses, up to an eighth of its connections at a time", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const limiter = new AcceptLimiter();
  const handle = handleOf(limiter);
  open(limiter, 100);
  assert.equal(handle.accepting, true, "without a known share there is no limit");
  limiter.setShare(158);
  open(limiter, 58);
  assert.equal(handle.accepting, true);
  for (let pauses = 0; pauses < 3; pauses += 1) {
    let accepted = 0;
    for (; handle.accepting; accepted += 1) limiter.connectionOpened();
    assert.ok(accepted >= 20 && accepted <= 30, `${accepted}`);
    context.mock.timers.tick(1);
    assert.equal(handle.accepting, true);
  }
  limiter.setShare(undefined);
  open(limiter, 100);
  assert.equal(handle.accepting, true, "it is alone now");
});

test("with few connections it pauses after each one beyond its share", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const limiter = new AcceptLimiter();
  const handle = handleOf(limiter);
  limiter.setShare(4);
  open(limiter, 4);
  for (let more = 0; more < 4; more += 1) {
    assert.equal(handle.accepting, true);
    limiter.connectionOpened();
    assert.equal(handle.accepting, false);
    context.mock.timers.tick(1);
  }
});

test("connections that close as fast as they come cause no pause, and kept ones do once more when these are forgotten", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const limiter = new AcceptLimiter();
  const handle = handleOf(limiter);
  const closeAll = (): void => {
    for (let closed = 0; closed < 30; closed += 1) limiter.connectionClosed();
  };
  limiter.setShare(4);
  for (let opened = 0; opened < 30; opened += 1) {
    limiter.connectionOpened();
    context.mock.timers.tick(1);
  }
  for (let rounds = 0; rounds < 5; rounds += 1) {
    closeAll();
    for (let opened = 0; opened < 30; opened += 1) {
      limiter.connectionOpened();
      assert.equal(handle.accepting, true);
    }
  }
  closeAll();
  for (let beats = 0; beats < 5; beats += 1) limiter.lowerLevel();
  open(limiter, 5);
  assert.equal(handle.accepting, false);
});

test("connections that it was told to shed do not come back without a pause", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const limiter = new AcceptLimiter();
  const handle = handleOf(limiter);
  open(limiter, 30);
  limiter.setShare(18, 14);
  for (let closed = 0; closed < 14; closed += 1) limiter.connectionClosed();
  open(limiter, 2);
  assert.equal(handle.accepting, true, "it is within its share");
  open(limiter, 3);
  assert.equal(handle.accepting, false);
});

test("it reports growth, and the end of a shed, once for each beat", () => {
  let reports = 0;
  const limiter = new AcceptLimiter();
  limiter.whenMoved(() => {
    reports += 1;
    limiter.reported();
  });
  const reportsWhile = (action: () => void): number => {
    const before = reports;
    action();
    return reports - before;
  };
  limiter.setShare(0);
  assert.equal(
    reportsWhile(() => open(limiter, 3)),
    0,
  );
  assert.equal(
    reportsWhile(() => open(limiter, 1)),
    1,
  );
  assert.equal(
    reportsWhile(() => open(limiter, 36)),
    8,
  );
  limiter.setShare(18, 2);
  assert.equal(
    reportsWhile(() => limiter.connectionClosed()),
    0,
  );
  assert.equal(
    reportsWhile(() => limiter.connectionClosed()),
    1,
  );
  assert.equal(
    reportsWhile(() => limiter.connectionClosed()),
    0,
  );
});

test("the end of a pause does not restart a full limiter, nor does a closed connection restart a paused one", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const limiter = new AcceptLimiter({ maxConnections: 10 });
  const handle = handleOf(limiter);
  limiter.setShare(4);
  open(limiter, 9);
  assert.equal(handle.accepting, false, "it rests");
  limiter.connectionOpened();
  context.mock.timers.tick(1);
  assert.equal(handle.accepting, false, "it is full");
  limiter.connectionClosed();
  assert.equal(handle.accepting, true);
  limiter.setShare(4, 1);
  limiter.connectionClosed();
  limiter.connectionOpened();
  assert.equal(handle.accepting, false, "it rests");
  limiter.connectionOpened();
  limiter.connectionClosed();
  assert.equal(handle.accepting, false, "it rests still");
  context.mock.timers.tick(1);
  assert.equal(handle.accepting, true);
});

/** A DescriptorBudget with the number of open descriptors that the test sets. */
class CountedDescriptors extends DescriptorBudget {
  count = 0;

  override get open(): number {
    return this.count;
  }

  override get areScarce(): boolean {
    return this.isInReserve(this.count);
  }
}

test("it stops when only the size of the descriptor reserve is left, until connections or the app close some", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const reports: boolean[] = [];
  const descriptors = new CountedDescriptors(200);
  assert.equal(descriptors.usable, 168);
  const limiter = new AcceptLimiter({
    descriptors,
    onDescriptorsScarce: (areScarce) => reports.push(areScarce),
  });
  const handle = handleOf(limiter);
  limiter.connectionOpened(167);
  assert.deepEqual([handle.accepting, limiter.full, limiter.descriptorsScarce], [true, false, false]);
  descriptors.count = 169;
  limiter.connectionOpened(168);
  assert.deepEqual([handle.accepting, limiter.full, limiter.descriptorsScarce], [false, true, true]);
  limiter.connectionClosed();
  assert.equal(handle.accepting, false, "the app holds more than that");
  descriptors.count = 20;
  context.mock.timers.tick(250);
  assert.deepEqual([handle.accepting, limiter.full, limiter.descriptorsScarce], [true, false, false]);
  descriptors.count = 180;
  limiter.checkDescriptors();
  assert.equal(handle.accepting, false, "the app has opened some");
  descriptors.count = 160;
  limiter.connectionClosed();
  assert.equal(handle.accepting, false, "one low descriptor that comes free is not enough");
  context.mock.timers.tick(250);
  assert.equal(handle.accepting, true);
  assert.deepEqual(reports, [true, false, true, false]);
});

test("the size of the descriptor reserve", () => {
  const usable = (limit: number): number => new DescriptorBudget(limit).usable;
  assert.deepEqual([64, 200, 1024, 65_536].map(usable), [48, 168, 896, 65_280]);
  assert.equal(usable(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
});

test("a closed server is ignored", () => {
  const limiter = new AcceptLimiter({ maxConnections: 1 });
  limiter.addServer({ _handle: null } as unknown as Server);
  limiter.connectionOpened();
  limiter.connectionClosed();
});

test("places are scarce beyond fifteen of sixteen, and tight when half of the rest is taken", () => {
  const limiter = new AcceptLimiter({ maxConnections: 1000 });
  const seen = new Map<string, number>();
  for (let count = 1; count <= 1000; count += 1) {
    limiter.connectionOpened();
    const scarcity = limiter.wanted > 0 ? limiter.scarcity : "ample";
    if (!seen.has(scarcity)) seen.set(scarcity, count);
  }
  assert.deepEqual(
    [...seen],
    [
      ["ample", 1],
      ["scarce", 939],
      ["tight", 970],
      ["full", 1000],
    ],
  );
});
