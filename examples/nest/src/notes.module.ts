import { Module } from "@nestjs/common";
import { FilesController } from "./files.controller.ts";
import { NotesController } from "./notes.controller.ts";
import { NotesService } from "./notes.service.ts";

@Module({ controllers: [NotesController, FilesController], providers: [NotesService] })
export class NotesModule {}
