/** The verdict on a record: the fact, its likely cause, and what to do, each a sentence. Pure. */
import type { DeathRecord } from "./death-record.ts";
import { megabytes, seconds } from "./figures.ts";

export interface Verdict {
  /** Continues "Worker 4711 of shop …". */
  readonly fact: string;
  /** Empty if there is nothing to say. */
  readonly cause: string;
  readonly advice: string;
}

type Part = Pick<Verdict, "cause" | "advice">;

const NATIVE_FAULTS: Readonly<Record<string, string>> = {
  SIGSEGV: "it accessed memory that is not its own",
  SIGBUS: "it accessed memory that is not there",
  SIGILL: "it ran an illegal instruction",
  SIGFPE: "it divided by zero in native code",
  SIGTRAP: "a check in V8 or native code failed",
  SIGABRT: "a check in Node, V8 or a native module failed",
};

export function verdictOf(record: DeathRecord): Verdict {
  const { end } = record;
  if (!end.isProblem)
    return { fact: `ended as it was told to, for ${end.orderedFor}`, cause: "", advice: "" };
  return verdictOfProblem(record);
}

function verdictOfProblem(record: DeathRecord): Verdict {
  switch (record.end.reason) {
    case "stuck":
      return stuck(record);
    case "heap_oom":
      return heapExhausted(record);
    case "killed":
      return killed(record);
    case "boot_failed":
      return bootFailed(record);
    case "crash":
      return crashed(record);
    default:
      return late(record);
  }
}

/** The request that a blocked or dead worker was in: the youngest that was there before the block, or the only one. */
export function guiltyRequest({
  requestsInFlight,
  stall,
}: DeathRecord): DeathRecord["requestsInFlight"][number] | undefined {
  if (requestsInFlight.length === 1) return requestsInFlight[0];
  if (stall === null || stall.where === "stopped") return undefined;
  // The ages are of the end, the block is of the report: allow for the time between.
  const before = requestsInFlight.filter(({ age }) => age >= stall.blockedFor);
  return before.reduce<(typeof before)[number] | undefined>(
    (young, request) => (young === undefined || request.age < young.age ? request : young),
    undefined,
  );
}

function requestCause(record: DeathRecord): string {
  const request = guiltyRequest(record);
  if (request !== undefined) return `the request ${request.method} ${request.target}, which was in flight`;
  const { length } = record.requestsInFlight;
  return length > 1 ? `perhaps one of the ${length} requests in flight` : "";
}

function because(cause: string, record: DeathRecord): string {
  const request = guiltyRequest(record);
  if (request === undefined) return cause;
  return `${cause}, in the request ${request.method} ${request.target}`;
}

/** Memory that has grown this much within the last minute is worth a word, if it is at least twice what it was. */
const MUCH_GROWTH = 100e6;

/** Tells how a blocked worker's memory grew, as the end of a cause. */
function growth({ samples }: DeathRecord): string {
  // While it booted, before it measured itself, it was smaller.
  const sizes = samples.filter(({ heapUsed }) => heapUsed !== null).flatMap(({ rss }) => rss ?? []);
  const [first = 0] = sizes;
  const most = Math.max(0, ...sizes);
  if (first === 0 || most < 2 * first || most - first < MUCH_GROWTH) return "";
  return `; its memory grew from ${megabytes(first)} to ${megabytes(most)}`;
}

function stuck(record: DeathRecord): Verdict {
  const { cause, ...rest } = blocked(record);
  return { ...rest, cause: cause === "" ? "" : cause + growth(record) };
}

function blocked(record: DeathRecord): Verdict {
  const { stall, end } = record;
  const silence = /\d+(?:\.\d+)?s/.exec(end.orderedFor ?? "")?.[0] ?? "";
  const time = silence === "" ? "too long" : `more than ${silence}`;
  const fact = (what: string): string => `was killed by tsgun (--timeout): ${what} for ${time}`;
  switch (stall?.where) {
    case "JavaScript": {
      const cause = because(`the code ${stall.stack[0] ?? "that the stack shows"}`, record);
      const advice =
        "Move the work to a worker thread or break it up, bound what a request may ask for, or raise --timeout.";
      return { fact: fact("its event loop was blocked in JavaScript"), cause, advice };
    }
    case "native code":
      return { fact: fact("its event loop was blocked in native code"), ...nativeBlock(record) };
    case "stopped": {
      const cause = "a SIGSTOP from outside: a person, a debugger, or a container that was paused";
      const advice =
        "Find out who stopped it; tsgun does not send SIGSTOP. A paused machine needs a longer --timeout.";
      return { fact: fact("its process was stopped"), cause, advice };
    }
    case "waiting": {
      const cause = because("a disk or a network file system that does not respond", record);
      return {
        fact: fact("it was waiting in the kernel"),
        cause,
        advice: "Look into dmesg, and at the mounts that the app uses.",
      };
    }
    default:
      return {
        fact: fact("its event loop did not turn"),
        cause: isHeapNearlyFull(record)
          ? because("garbage collections without end, in a heap that was nearly full", record)
          : requestCause(record),
        advice:
          "Look for blocking code in that path; with koffi and --metrics more is known of a blocked worker.",
      };
  }
}

/** Before V8 gives up it collects garbage for a while, which can take longer than `--timeout`. */
function isHeapNearlyFull({ memory: { rss, heapUsed, heapLimit } }: DeathRecord): boolean {
  return heapLimit !== null && Math.max(rss ?? 0, heapUsed ?? 0) > 0.8 * heapLimit;
}

function nativeBlock(record: DeathRecord): Part {
  const { children = [], stack = [] } = record.stall ?? {};
  const [child] = children;
  const call = stack[0] === undefined ? "" : ` ${stack[0]}`;
  if (child !== undefined)
    return {
      cause: because(
        `a synchronous call${call} that waits for the child process ${child.pid}: ${child.command}`,
        record,
      ),
      advice: "Use the asynchronous form (exec, spawn) instead of execSync or spawnSync.",
    };
  return {
    cause: because(`a synchronous native call${call} (crypto, zlib, JSON, a file, a native module)`, record),
    advice: "Use the asynchronous form of the call, or bound the data that it gets.",
  };
}

function heapExhausted(record: DeathRecord): Verdict {
  const { heapUsed, heapSpaces } = record.memory;
  const used = heapUsed === null ? "" : `, with ${megabytes(heapUsed)} in use`;
  const [largest] = heapSpaces;
  const filled = largest === undefined ? "" : `${largest.name} held ${megabytes(largest.bytes)}`;
  const cause = [filled, requestCause(record)].filter((text) => text !== "").join("; ");
  return {
    fact: `ran out of V8 heap${used}`,
    cause,
    advice:
      "If the last minute shows steady growth, look for a leak (tsgun ctl heap PID of a living worker); if it was sudden, bound what that request loads. --max-old-space sets the limit.",
  };
}

function killed(record: DeathRecord): Verdict {
  const { end, memory, error } = record;
  if (error?.kind === "signal") return ownSignal(record);
  if (end.signal === "SIGKILL" && end.how.endsWith("out of memory")) {
    const { oomKillsBefore: before, oomKillsAfter: after, groupLimit } = memory;
    const limit = groupLimit === null ? "" : `, whose limit is ${megabytes(groupLimit)}`;
    return {
      fact: "was killed by the kernel (SIGKILL): out of memory",
      cause: because(
        `the kernel's count of such kills rose from ${before ?? "?"} to ${after ?? "?"} in its control group${limit}`,
        record,
      ),
      advice:
        "Give the group more memory (MemoryMax=, the container's limit), run fewer workers, or bound their heaps (--max-old-space auto, --max-memory).",
    };
  }
  if (end.signal === "SIGKILL")
    return {
      fact: "was killed by SIGKILL, which tsgun did not send",
      cause: "a person or a program outside; the kernel counted no out-of-memory kill in its control group",
      advice: "Ask who runs kill -9, and look into dmesg and the journal at that time.",
    };
  return {
    // "was told to stop by SIGTERM from outside, and …" says itself who did not send it.
    fact: end.how.startsWith("was killed ") ? `${end.how}, which tsgun did not send` : end.how,
    cause: "a person or a program outside that signals a worker, not the server",
    advice: "Signal the arbiter instead, or use tsgun ctl restart PID.",
  };
}

function ownSignal(record: DeathRecord): Verdict {
  const { end, error } = record;
  return {
    fact: `was ended by ${end.signal ?? "a signal"}, which its own code sent`,
    cause: because(`the call ${error?.message ?? ""}${at(error?.stack)}`, record),
    advice: "Remove the call, or let the app throw.",
  };
}

function bootFailed({ end, error }: DeathRecord): Verdict {
  const fact =
    end.killedFor === "boot-timeout"
      ? "was killed by tsgun: it was not ready in time (--boot-timeout)"
      : `failed to boot: it ${end.how}`;
  return {
    fact,
    cause: error === null ? "" : `${error.message}${at(error.stack)}`,
    advice:
      end.killedFor === "boot-timeout"
        ? "Look at what the app does while it is loaded, or raise --boot-timeout."
        : "tsgun --check-config --preload APP loads the app without serving it.",
  };
}

function crashed(record: DeathRecord): Verdict {
  const { end, error, worker } = record;
  const during = worker.state === "draining" ? " while it was stopping" : "";
  if (end.orderedFor !== null && end.signal === null && error === null)
    return {
      fact: `was replaced because of ${end.orderedFor}`,
      cause: "the app calls close() on the server that it made listen",
      advice: "Close it only in the app's shutdown: a worker whose server is closed cannot serve.",
    };
  switch (error?.kind) {
    case "exception":
    case "rejection": {
      const what = error.kind === "exception" ? "an uncaught exception" : "an unhandled rejection";
      return {
        fact: `crashed${during} on ${what}: ${error.message}`,
        cause: because(`the error${at(error.stack) || " that the stack shows"}`, record),
        advice: "Catch it where it arises: Node ends a process after such an error.",
      };
    }
    case "exit":
      return {
        fact: `was ended by its app${during}, which called ${error.message}`,
        cause: because(`the call${at(error.stack)}`, record),
        advice: "Remove the call, or let the app throw: a server's code must not end its process.",
      };
    case "abort":
    case "signal":
      return ownSignal(record);
  }
  const fault = NATIVE_FAULTS[end.signal ?? ""];
  if (fault !== undefined)
    return {
      fact: `crashed${during} in native code (${end.signal}): ${fault}`,
      cause: requestCause(record) || "a native module, or a fault of Node itself",
      advice:
        "Update the native modules and Node; the lines of Node in the log, or a core file (coredumpctl), name the function.",
    };
  return {
    fact: `${end.how}${during}, which nobody asked for`,
    cause: requestCause(record),
    advice: "Look at the log before that time: the process said no reason.",
  };
}

/** It was told to stop, and did not in time. */
function late(record: DeathRecord): Verdict {
  const { orderedFor } = record.end;
  return {
    fact: `was killed by tsgun: told to stop for ${orderedFor ?? "a stop"}`,
    cause: requestCause(record) || "the app's shutdown, or something that keeps it from ending",
    advice: "Raise --graceful-timeout, or end what is left in the app's shutdown.",
  };
}

/** The innermost frame, as `, at handler (app.ts:12:3)`. */
function at(stack: string | null | undefined): string {
  const frame = /^\s*(at .*)$/m.exec(stack ?? "")?.[1];
  return frame === undefined ? "" : `, ${frame}`;
}

/** How long it lived and what it did, as the end of the first line. */
export function lifeOf({ worker }: DeathRecord): string {
  const requests = worker.requests === 1 ? "1 request" : `${worker.requests} requests`;
  return worker.served === null
    ? `${seconds(worker.age)} after its start`
    : `${seconds(worker.age)} after its start and after ${requests}`;
}
