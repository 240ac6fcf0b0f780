import { setTimeout as pause } from "node:timers/promises";
import { Body, Controller, Get, HttpCode, Post, Req, Res } from "@nestjs/common";
import type { Request, Response } from "express";
import { AppService } from "./app.service";

@Controller()
export class AppController {
  constructor(private readonly appService: AppService) {}

  @Get()
  getHello(): string {
    return this.appService.getHello();
  }

  @Post("echo")
  @HttpCode(200)
  echo(@Body() { text }: { text: string }) {
    return { text, pid: process.pid };
  }

  @Post("upload")
  @HttpCode(200)
  async upload(@Req() request: Request): Promise<string> {
    return await this.appService.digest(request);
  }

  @Get("stream")
  async stream(@Res() response: Response): Promise<void> {
    for (let number = 1; number <= 5; number += 1) {
      response.write(`piece ${number}\n`);
      await pause(100);
    }
    response.end();
  }
}
