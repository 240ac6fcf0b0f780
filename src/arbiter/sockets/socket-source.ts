/** Opens the server's sockets as the settings of the start demand, and binds one again that clients cannot reach. */
import type { Address } from "../../config/address.ts";
import type { Config } from "../../config/settings.ts";
import type { Identity } from "../../ipc/messages.ts";
import { socketOwnership } from "../../system/identity.ts";
import { type BindOptions, bindAgain, bindOne, type Listener } from "./bind.ts";
import { adoptSockets, openSockets } from "./sockets.ts";

export class SocketSource {
  readonly #config: Config;
  readonly #identity: Identity;

  constructor(config: Config, identity: Identity) {
    this.#config = config;
    this.#identity = identity;
  }

  /**
   * Returns the predecessor's sockets, if there are any, else those of systemd or newly bound ones.
   * @throws FatalError when an address cannot be bound
   */
  async open(handedOver: readonly Listener[] | undefined): Promise<readonly Listener[]> {
    if (handedOver === undefined) return await openSockets(this.#config.bind, this.#options());
    return await adoptSockets(handedOver, this.#options());
  }

  /** @throws FatalError when the path of the Unix socket cannot be bound again */
  async bindAgain(lost: Listener): Promise<Listener> {
    return await bindAgain(lost, this.#options());
  }

  /**
   * Binds a socket of the workers of one slot. It is never shared with other servers: its address means that slot.
   *
   * @param before the sockets that are bound already
   * @throws FatalError when the address cannot be bound
   */
  async bindForSlot(address: Address, before: readonly Listener[]): Promise<Listener> {
    return await bindOne(address, { ...this.#options(), reusePort: false, isForSlot: true }, before);
  }

  #options(): BindOptions {
    const { reusePort, backlog, certfile } = this.#config;
    const scheme = certfile === undefined ? "http" : "https";
    return { reusePort, backlog, scheme, ownership: socketOwnership(this.#config, this.#identity) };
  }
}
