import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { Injectable, type OnApplicationShutdown } from "@nestjs/common";

@Injectable()
export class AppService implements OnApplicationShutdown {
  getHello(): string {
    return `Nest page ${process.pid}`;
  }

  async digest(content: Readable): Promise<string> {
    const hash = createHash("sha256");
    for await (const piece of content) hash.update(piece);
    return hash.digest("hex");
  }

  onApplicationShutdown(signal?: string): void {
    console.log(`shutdown hook of Nest: ${signal}`);
  }
}
