/** Maximum number of workers, from any source: each is a process that the arbiter starts, listens to and reaps. */
export const MAX_WORKERS = 1024;
