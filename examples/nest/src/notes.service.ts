import { Injectable } from "@nestjs/common";

export interface Note {
  readonly id: number;
  readonly text: string;
}

const NOTES = ["Buy milk", "Call Ada", "Water the plants"];

@Injectable()
export class NotesService {
  first(count: number): Note[] {
    return NOTES.slice(0, count).map((text, index) => ({ id: index + 1, text }));
  }

  make(text: string): Note {
    return { id: NOTES.length + 1, text };
  }
}
