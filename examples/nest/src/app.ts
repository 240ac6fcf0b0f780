/** A Nest project's `main.ts` up to `listen()`. tsgun calls this; `main.ts` calls it without tsgun. */
import "reflect-metadata";
import type { INestApplication } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import compression from "compression";
import { NotesModule } from "./notes.module.ts";

export async function create(): Promise<INestApplication> {
  const app = await NestFactory.create(NotesModule, { logger: ["error", "warn"] });
  app.use(compression());
  return app;
}
