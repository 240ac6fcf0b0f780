/** A position in a file. */

/** A line, counted from 1. */
export interface FileLine {
  /** For display: relative if below the current folder. */
  readonly file: string;
  readonly line: number;
}

/** `deploy/nginx/shop.conf:14` */
export function formatFileLine({ file, line }: FileLine): string {
  return `${file}:${line}`;
}
