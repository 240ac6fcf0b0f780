/** The sessions of node listeners. Loaded only for such an app, if HTTP/2 is spoken. */
import { EngineExchangeLogs } from "../engine/engine-exchange-log.ts";
import { EngineExchangeMeter } from "../engine/engine-exchange-watch.ts";
import type { ListenerContext, MakeListenerSessions } from "../node/listener-session-host.ts";
import { type Http2Options, Http2Sessions } from "./http2-server.ts";
import { type ListenerOwner, ListenerStreamExchange } from "./listener-exchange.ts";

export function listenerSessions(options: Http2Options): MakeListenerSessions {
  return (host) => {
    const { accessLog, meter, proxyRules } = host.options;
    const logs = accessLog && new EngineExchangeLogs(accessLog, proxyRules, meter);
    const owner: ListenerOwner = {
      host,
      window: options.initialWindowSize,
      needsHttp1: false,
      watch: (context) => logs?.open(context) ?? (meter && new EngineExchangeMeter(meter, context)),
    };
    return new Http2Sessions<ListenerContext>(host, options, {
      upgrades: false,
      make: (session, stream) => new ListenerStreamExchange(owner, session, stream),
    });
  };
}
