/**
 * Keeps input from node's parser while node has paused that: while the responses that wait their turn exceed a buffer.
 *
 * The parser reads a connection's handle itself, past the socket. A handle of TCP stops when it is told to, but one of TLS
 * passes on all that it has decrypted (16 kB at a time, of up to 64 kB), and the parser refuses that as a malformed request
 * (Node 20 to 26). So the first pause makes the parser read the socket, which keeps what comes.
 */
import { type Socket, Socket as TcpSocket } from "node:net";

/** A socket and its parser, as node:http keeps them. */
type ParsedSocket = Socket & {
  readonly encrypted?: boolean;
  /** Node has paused the parser, or is about to, and calls `pause`. */
  readonly _paused?: boolean;
  readonly parser?: Parser | null;
};

interface Parser {
  /** It reads the handle. */
  _consumed?: boolean;
  unconsume?(): void;
}

/** Call once for each connection, before the first request. */
export function pauseWithParser(socket: Socket): void {
  if ((socket as ParsedSocket).encrypted === true) socket.pause = pauseBoth;
}

function pauseBoth(this: ParsedSocket): Socket {
  const { parser } = this;
  if (this._paused === true && parser?._consumed === true && parser.unconsume !== undefined) {
    parser.unconsume();
    parser._consumed = false;
  }
  return TcpSocket.prototype.pause.call(this);
}
