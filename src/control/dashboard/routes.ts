/**
 * The routes of the dashboard, on the admin listener. There is no other way to change anything there: each command passes
 * `Dashboard.write`. What they do and report is what the routes of the control interface do and report.
 */
import type { Route } from "../json-server.ts";
import { loadLate } from "../late-load.ts";
import type { Asked, Reply } from "../reply.ts";
import type { Dashboard, DashboardOptions } from "./dashboard.ts";

/** Its commands, by their path in the table of all routes. */
const COMMANDS = ["/reload", "/scale", "/workers/:pid/restart"];

export function dashboardRoutes(options: DashboardOptions): Route[] {
  // Most servers are asked for their health alone.
  const dashboard = loadLate(async () => {
    const { Dashboard } = await import("./dashboard.ts");
    return await Dashboard.create(options);
  });
  const get = (
    path: string,
    handle: (dashboard: Dashboard, asked: Asked, id: string) => Reply | Promise<Reply>,
  ): Route => ({
    method: "GET",
    path,
    audience: "probe",
    handle: async ({ id = "" }, _body, asked) => handle(await dashboard(), asked, id),
  });
  const post = (
    path: string,
    handle: (dashboard: Dashboard, asked: Asked, body: unknown, pid: string) => Reply | Promise<Reply>,
  ): Route => ({
    method: "POST",
    path,
    audience: "probe",
    handle: async ({ pid = "" }, body, asked) => handle(await dashboard(), asked, body, pid),
  });
  return [
    get("/", () => movedTo("dashboard/")),
    get("/dashboard", () => movedTo("dashboard/")),
    get("/dashboard/", (to, asked) => to.page("index.html", asked)),
    get("/dashboard/dashboard.js", (to, asked) => to.page("dashboard.js", asked)),
    get("/dashboard/dashboard.css", (to, asked) => to.page("dashboard.css", asked)),
    get("/dashboard/api/session", (to, asked) => to.read(asked, async () => to.session(asked))),
    get("/dashboard/api/overview", (to, asked) => to.read(asked, () => to.overview(asked))),
    get("/dashboard/api/deaths/:id", (to, asked, id) => to.read(asked, () => to.death(id, asked))),
    post("/dashboard/api/login", (to, asked, body) => to.logIn(asked, body)),
    post("/dashboard/api/logout", (to, asked) => to.logOut(asked)),
    ...COMMANDS.map((path) =>
      post(`/dashboard/api${path}`, (to, asked, body, pid) =>
        to.write(asked, () => to.command(path, pid === "" ? {} : { pid }, body, asked)),
      ),
    ),
  ];
}

/** Relative, so that it leads to the same folder behind a proxy. */
function movedTo(location: string): Reply {
  return { status: 302, type: "text/plain; charset=utf-8", text: `See ${location}\n`, headers: { location } };
}
