/** The reports that a worker writes about its requests, to a pipe that is read or not. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseRequestReport, type RequestReport } from "../../src/ipc/request-report.ts";
import type { InFlightRequest } from "../../src/server/server.ts";
import { RequestReports } from "../../src/worker/request-reports.ts";
import { temporaryFolder, until } from "../support/command.ts";

class Stage {
  held: InFlightRequest[] = [];
  readonly reports: RequestReports;
  /** The arbiter's end of the pipe. */
  readonly arbiter: Socket;
  #read = "";

  static start(context: TestContext): Stage {
    const path = join(temporaryFolder(context), "pipe");
    assert.equal(spawnSync("mkfifo", [path]).status, 0);
    // Both ends, so that neither waits for the other.
    const fd = openSync(path, "r+");
    const arbiter = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) });
    arbiter.pause();
    context.after(() => arbiter.destroy());
    return new Stage(fd, arbiter);
  }

  private constructor(fd: number, arbiter: Socket) {
    this.arbiter = arbiter;
    this.reports = new RequestReports(fd, { inFlight: () => this.held });
  }

  read(): void {
    this.arbiter.setEncoding("utf8").on("data", (text: string) => {
      this.#read += text;
    });
    this.arbiter.resume();
  }

  /** Each line is a whole report. */
  get told(): RequestReport[] {
    const lines = this.#read.split("\n");
    assert.equal(lines.pop(), "", "a line is torn");
    return lines.map((line) => parseRequestReport(line) ?? assert.fail(`no report: ${line}`));
  }
}

test("the last report lists the requests in flight, truncated", async (context) => {
  const stage = Stage.start(context);
  stage.read();
  const request = { method: "GET", target: `/${"x".repeat(8000)}`, id: "1-1", age: 10 };
  stage.held = Array.from({ length: 200 }, () => request);
  stage.reports.reportInFlight();
  const [report] = await until("it is read", () => stage.told.length === 1 && stage.told);
  assert.ok(report?.kind === "held" && report.requests.length === 50);
  assert.equal(report.requests[0]?.target.length, 500);
});
