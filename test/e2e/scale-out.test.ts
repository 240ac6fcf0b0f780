/** `examples/scale-out` unchanged: one app on three hosts and a proxy, each in its own network namespace. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { until } from "../support/command.ts";
import { hasComponent, noNetworks } from "../support/component.ts";
import { RemoteLoad } from "../support/remote-load.ts";
import { FRONT, type Host, type ProxyName, ScaleOut, START_WITHIN_MS } from "../support/scale-out.ts";
import { askSlowly, type SlowAnswer } from "../support/slow-requests.ts";

const skip = noNetworks();

/** Enough that each of three hosts gets some, few enough for a small machine. */
const CLIENTS = 12;
const RATE = 120;
/** Requests by GET and by POST. */
const SLOW_REQUESTS = 6;
/** Longer than a request may take in a host that is cut off and then in another one. */
const ANSWER_WITHIN_MS = 20_000;

/** A host that was down for a while. */
interface Outage {
  readonly host: Host;
  readonly since: number;
  /** When it served again. */
  until: number;
}

/** After this many milliseconds requests to a host that is down have failed. */
const GIVEN_UP_AFTER = 8000;

interface Stage {
  readonly site: ScaleOut;
  readonly load: RemoteLoad;
  readonly hosts: readonly [Host, Host, Host];
  readonly outages: Outage[];
}

function hasComponents(context: TestContext, proxy: ProxyName): boolean {
  const needed = [[proxy], ["curl"], ["ip", "iproute2"], ["ss", "iproute2"]] as const;
  return needed.every(([program, packages]) => hasComponent(context, program, packages));
}

async function stage(context: TestContext, proxy: ProxyName): Promise<Stage> {
  const site = await ScaleOut.start(context);
  await site.startProxy(proxy);
  const order = { target: FRONT, clients: CLIENTS, rate: RATE, timeout: ANSWER_WITHIN_MS };
  const load = await RemoteLoad.start(context, site.front, order);
  return { site, load, hosts: site.hosts as unknown as readonly [Host, Host, Host], outages: [] };
}

for (const proxy of ["nginx", "haproxy"] as const) {
  test(`three hosts behind ${proxy}`, { skip }, async (context) => {
    if (!hasComponents(context, proxy)) return;
    const made = await stage(context, proxy);
    const step = (name: string, run: (made: Stage) => Promise<void>): Promise<void> =>
      context.test(name, async () => {
        try {
          await run(made);
        } catch (error) {
          console.error(`--- the load\n${made.load.report()}\n${made.site.report()}`);
          throw error;
        }
      });
    await step("a release goes from host to host, and no request is lost", deploy);
    await step("a broken one stops at the first host, and all serve on", deployBroken);
    await step(
      "a client with a session comes back to the same host",
      proxy === "nginx" ? stickByAddress : stickByCookie,
    );
    if (proxy === "haproxy") await step("a host leaves in order", leave);
    await step("a host is cut off, and comes back", cutOff);
    await step("a host is killed, and comes back", kill);
    await step("nothing is lost but what was in a host that went", async ({ load, site }) => {
      await load.stop();
      assertLostThere(made);
      assertNoneTwice(site);
    });
  });
}

async function deploy({ site, load, hosts }: Stage): Promise<void> {
  await until("each host has answered", () => hosts.every(({ address }) => load.from(address, "one") > 0));
  const { code, output } = await site.deploy(site.release(site.folder, "two"), "two");
  assert.equal(code, 0, output);
  for (const { address } of hosts) {
    assert.match(output, new RegExp(`${address}: two\nreloading .*\ngeneration 2 serves with 2 workers\n`));
  }
  // A request may have been on its way on their connections.
  await until("the old workers have gone", () => hosts.every(({ server }) => server.workers().length === 2));
  await load.more(RATE);
  const before = hosts.map(({ address }) => load.from(address, "one"));
  await load.more(RATE);
  assert.equal(load.state.failed, 0, load.report());
  for (const [at, { address }] of hosts.entries()) {
    assert.ok(load.from(address, "two") > 0, load.report());
    assert.equal(load.from(address, "one"), before[at], "the old release still answers");
  }
}

async function deployBroken({ site, load, hosts }: Stage): Promise<void> {
  const broken = '\nthrow new Error("the third release is broken");\n';
  const { code, output } = await site.deploy(site.release(site.folder, "three", broken), "three");
  assert.equal(code, 1, output);
  assert.match(output, /the third release is broken \(at app\.ts:\d+\); generation 2 continues to serve/);
  assert.match(output, /stopped at 10\.77\.0\.11, which does not serve three/);
  assert.doesNotMatch(output, /10\.77\.0\.1[23]/);
  for (const host of hosts) assert.deepEqual([host.current, host.releases], ["two", ["one", "two"]]);
  // A replaced worker runs the current release.
  const { server } = hosts[0];
  const [pid = 0] = server.workers();
  process.kill(pid, "SIGTERM");
  await until("it is replaced", () => server.workers().length === 2 && !server.workers().includes(pid));
  await load.more(RATE);
  assert.equal(load.state.failed, 0, load.report());
  assert.equal(load.from("", "three"), 0);
}

/** The host that responds at a moment when it matters. */
function askSticky(site: ScaleOut, ...options: string[]): { host: string | undefined; head: string } {
  const head = site.front.execute("curl", "-si", ...options, `http://${FRONT.host}/sticky/page`);
  assert.match(head, /^HTTP\/1\.1 200 /);
  return { host: /^x-host: (\S+)\r$/m.exec(head)?.[1], head };
}

async function stickByAddress({ site }: Stage): Promise<void> {
  const answering = Array.from({ length: 6 }, () => askSticky(site).host);
  assert.equal(new Set(answering).size, 1, answering.join());
}

async function stickByCookie({ site, hosts }: Stage): Promise<void> {
  assert.match(askSticky(site).head, /^set-cookie: HOST=[123]; path=\/; HttpOnly\r$/m);
  for (const [at, { address }] of hosts.entries()) {
    for (let time = 0; time < 2; time++) assert.equal(askSticky(site, "-b", `HOST=${at + 1}`).host, address);
  }
}

async function leave({ site, load, hosts: [, second] }: Stage): Promise<void> {
  const leaving = second.server.end("SIGTERM");
  await until("HAProxy has seen that it is not ready", () =>
    site.proxyLog().includes("Server app/host2 is DOWN"),
  );
  assert.match(second.machine.execute("ss", "-ltnH"), /:8000 /, "it let go of its port before HAProxy knew");
  assert.deepEqual(await leaving, { code: 0, signal: null });
  const left = load.from(second.address);
  await load.more(RATE);
  assert.equal(load.from(second.address), left);
  assert.notEqual(askSticky(site, "-b", "HOST=2").host, second.address);
  second.startServer();
  await servesAgain(load, second, left);
  assert.equal(load.state.failed, 0, load.report());
}

/** Waits until the host gives more responses than this. */
async function servesAgain(load: RemoteLoad, host: Host, answers: number): Promise<void> {
  const { address } = host;
  await until(`${address} serves again`, () => load.from(address) > answers, START_WITHIN_MS);
}

function beginOutage({ outages }: Stage, host: Host): Outage {
  const outage = { host, since: Date.now(), until: Number.POSITIVE_INFINITY };
  outages.push(outage);
  return outage;
}

async function cutOff(made: Stage): Promise<void> {
  const { site, load, hosts } = made;
  const slow = askSlowly(site.front, `http://${FRONT.host}`, SLOW_REQUESTS);
  const host = await until("a host has some of each", () => {
    return hosts.find((each) =>
      ["GET ", "POST "].every((start) => arrived(each, `${start}/slow/`).length > 0),
    );
  });
  const outage = beginOutage(made, host);
  host.cutOff();
  // Its last responses may still be on their way to the client, and their count to this process.
  await load.more(RATE);
  const left = load.from(host.address);
  // Longer than the proxy takes to notice.
  await load.more(RATE * 5);
  assert.equal(load.from(host.address), left);
  assertSlowLostThere(await slow, host, made);
  host.reconnect();
  await servesAgain(load, host, left);
  outage.until = Date.now();
}

/** A POST may be lost if it reached the host or was on its way there; no other host has received it. */
function assertSlowLostThere(answers: readonly SlowAnswer[], host: Host, { hosts }: Stage): void {
  const lost = answers.filter(({ status }) => status !== 200);
  for (const { request, status } of lost) {
    assert.match(request, /^POST /);
    assert.ok([0, 502, 503, 504].includes(status), `${request}: ${status}`);
    const elsewhere = hosts.filter((other) => other !== host && other.arrivals().includes(request));
    assert.deepEqual(elsewhere, [], `${request} was sent twice`);
  }
  const names = lost.map(({ request }) => request);
  const answered = arrived(host, "POST /slow/").filter((request) => !names.includes(request));
  assert.deepEqual(answered, [], "a host that was cut off has answered");
}

function arrived(host: Host, start: string): string[] {
  return host.arrivals().filter((request) => request.startsWith(start));
}

async function kill(made: Stage): Promise<void> {
  const { load, hosts } = made;
  const [, , host] = hosts;
  const outage = beginOutage(made, host);
  await host.die();
  await load.more(RATE);
  const left = load.from(host.address);
  await load.more(RATE * 2);
  assert.equal(load.from(host.address), left);
  host.startServer();
  await servesAgain(load, host, left);
  outage.until = Date.now();
}

/**
 * How a client hears that a POST is lost: as a status. Only of one that went out on a connection which the host had
 * answered on before, HAProxy says nothing, to the client or in its log, and closes the client's connection.
 */
const LOST_POST =
  /#\d+ (POST \S+) \(.*\): (?:status 50[234] |(the server closed the connection, with nothing of))/;

/** Whether a line of the proxy's log says that a host was tried. */
function names(line: string, { address }: Host): boolean {
  return line.includes(`host=${address}:8000 `) || line.includes(` app/host${address.at(-1)} `);
}

/** Every lost request is a POST sent only to a host that was down, and they are few. */
function assertLostThere({ site, load, outages }: Stage): void {
  const { failures } = load.state;
  for (const { text, at } of failures) {
    const [, request = "", silent] = LOST_POST.exec(text) ?? assert.fail(load.report());
    const line = site.proxyLine(request);
    assert.ok(line !== undefined || silent !== undefined, `the proxy's log has no ${request}`);
    const there = outages.some(({ host, since, until: end }) => {
      return since <= at && at <= end + GIVEN_UP_AFTER && (line === undefined || names(line, host));
    });
    assert.ok(there, `${line}\n${load.report()}`);
  }
  assert.ok(failures.length <= CLIENTS * outages.length, load.report());
}

/** A POST is never sent twice, whatever its outcome. */
function assertNoneTwice(site: ScaleOut): void {
  const posts = site.hosts.flatMap((host) => arrived(host, "POST "));
  assert.ok(posts.length > RATE);
  const twice = posts.filter((line, index) => posts.indexOf(line) !== index);
  assert.deepEqual(twice, []);
}
