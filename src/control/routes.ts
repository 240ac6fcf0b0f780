/** The routes of the control interface and of the health endpoint. */
import { MAX_WORKERS } from "../config/settings.ts";
import { HttpError } from "../errors.ts";
import type { Controllable, Outcome } from "./api.ts";
import { examinationRoutes } from "./examination-routes.ts";
import type { Route } from "./json-server.ts";
import type { Reply } from "./reply.ts";
import { objectMember, processId } from "./request-values.ts";

/** 409: the command was tried and failed; the server continues unchanged. */
function reply(outcome: Outcome): Reply {
  return { status: outcome.ok ? 200 : 409, body: outcome };
}

function workerCount(body: unknown): number {
  const workers = objectMember(body, "workers");
  if (typeof workers !== "number" || !Number.isInteger(workers) || workers < 0 || workers > MAX_WORKERS) {
    throw new HttpError(400, `send {"workers": N}, N a whole number from 0 to ${MAX_WORKERS}`);
  }
  return workers;
}

/** All requests of `tsgun ctl`. */
export function controlRoutes(target: Controllable): Route[] {
  return [
    {
      method: "GET",
      path: "/status",
      audience: "reader",
      handle: () => ({ status: 200, body: target.status() }),
    },
    {
      method: "GET",
      path: "/workers",
      audience: "reader",
      handle: () => ({ status: 200, body: target.workers() }),
    },
    { method: "POST", path: "/reload", handle: async () => reply(await target.reload()) },
    { method: "POST", path: "/upgrade", handle: async () => reply(await target.upgrade()) },
    { method: "POST", path: "/reopen", handle: async () => reply(await target.reopen()) },
    {
      method: "POST",
      path: "/scale",
      handle: async (_parameters, body) => reply(await target.scale(workerCount(body))),
    },
    {
      method: "POST",
      path: "/workers/:pid/restart",
      handle: async (parameters) => reply(await target.restart(processId(parameters.pid))),
    },
    {
      method: "POST",
      path: "/stop",
      handle: async (_parameters, body) => {
        const mode = objectMember(body, "mode") ?? "graceful";
        if (mode !== "graceful" && mode !== "quick")
          throw new HttpError(400, 'mode is "graceful" or "quick"');
        return reply(await target.stop(mode));
      },
    },
    ...examinationRoutes(() => target.examinations()),
    ...healthRoutes(target),
  ];
}

/** The health checks of load balancers; read-only. */
export function healthRoutes(target: Pick<Controllable, "health">): Route[] {
  const health = (passes: "live" | "ready" | "started") => (): Reply => {
    const state = target.health();
    return { status: state[passes] ? 200 : 503, body: state };
  };
  return [
    { method: "GET", path: "/health/live", audience: "probe", handle: health("live") },
    { method: "GET", path: "/health/startup", audience: "probe", handle: health("started") },
    { method: "GET", path: "/health/ready", audience: "probe", handle: health("ready") },
  ];
}
