/** The dashboard: asks the server every two seconds, and shows what it reports. */
import type { Overview } from "../control/dashboard/overview.ts";
import type { EventReport, HistoryReport } from "../control/stats.ts";
import { Actions } from "./actions.ts";
import { Charts } from "./charts.ts";
import { showDeaths } from "./deaths.ts";
import { byId, setText } from "./dom.ts";
import { joinEvents } from "./events.ts";
import { age } from "./format.ts";
import { joinHistory } from "./history.ts";
import { startLogin } from "./login.ts";
import { marks } from "./marks.ts";
import { panels } from "./panels.ts";
import { type Connection, Poller } from "./poller.ts";
import { showStrip } from "./state-strip.ts";
import { showEvents, showRequests, showWorkers } from "./tables.ts";
import { startTheme } from "./theme.ts";

let latest: Overview | undefined;
let history: HistoryReport | undefined;
let events: readonly EventReport[] = [];

const charts: Charts = new Charts();
const poller: Poller = new Poller({ data: show, connection: showConnection });
const actions: Actions = new Actions(
  () => latest?.csrf ?? "",
  () => poller.poll(),
);

function show(overview: Overview): void {
  latest = overview;
  history = joinHistory(history, overview.history);
  events = joinEvents(events, overview.events);
  const { stats } = overview;
  // The server's clock: the browser's may differ.
  const now = Date.parse(stats.time);
  showServer(overview);
  showStrip(stats, now);
  charts.update(panels({ history, stats, events }), marks(events), {
    since: (history.time[0] ?? now) / 1000,
    now: now / 1000,
  });
  showWorkers(stats.workers, (worker) => actions.restart(worker));
  showRequests(overview.requests);
  showDeaths(overview.deaths, now);
  showEvents(events, now);
  actions.update(stats);
  byId("logout").hidden = !overview.hasSession;
}

function showServer({ stats }: Overview): void {
  const { server } = stats;
  const { target, ready } = server.workers;
  document.title = `${server.name}: ${ready}/${target} ready`;
  setText(byId("name"), server.name);
  const state = byId("state");
  setText(state, server.state);
  state.dataset.state = server.ready ? server.state : "unready";
  setText(
    byId("where"),
    [...server.listening, server.app, `pid ${server.pid}`, `tsgun ${server.version}`].join(" · "),
  );
  const trouble = byId("trouble");
  trouble.hidden = server.ready;
  setText(trouble, server.ready ? "" : `Not ready: ${server.reason}.`);
}

/** Shows one of three views: the figures, the login form, or why there are none. */
function showConnection(connection: Connection): void {
  const { state } = connection;
  const view = state === "login" || state === "refused" ? state : "figures";
  byId("figures").hidden = view !== "figures" || latest === undefined;
  byId("login").hidden = view !== "login";
  byId("refused").hidden = view !== "refused";
  byId("controls").hidden = view !== "figures" || latest === undefined;
  if (state === "refused") setText(byId("refused-reason"), connection.message);
  const place = byId("connection");
  place.dataset.state = state;
  setText(place, connectionText(connection));
  document.documentElement.dataset.connection = state;
}

function connectionText(connection: Connection): string {
  switch (connection.state) {
    case "silent":
      return connection.since === undefined
        ? "The server does not answer; trying again every 2 s"
        : `The server has not answered for ${age(Date.now() - connection.since)}; trying again every 2 s`;
    case "connecting":
      return "Connecting …";
    case "live":
      return "Live";
    case "paused":
      return "Paused";
    case "login":
      return "Not logged in";
    case "refused":
      return "Refused";
  }
}

startTheme(() => charts.redraw());
startLogin(() => poller.poll());
poller.start();
