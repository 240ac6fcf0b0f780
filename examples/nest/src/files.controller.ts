/** Uploads, through Nest's interceptor and as streams, and a streamed response. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Param,
  Post,
  Put,
  Query,
  Req,
  StreamableFile,
  UploadedFile,
  UseInterceptors,
} from "@nestjs/common";
import { FileInterceptor } from "@nestjs/platform-express";
import type { Request } from "express";

interface Digest {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

@Controller()
export class FilesController {
  @Post("upload")
  @HttpCode(200)
  @UseInterceptors(FileInterceptor("file"))
  upload(
    @UploadedFile() file: Express.Multer.File,
    @Body("title") title: string,
  ): Digest & { title: string } {
    const sha256 = createHash("sha256").update(file.buffer).digest("hex");
    return { title, name: file.originalname, size: file.size, sha256 };
  }

  @Put("files/:name")
  async store(@Param("name") name: string, @Req() request: Request): Promise<Digest> {
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of request) {
      hash.update(chunk);
      size += chunk.length;
    }
    return { name, size, sha256: hash.digest("hex") };
  }

  @Get("numbers")
  numbers(@Query("to") to: string, @Query("pause") milliseconds = "0"): StreamableFile {
    return new StreamableFile(
      Readable.from(numbers(Number(to), Number(milliseconds)), { objectMode: false }),
      {
        type: "text/plain",
      },
    );
  }

  @Get("report")
  @Header("content-type", "text/plain; charset=utf-8")
  report(): string {
    return "All is well.\n".repeat(2000);
  }
}

async function* numbers(to: number, milliseconds: number): AsyncGenerator<string> {
  for (let number = 1; number <= to; number += 1) {
    yield `${number}\n`;
    if (milliseconds > 0) await pause(milliseconds);
  }
}
