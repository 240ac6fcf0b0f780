/** Pages, JSON, a form. Nest injects the constructor's and methods' parameters by their type metadata. */
import {
  Body,
  Controller,
  DefaultValuePipe,
  Get,
  Header,
  Headers,
  HttpCode,
  ParseIntPipe,
  Post,
  Query,
  Redirect,
  Res,
} from "@nestjs/common";
import type { Response } from "express";
import { type Note, NotesService } from "./notes.service.ts";

@Controller()
export class NotesController {
  constructor(private readonly notes: NotesService) {}

  @Get()
  @Header("content-type", "text/html; charset=utf-8")
  page(@Headers("cookie") cookie = ""): string {
    const name = /(?:^|; )name=(\w+)/.exec(cookie)?.[1] ?? "stranger";
    return `<!doctype html><title>Notes</title><h1>Hello, ${name}!</h1>\n`;
  }

  @Get("notes")
  list(@Query("limit", new DefaultValuePipe(3), ParseIntPipe) limit: number): Note[] {
    return this.notes.first(limit);
  }

  @Post("notes")
  make(@Body("text") text: string): Note {
    return this.notes.make(text);
  }

  @Post("login")
  @HttpCode(303)
  login(@Body("name") name: string, @Res() response: Response): void {
    response.cookie("name", name, { httpOnly: true });
    response.cookie("theme", "dark", { maxAge: 86_400_000 });
    response.redirect(303, "/");
  }

  @Get("old")
  @Redirect("/", 301)
  old(): void {}

  @Get("fail")
  fail(): never {
    throw new Error("no such luck");
  }
}
